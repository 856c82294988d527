#pragma once
// Header fields of one HTTP message (RFC 9110 5): an ordered list that keeps names' case and repeated fields.
// Look-ups ignore case. Text lives in one arena a list; arena and index go back to a small pool of the thread, so that
// a message in steady state allocates nothing for its fields. Views that it returns are valid until the next change of
// the list.
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plait::http {

struct HeaderView {
  std::string_view name;  // as it came (lower case from HTTP/2)
  std::string_view value;
};

class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<HeaderView> fields);
  Headers(const Headers& other);
  Headers& operator=(const Headers& other);
  Headers(Headers&& other) noexcept;
  Headers& operator=(Headers&& other) noexcept;
  ~Headers();

  void Add(std::string_view name, std::string_view value);
  // Replaces the first field of that name in place and drops further ones; adds when there is none.
  void Set(std::string_view name, std::string_view value);
  std::size_t Remove(std::string_view name);                                  // how many went
  std::size_t RemovePrefix(std::string_view prefix);                          // "x-envoy-"
  std::optional<std::string_view> Get(std::string_view name) const noexcept;  // the first
  bool Has(std::string_view name) const noexcept { return Get(name).has_value(); }
  // All values joined with ", " (RFC 9110 5.3; cookies with "; "); nullopt when absent.
  std::optional<std::string> GetJoined(std::string_view name) const;
  // True when a comma-separated field (Connection, Transfer-Encoding, TE ...) lists `token`, ignoring case.
  bool HasToken(std::string_view name, std::string_view token) const noexcept;

  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }
  HeaderView at(std::size_t i) const noexcept;
  // Names and values with 4 bytes a field, as an HTTP/1 message would carry them (for limits).
  std::size_t byte_size() const noexcept { return byte_size_; }
  void Clear() noexcept;

  class Iterator {
   public:
    Iterator(const Headers& list, std::size_t i) : list_(&list), i_(i) {}
    HeaderView operator*() const noexcept { return list_->at(i_); }
    Iterator& operator++() noexcept { return ++i_, *this; }
    bool operator==(const Iterator& other) const noexcept { return i_ == other.i_; }

   private:
    const Headers* list_;
    std::size_t i_;
  };
  Iterator begin() const noexcept { return {*this, 0}; }
  Iterator end() const noexcept { return {*this, size()}; }

 private:
  struct Field {
    std::uint32_t name_at, name_size, value_at, value_size;
    std::uint32_t name_hash;  // of the lower-cased name: look-ups compare this first
  };
  void Acquire();
  void Release() noexcept;
  std::size_t Find(std::string_view name, std::size_t from = 0) const noexcept;  // size() when there is none
  bool InArena(std::string_view text) const noexcept;
  std::uint32_t Store(std::string_view text);
  template <class Predicate>
  std::size_t RemoveIf(Predicate gone);

  std::string arena_;
  std::vector<Field> fields_;
  std::size_t byte_size_ = 0;
};

}  // namespace plait::http
