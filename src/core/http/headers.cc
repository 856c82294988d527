#include "core/http/headers.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/strings.h"
#include "core/http/list.h"

namespace plait::http {
namespace {

// Storage of lists that died, for the next ones of this thread. Bounded: 32 x (4 KiB + 64 fields).
constexpr std::size_t kPooled = 32;
constexpr std::size_t kLargestPooledArena = 4096;
constexpr std::size_t kLargestPooledIndex = 64;
constexpr std::size_t kFirstArena = 512;
constexpr std::size_t kFirstIndex = 16;

template <class Field>
struct Pool {
  struct Storage {
    std::string arena;
    std::vector<Field> fields;
  };
  std::vector<Storage> free;
  bool closed = false;
  ~Pool() { closed = true; }
};
template <class Field>
Pool<Field>& ThreadPool() {
  thread_local Pool<Field> pool;
  return pool;
}

constexpr std::size_t kFieldOverhead = 4;  // ": " and CRLF

// FNV-1a of the lower-cased name.
std::uint32_t HashName(std::string_view name) noexcept {
  std::uint32_t hash = 2166136261U;
  for (char c : name) hash = (hash ^ static_cast<std::uint8_t>(ToLower(c))) * 16777619U;
  return hash;
}
}  // namespace

Headers::Headers(std::initializer_list<HeaderView> fields) {
  for (const HeaderView& field : fields) Add(field.name, field.value);
}

Headers::Headers(const Headers& other) { *this = other; }

Headers& Headers::operator=(const Headers& other) {
  if (this == &other) return *this;
  if (other.fields_.empty()) {
    Clear();
    return *this;
  }
  Acquire();
  arena_ = other.arena_;
  fields_ = other.fields_;
  byte_size_ = other.byte_size_;
  return *this;
}

Headers::Headers(Headers&& other) noexcept
    : arena_(std::move(other.arena_)),
      fields_(std::move(other.fields_)),
      byte_size_(std::exchange(other.byte_size_, 0)) {
  other.arena_.clear();
  other.fields_.clear();
}

Headers& Headers::operator=(Headers&& other) noexcept {
  if (this == &other) return *this;
  Release();
  arena_ = std::move(other.arena_);
  fields_ = std::move(other.fields_);
  byte_size_ = std::exchange(other.byte_size_, 0);
  other.arena_.clear();
  other.fields_.clear();
  return *this;
}

Headers::~Headers() { Release(); }

void Headers::Acquire() {
  if (fields_.capacity() > 0) return;
  auto& pool = ThreadPool<Field>();
  if (!pool.closed && !pool.free.empty()) {
    arena_ = std::move(pool.free.back().arena);
    fields_ = std::move(pool.free.back().fields);
    pool.free.pop_back();
    return;
  }
  arena_.reserve(kFirstArena);
  fields_.reserve(kFirstIndex);
}

void Headers::Release() noexcept {
  if (fields_.capacity() == 0) return;
  auto& pool = ThreadPool<Field>();
  if (pool.closed || pool.free.size() >= kPooled || arena_.capacity() > kLargestPooledArena ||
      fields_.capacity() > kLargestPooledIndex)
    return;
  if (pool.free.capacity() == 0) pool.free.reserve(kPooled);
  arena_.clear();
  fields_.clear();
  pool.free.push_back({std::move(arena_), std::move(fields_)});
}

bool Headers::InArena(std::string_view text) const noexcept {
  const std::less<> before;
  return !before(text.data(), arena_.data()) && before(text.data(), arena_.data() + arena_.size());
}

std::uint32_t Headers::Store(std::string_view text) {
  const std::size_t at = arena_.size();
  arena_.append(text);
  return static_cast<std::uint32_t>(at);
}

void Headers::Add(std::string_view name, std::string_view value) {
  if (InArena(name) || InArena(value)) return Add(std::string(name), std::string(value));
  Acquire();
  Field field{};
  field.name_at = Store(name);
  field.name_size = static_cast<std::uint32_t>(name.size());
  field.value_at = Store(value);
  field.value_size = static_cast<std::uint32_t>(value.size());
  field.name_hash = HashName(name);
  fields_.push_back(field);
  byte_size_ += name.size() + value.size() + kFieldOverhead;
}

void Headers::Set(std::string_view name, std::string_view value) {
  if (InArena(name) || InArena(value)) return Set(std::string(name), std::string(value));
  const std::size_t first = Find(name);
  if (first == fields_.size()) return Add(name, value);
  Field& field = fields_[first];
  byte_size_ = byte_size_ - field.value_size + value.size();
  if (value.size() <= field.value_size)
    arena_.replace(field.value_at, value.size(), value);
  else
    field.value_at = Store(value);
  field.value_size = static_cast<std::uint32_t>(value.size());
  if (Find(name, first + 1) == fields_.size()) return;
  std::size_t seen = 0;
  RemoveIf([&](HeaderView view) { return EqualsIgnoreCase(view.name, name) && seen++ > 0; });
}

template <class Predicate>
std::size_t Headers::RemoveIf(Predicate gone) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const HeaderView view = at(i);
    if (gone(view))
      byte_size_ -= view.name.size() + view.value.size() + kFieldOverhead;
    else
      fields_[kept++] = fields_[i];
  }
  const std::size_t removed = fields_.size() - kept;
  fields_.resize(kept);
  if (kept == 0) arena_.clear();
  return removed;
}

std::size_t Headers::Remove(std::string_view name) {
  // Most removals find nothing: look before the list is walked with moves.
  if (Find(name) == fields_.size()) return 0;
  return RemoveIf([&](HeaderView view) { return EqualsIgnoreCase(view.name, name); });
}

std::size_t Headers::RemovePrefix(std::string_view prefix) {
  return RemoveIf([&](HeaderView view) {
    return view.name.size() >= prefix.size() && EqualsIgnoreCase(view.name.substr(0, prefix.size()), prefix);
  });
}

std::size_t Headers::Find(std::string_view name, std::size_t from) const noexcept {
  const std::uint32_t hash = HashName(name);
  for (std::size_t i = from; i < fields_.size(); ++i)
    if (fields_[i].name_hash == hash && EqualsIgnoreCase(at(i).name, name)) return i;
  return fields_.size();
}

std::optional<std::string_view> Headers::Get(std::string_view name) const noexcept {
  const std::size_t i = Find(name);
  if (i == fields_.size()) return std::nullopt;
  return at(i).value;
}

std::optional<std::string> Headers::GetJoined(std::string_view name) const {
  std::size_t i = Find(name);
  if (i == fields_.size()) return std::nullopt;
  const std::string_view separator = EqualsIgnoreCase(name, "cookie") ? "; " : ", ";
  std::string joined(at(i).value);
  while ((i = Find(name, i + 1)) != fields_.size()) joined.append(separator).append(at(i).value);
  return joined;
}

bool Headers::HasToken(std::string_view name, std::string_view token) const noexcept {
  for (std::size_t i = Find(name); i != fields_.size(); i = Find(name, i + 1))
    if (TokenIn(at(i).value, token)) return true;
  return false;
}

HeaderView Headers::at(std::size_t i) const noexcept {
  const Field& field = fields_[i];
  const char* text = arena_.data();
  return {{text + field.name_at, field.name_size}, {text + field.value_at, field.value_size}};
}

void Headers::Clear() noexcept {
  arena_.clear();
  fields_.clear();
  byte_size_ = 0;
}

}  // namespace plait::http
