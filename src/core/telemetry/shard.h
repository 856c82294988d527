#pragma once
// One thread's cells: written only by that thread while their group lives, read by scrapes. Chunks appear at the first
// sample in their range.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace plait::telemetry {

class Shard {
 public:
  static constexpr std::uint32_t kChunkCells = 1024;
  using Cell = std::atomic<std::uint64_t>;

  // A chunk's cells, and which of its gauges were set: one that is back at zero looks like one that never was.
  struct Chunk {
    std::array<Cell, kChunkCells> cells;
    std::array<std::atomic<std::uint64_t>, kChunkCells / 64> set;
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
    std::atomic<std::uint64_t>& word = chunk.set[cell % kChunkCells / 64];
    if ((word.load(std::memory_order_relaxed) & Bit(cell)) == 0) word.fetch_or(Bit(cell), std::memory_order_relaxed);
    return chunk.cells[cell % kChunkCells];
  }

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
    chunk->set[cell % kChunkCells / 64].fetch_and(~Bit(cell), std::memory_order_relaxed);
  }
  bool HasChunk(std::uint32_t cell) const noexcept { return Find(cell) != nullptr; }
  std::size_t chunks() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(chunks_, chunks_ + count_, [](const auto& chunk) { return chunk.load() != nullptr; }));
  }

 private:
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
