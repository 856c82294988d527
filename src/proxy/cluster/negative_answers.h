#pragma once
// What was asked for and certainly does not exist: the newest 4,096, each for a minute, then asked for anew
// (semantics.md 2). Whoever asked ends its subscription with it. One thread.
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>

#include "core/base/time.h"

namespace plait::proxy::cluster {

inline constexpr Duration kNegativeLife = std::chrono::seconds(60);
inline constexpr std::size_t kMostNegative = 4096;

template <class Key, class Hash = std::hash<Key>>
class NegativeAnswers {
 public:
  struct Answer {
    Key key;
    MonotonicTime until{};
  };
  const std::list<Answer>& all() const noexcept { return answers_; }  // oldest first
  bool empty() const noexcept { return answers_.empty(); }
  bool Contains(const Key& key) const { return places_.contains(key); }
  // From now on. What TakeOver gives then is gone. `key` is not there.
  void Add(const Key& key, MonotonicTime now) {
    places_[key] = answers_.insert(answers_.end(), {.key = key, .until = now + kNegativeLife});
  }
  bool Erase(const Key& key) {
    const auto at = places_.find(key);
    if (at == places_.end()) return false;
    answers_.erase(at->second);
    places_.erase(at);
    return true;
  }
  // Takes out the oldest one where there are too many, or its time is over; nullopt: neither is so.
  std::optional<Key> TakeOver(MonotonicTime now) {
    if (answers_.empty() || (answers_.size() <= kMostNegative && answers_.front().until > now)) return std::nullopt;
    Key key = std::move(answers_.front().key);
    places_.erase(key);
    answers_.pop_front();
    return key;
  }

 private:
  std::list<Answer> answers_;
  std::unordered_map<Key, typename std::list<Answer>::iterator, Hash> places_;
};

}  // namespace plait::proxy::cluster
