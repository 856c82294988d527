#pragma once
// Earliest deadline first: a host of weight w comes up w times as often as one of weight 1, evenly spread. Envoy's
// EdfScheduler. O(log n) a pick, no allocation after the first.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace plait::proxy::lb {

class WeightedHeap {
 public:
  void Add(std::uint32_t index, double weight) { Push(index, now_ + 1.0 / weight); }
  bool empty() const noexcept { return heap_.empty(); }
  // The next index; it comes up again after 1 / weight, with the weight that `weight_of(index)` gives now.
  template <class WeightOf>
  std::uint32_t Next(WeightOf weight_of) noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    Item& top = heap_.back();
    now_ = top.deadline;
    const std::uint32_t index = top.index;
    top = {now_ + 1.0 / weight_of(index), order_++, index};
    std::push_heap(heap_.begin(), heap_.end(), Later);
    return index;
  }

 private:
  struct Item {
    double deadline;
    std::uint64_t order;  // first come, first served among equal deadlines
    std::uint32_t index;
  };
  static bool Later(const Item& a, const Item& b) noexcept {
    return a.deadline != b.deadline ? a.deadline > b.deadline : a.order > b.order;
  }
  void Push(std::uint32_t index, double deadline) {
    heap_.push_back({deadline, order_++, index});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  std::vector<Item> heap_;
  double now_ = 0;
  std::uint64_t order_ = 0;
};

}  // namespace plait::proxy::lb
