#pragma once
// Inner state of Registry, shared by registry.cc and scrape.cc.
#include <array>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/telemetry/registry.h"
#include "core/telemetry/shard.h"

namespace plait::telemetry {

struct Registry::State {
  explicit State(std::uint32_t most) : max_cells(most) {}

  struct Entry {
    const Schema* schema = nullptr;
    Labels labels;
    std::uint32_t base = 0;
  };
  struct ByBase {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const noexcept { return a.base < b.base; }
    bool operator()(const Entry& a, std::uint32_t b) const noexcept { return a.base < b; }
    bool operator()(std::uint32_t a, const Entry& b) const noexcept { return a < b.base; }
  };
  struct Range {
    std::uint32_t next = 0;
    std::uint32_t end = 0;
  };

  mutable std::mutex mutex;  // guards all below
  const std::uint32_t max_cells;
  std::uint32_t next_cell = 0;
  std::size_t used = 0;
  std::set<Entry, ByBase> groups;                               // live ones
  std::map<std::uint32_t, std::vector<std::uint32_t>> free;     // bases by cell count
  std::map<const Schema*, Range> apart;                         // of these schemas: the chunk that is being filled
  std::map<const Schema*, std::vector<std::uint16_t>> offsets;  // one past the last stat: the count of cells
  std::vector<std::unique_ptr<Shard>> shards;
  std::map<std::pair<const Schema*, std::vector<std::string>>, std::weak_ptr<const Group>> shared;
  // What a counter stood at when counters were reset; chunked like the shards.
  std::map<std::uint32_t, std::vector<std::uint64_t>> baseline;
  using BucketCounts = std::array<std::uint64_t, kHistogramCells - 1>;
  struct Interval {
    BucketCounts last{};    // what was recorded in the interval that ended last
    BucketCounts at_end{};  // what the buckets stood at then
  };
  std::map<std::uint32_t, Interval> intervals;  // by the first cell of the histogram; those that have values
  std::vector<std::uint32_t> in_last_interval;  // those of them that had values in it; some may be gone
  std::set<std::uint32_t> used_before_reset;    // cells of counters

  const std::vector<std::uint16_t>& OffsetsOf(const Schema& schema);
  // Cells that no group has had; nullopt: there are not enough.
  std::optional<std::uint32_t> TakeNew(const Schema& schema, std::uint32_t cells);
  std::uint64_t Raw(std::uint32_t cell) const noexcept;  // sum over threads
  std::uint64_t Baseline(std::uint32_t cell) const noexcept;
  std::uint64_t Value(std::uint32_t cell) const noexcept { return Raw(cell) - Baseline(cell); }
  double Sum(std::uint32_t cell) const noexcept;  // of a histogram: a double, stored by its bits
  void SetBaseline(std::uint32_t cell, std::uint64_t value);
  BucketCounts Counts(std::uint32_t first) const noexcept;
  // Whether anybody has counted, set or recorded anything since its group began.
  bool IsUsed(const Entry& entry, std::size_t stat) const;
  // The cells of a group that has ended start from zero: gauges that are set have no other beginning.
  void Forget(std::uint32_t base, std::uint32_t cells);
};

}  // namespace plait::telemetry
