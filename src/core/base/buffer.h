#pragma once
// A byte queue made of pooled 16 KiB chunks: append at the back, take from the front, no copy when chunks move between
// buffers. An empty Buffer holds no memory. One thread only; the chunk pool is per thread (chunks may be freed on
// another thread than the one that made them).
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace plait {

class Buffer {
 public:
  static constexpr std::size_t kChunkSize = 16 * 1024;        // payload and chunk header together
  static constexpr std::size_t kMaxLinear = kChunkSize - 16;  // the payload of a chunk

  Buffer() = default;
  explicit Buffer(std::string_view text) { Append(text); }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  void Append(Bytes bytes);
  void Append(std::string_view text) { Append(AsBytes(text)); }
  // Moves the first `n` bytes (default: all) of `from` to the end of this. Whole chunks are relinked, not copied.
  void MoveFrom(Buffer& from, std::size_t n = SIZE_MAX);

  // Free room at the back, at least `min` (<= 8 KiB) bytes; Commit says how many were written. No other call between.
  MutableBytes Reserve(std::size_t min = 1);
  void Commit(std::size_t n) noexcept;

  // The first contiguous piece (empty only if the buffer is empty).
  Bytes Front() const noexcept;
  // Makes the first `n` bytes contiguous and returns them; n <= size(), n <= kMaxLinear. Copies only when they span
  // chunks.
  Bytes Linearize(std::size_t n);
  // Copies min(out.size(), size() - offset) bytes without taking them; returns how many.
  std::size_t CopyOut(MutableBytes out, std::size_t offset = 0) const noexcept;
  // Fills up to `max` pieces for writev; returns how many.
  int Gather(iovec* out, int max) const noexcept;
  // Drops `n` <= size() bytes from the front; an emptied chunk goes back to the pool at once.
  void Drain(std::size_t n) noexcept;
  void Clear() noexcept { Drain(size_); }
  // Offset of the first `needle` at or after `from`, SIZE_MAX if none.
  std::size_t Find(std::string_view needle, std::size_t from = 0) const noexcept;
  std::string ToString() const;

 private:
  struct Chunk;
  static Chunk* NewChunk();
  static void FreeChunk(Chunk* chunk) noexcept;
  void PushBack(Chunk* chunk) noexcept;
  void PopFront() noexcept;

  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace plait
