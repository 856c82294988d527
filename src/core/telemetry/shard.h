#pragma once
// One thread's cells: written only by that thread while their group lives, read by scrapes. Chunks appear at the first
// sample in their range.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace plait::telemetry {

class Shard {
 public:
  static constexpr std::uint32_t kChunkCells = 1024;
  using Cell = std::atomic<std::uint64_t>;

  using Bits = std::array<std::atomic<std::uint64_t>, kChunkCells / 64>;  // one a cell

  struct Chunk {
    std::array<Cell, kChunkCells> cells;
    Bits set;       // gauges that were set: one that is back at zero looks like one that never was
    Bits recorded;  // first cells of histograms with values that nobody has taken notice of yet
  };

  // The table of chunks is calloc'ed: untouched pages of it cost nothing.
  explicit Shard(std::uint32_t max_cells)
      : chunks_(
            static_cast<std::atomic<Chunk*>*>(std::calloc(max_cells / kChunkCells + 1, sizeof(std::atomic<Chunk*>)))),
        count_(max_cells / kChunkCells + 1) {
    if (chunks_ == nullptr) std::abort();
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    for (std::uint32_t i = 0; i < count_; ++i) std::free(chunks_[i].load(std::memory_order_relaxed));
    std::free(chunks_);
  }

  // Owner thread only.
  Cell& Mine(std::uint32_t cell) noexcept { return MyChunk(cell).cells[cell % kChunkCells]; }
  // A gauge's, which counts as set from now on.
  Cell& MyGauge(std::uint32_t cell) noexcept {
    Chunk& chunk = MyChunk(cell);
    Mark(chunk.set, cell);
    return chunk.cells[cell % kChunkCells];
  }
  // The histogram that begins with this cell has a value more; after it was counted.
  void NoteRecorded(std::uint32_t first) noexcept { Mark(MyChunk(first).recorded, first); }

  // Any thread.
  std::uint64_t Read(std::uint32_t cell) const noexcept {
    const Chunk* chunk = Find(cell);
    return chunk == nullptr ? 0 : chunk->cells[cell % kChunkCells].load(std::memory_order_relaxed);
  }
  bool IsSet(std::uint32_t cell) const noexcept {
    const Chunk* chunk = Find(cell);
    return chunk != nullptr && (chunk->set[cell % kChunkCells / 64].load(std::memory_order_relaxed) & Bit(cell)) != 0;
  }
  // Any thread, when nobody counts in the cell any more and before somebody does again.
  void Clear(std::uint32_t cell) noexcept {
    Chunk* chunk = Find(cell);
    if (chunk == nullptr) return;
    chunk->cells[cell % kChunkCells].store(0, std::memory_order_relaxed);
    Unmark(chunk->set, cell);
    Unmark(chunk->recorded, cell);
  }
  // Any thread: calls `each` with the first cells below `end` of histograms that have values since the last call. A
  // value that is counted at this very moment may be told with the next one of its histogram only.
  template <class Each>
  void TakeRecorded(std::uint32_t end, Each each) noexcept {
    for (std::uint32_t base = 0; base < end; base += kChunkCells) {
      Chunk* chunk = Find(base);
      if (chunk == nullptr) continue;
      for (std::uint32_t word = 0; word < chunk->recorded.size(); ++word) {
        if (chunk->recorded[word].load(std::memory_order_relaxed) == 0) continue;
        for (std::uint64_t bits = chunk->recorded[word].exchange(0, std::memory_order_acquire); bits != 0;
             bits &= bits - 1)
          each(base + word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
      }
    }
  }
  std::size_t chunks() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(chunks_, chunks_ + count_, [](const auto& chunk) { return chunk.load() != nullptr; }));
  }

 private:
  static void Mark(Bits& bits, std::uint32_t cell) noexcept {
    std::atomic<std::uint64_t>& word = bits[cell % kChunkCells / 64];
    if ((word.load(std::memory_order_relaxed) & Bit(cell)) == 0) word.fetch_or(Bit(cell), std::memory_order_release);
  }
  static void Unmark(Bits& bits, std::uint32_t cell) noexcept {
    std::atomic<std::uint64_t>& word = bits[cell % kChunkCells / 64];
    if ((word.load(std::memory_order_relaxed) & Bit(cell)) != 0) word.fetch_and(~Bit(cell), std::memory_order_relaxed);
  }
  static std::uint64_t Bit(std::uint32_t cell) noexcept { return std::uint64_t{1} << (cell % 64); }
  Chunk* Find(std::uint32_t cell) const noexcept { return chunks_[cell / kChunkCells].load(std::memory_order_acquire); }
  Chunk& MyChunk(std::uint32_t cell) noexcept {
    Chunk* chunk = chunks_[cell / kChunkCells].load(std::memory_order_relaxed);
    if (__builtin_expect(chunk == nullptr, 0)) chunk = NewChunk(cell / kChunkCells);
    return *chunk;
  }
  Chunk* NewChunk(std::uint32_t index) noexcept {
    Chunk* chunk = static_cast<Chunk*>(std::calloc(1, sizeof(Chunk)));
    if (chunk == nullptr) std::abort();
    chunks_[index].store(chunk, std::memory_order_release);
    return chunk;
  }
  std::atomic<Chunk*>* chunks_;
  std::uint32_t count_;
};

}  // namespace plait::telemetry
