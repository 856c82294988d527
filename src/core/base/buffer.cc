#include "core/base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "core/base/check.h"
#include "core/base/out_of_memory.h"

namespace plait {

// Header and payload are one 16 KiB allocation. `begin`..`end` is the live part of `data`.
struct Buffer::Chunk {
  Chunk* next = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  static constexpr std::size_t kCapacity = kMaxLinear;
  std::uint8_t data[kCapacity];

  std::size_t size() const noexcept { return end - begin; }
  std::size_t room() const noexcept { return kCapacity - end; }
};

namespace {
// A few free chunks a thread: enough for one burst of reads, small beside the memory of a worker.
constexpr std::size_t kPooled = 16;

struct Pool {
  void* free[kPooled];
  std::size_t count = 0;
  ~Pool() {
    while (count > 0) std::free(free[--count]);
    closed = true;
  }
  bool closed = false;
};
thread_local Pool pool;
}  // namespace

Buffer::Chunk* Buffer::NewChunk() {
  static_assert(sizeof(Chunk) == kChunkSize);
  void* memory = pool.count > 0 ? pool.free[--pool.count] : std::malloc(sizeof(Chunk));
  if (memory == nullptr) EndWithoutMemory();
  Chunk* chunk = static_cast<Chunk*>(memory);
  // Not value-initialised: clearing 16 KiB a chunk would cost more than the read that fills it.
  chunk->next = nullptr;
  chunk->begin = 0;
  chunk->end = 0;
  return chunk;
}

void Buffer::FreeChunk(Chunk* chunk) noexcept {
  if (!pool.closed && pool.count < kPooled)
    pool.free[pool.count++] = chunk;
  else
    std::free(chunk);
}

Buffer::Buffer(Buffer&& other) noexcept
    : head_(std::exchange(other.head_, nullptr)),
      tail_(std::exchange(other.tail_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  while (head_ != nullptr) PopFront();
  head_ = std::exchange(other.head_, nullptr);
  tail_ = std::exchange(other.tail_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Buffer::~Buffer() {
  while (head_ != nullptr) PopFront();
}

void Buffer::PushBack(Chunk* chunk) noexcept {
  chunk->next = nullptr;
  if (tail_ != nullptr)
    tail_->next = chunk;
  else
    head_ = chunk;
  tail_ = chunk;
}

void Buffer::PopFront() noexcept {
  Chunk* gone = head_;
  head_ = gone->next;
  if (head_ == nullptr) tail_ = nullptr;
  FreeChunk(gone);
}

void Buffer::Append(Bytes bytes) {
  while (!bytes.empty()) {
    const MutableBytes room = Reserve();
    const std::size_t n = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), n);
    Commit(n);
    bytes = bytes.subspan(n);
  }
}

void Buffer::MoveFrom(Buffer& from, std::size_t n) {
  PLAIT_CHECK(this != &from);
  n = std::min(n, from.size_);
  // Small pieces are copied so that many tiny moves do not leave a chain of nearly empty chunks.
  while (n > 0) {
    Chunk* first = from.head_;
    const std::size_t piece = std::min(n, first->size());
    const bool whole = piece == first->size();
    if (whole && (piece > Chunk::kCapacity / 4 || tail_ == nullptr)) {
      from.head_ = first->next;
      if (from.head_ == nullptr) from.tail_ = nullptr;
      from.size_ -= piece;
      PushBack(first);
      size_ += piece;
    } else {
      Append(Bytes(first->data + first->begin, piece));
      from.Drain(piece);
    }
    n -= piece;
  }
}

MutableBytes Buffer::Reserve(std::size_t min) {
  PLAIT_CHECK(min <= Chunk::kCapacity);
  if (tail_ == nullptr || tail_->room() < min) PushBack(NewChunk());
  return {tail_->data + tail_->end, tail_->room()};
}

void Buffer::Commit(std::size_t n) noexcept {
  PLAIT_CHECK(tail_ != nullptr && n <= tail_->room());
  tail_->end += static_cast<std::uint32_t>(n);
  size_ += n;
  if (size_ == 0) PopFront();  // Reserve without bytes leaves nothing behind
}

Bytes Buffer::Front() const noexcept {
  for (const Chunk* c = head_; c != nullptr; c = c->next)
    if (c->size() > 0) return {c->data + c->begin, c->size()};
  return {};
}

Bytes Buffer::Linearize(std::size_t n) {
  PLAIT_CHECK(n <= size_ && n <= Chunk::kCapacity);
  if (n == 0) return {};
  if (Front().size() < n) {
    Chunk* joined = NewChunk();
    CopyOut({joined->data, n});
    joined->end = static_cast<std::uint32_t>(n);
    Drain(n);
    joined->next = head_;
    head_ = joined;
    if (tail_ == nullptr) tail_ = joined;
    size_ += n;
  }
  return Front().first(n);
}

std::size_t Buffer::CopyOut(MutableBytes out, std::size_t offset) const noexcept {
  std::size_t copied = 0;
  for (const Chunk* c = head_; c != nullptr && copied < out.size(); c = c->next) {
    if (offset >= c->size()) {
      offset -= c->size();
      continue;
    }
    const std::size_t n = std::min(out.size() - copied, c->size() - offset);
    std::memcpy(out.data() + copied, c->data + c->begin + offset, n);
    copied += n;
    offset = 0;
  }
  return copied;
}

int Buffer::Gather(iovec* out, int max) const noexcept {
  int used = 0;
  for (Chunk* c = head_; c != nullptr && used < max; c = c->next) {
    if (c->size() == 0) continue;
    out[used++] = {.iov_base = c->data + c->begin, .iov_len = c->size()};
  }
  return used;
}

void Buffer::Drain(std::size_t n) noexcept {
  PLAIT_CHECK(n <= size_);
  size_ -= n;
  // An emptied chunk is given back at once; so is one that was only reserved, when nothing is left at all.
  while (head_ != nullptr && (n > 0 || head_->size() == 0)) {
    const std::size_t piece = std::min(n, head_->size());
    head_->begin += static_cast<std::uint32_t>(piece);
    n -= piece;
    if (head_->size() > 0) return;
    PopFront();
  }
}

std::size_t Buffer::Find(std::string_view needle, std::size_t from) const noexcept {
  if (needle.empty() || size_ < needle.size()) return SIZE_MAX;
  std::size_t base = 0;
  for (const Chunk* c = head_; c != nullptr; base += c->size(), c = c->next) {
    if (base + c->size() <= from) continue;
    std::size_t at = from > base ? from - base : 0;
    while (at < c->size()) {
      const void* hit = std::memchr(c->data + c->begin + at, needle.front(), c->size() - at);
      if (hit == nullptr) break;
      at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(hit) - (c->data + c->begin));
      std::size_t matched = 0;
      const Chunk* walk = c;
      std::size_t pos = at;
      while (walk != nullptr && matched < needle.size()) {
        if (pos == walk->size()) {
          walk = walk->next;
          pos = 0;
          continue;
        }
        if (walk->data[walk->begin + pos] != static_cast<std::uint8_t>(needle[matched])) break;
        ++matched;
        ++pos;
      }
      if (matched == needle.size()) return base + at;
      ++at;
    }
  }
  return SIZE_MAX;
}

std::string Buffer::ToString() const {
  std::string out(size_, '\0');
  CopyOut({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

}  // namespace plait
