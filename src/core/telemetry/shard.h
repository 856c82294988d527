#pragma once
// One thread's cells: written only by that thread, read by scrapes. Chunks appear at the first sample in their range.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace plait::telemetry {

class Shard {
 public:
  static constexpr std::uint32_t kChunkCells = 1024;
  using Cell = std::atomic<std::uint64_t>;

  // The table of chunks is calloc'ed: untouched pages of it cost nothing.
  explicit Shard(std::uint32_t max_cells)
      : chunks_(static_cast<std::atomic<Cell*>*>(std::calloc(max_cells / kChunkCells + 1, sizeof(std::atomic<Cell*>)))),
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
  Cell& Mine(std::uint32_t cell) noexcept {
    Cell* chunk = chunks_[cell / kChunkCells].load(std::memory_order_relaxed);
    if (__builtin_expect(chunk == nullptr, 0)) chunk = NewChunk(cell / kChunkCells);
    return chunk[cell % kChunkCells];
  }
  std::uint64_t Read(std::uint32_t cell) const noexcept {
    const Cell* chunk = chunks_[cell / kChunkCells].load(std::memory_order_acquire);
    return chunk == nullptr ? 0 : chunk[cell % kChunkCells].load(std::memory_order_relaxed);
  }
  std::size_t chunks() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(chunks_, chunks_ + count_, [](const auto& chunk) { return chunk.load() != nullptr; }));
  }

 private:
  Cell* NewChunk(std::uint32_t index) noexcept {
    Cell* chunk = static_cast<Cell*>(std::calloc(kChunkCells, sizeof(Cell)));
    if (chunk == nullptr) std::abort();
    chunks_[index].store(chunk, std::memory_order_release);
    return chunk;
  }
  std::atomic<Cell*>* chunks_;
  std::uint32_t count_;
};

}  // namespace plait::telemetry
