#pragma once
// Spreads accepted connections over workers: several watch the same socket and a busy one accepts more often than its
// share, so it hands the connection to the one that has the fewest. One that is on its way counts already: a burst that
// one worker accepts would else go to the other whole. Any thread; relaxed counts.
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

namespace plait::proxy::worker {

class Balance {
 public:
  // A connection that was given to a worker, which has not begun to serve it. The balance outlives it.
  class OnItsWay {
   public:
    OnItsWay(Balance& balance, std::size_t to) noexcept : balance_(&balance), to_(to) { balance.Add(to); }
    OnItsWay(OnItsWay&& other) noexcept : balance_(std::exchange(other.balance_, nullptr)), to_(other.to_) {}
    OnItsWay& operator=(OnItsWay&&) = delete;
    ~OnItsWay() {
      if (balance_ != nullptr) balance_->Remove(to_);
    }

   private:
    Balance* balance_;
    std::size_t to_;
  };

  explicit Balance(std::size_t workers) : counts_(workers) {}
  void Add(std::size_t worker) noexcept { counts_[worker].value.fetch_add(1, std::memory_order_relaxed); }
  void Remove(std::size_t worker) noexcept { counts_[worker].value.fetch_sub(1, std::memory_order_relaxed); }
  // Who should serve a connection that `worker` accepted: itself unless it has clearly more than the least loaded.
  std::size_t Choose(std::size_t worker) const noexcept {
    std::size_t least = worker;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (Of(i) < Of(least)) least = i;
    }
    return Of(worker) > Of(least) + kSlack ? least : worker;
  }
  std::uint32_t Of(std::size_t worker) const noexcept { return counts_[worker].value.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kSlack = 2;
  struct alignas(64) Count {
    std::atomic<std::uint32_t> value{0};
  };
  std::vector<Count> counts_;
};

}  // namespace plait::proxy::worker
