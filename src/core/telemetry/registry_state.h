#pragma once
// Inner state of Registry, shared by registry.cc and scrape.cc.
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/telemetry/registry.h"
#include "core/telemetry/shard.h"

namespace plait::telemetry {

struct Registry::State {
  explicit State(std::uint32_t most) : max_cells(most) {}

  struct Entry {
    const Schema* schema = nullptr;
    std::vector<std::string> labels;
    std::uint32_t base = 0;
  };

  mutable std::mutex mutex;  // guards all below
  const std::uint32_t max_cells;
  std::uint32_t next_cell = 0;
  std::size_t used = 0;
  std::map<std::uint32_t, Entry> groups;                        // live ones, by base
  std::map<std::uint32_t, std::vector<std::uint32_t>> free;     // bases by cell count
  std::map<const Schema*, std::vector<std::uint16_t>> offsets;  // one past the last stat: the count of cells
  std::vector<std::unique_ptr<Shard>> shards;
  std::map<std::pair<const Schema*, std::vector<std::string>>, std::weak_ptr<const Group>> shared;
  // What a cell stood at when its group began or counters were reset; chunked like the shards.
  std::map<std::uint32_t, std::vector<std::uint64_t>> baseline;

  const std::vector<std::uint16_t>& OffsetsOf(const Schema& schema);
  std::uint64_t Raw(std::uint32_t cell) const noexcept;  // sum over threads
  std::uint64_t Baseline(std::uint32_t cell) const noexcept;
  std::uint64_t Value(std::uint32_t cell) const noexcept { return Raw(cell) - Baseline(cell); }
  // Sums of histograms are doubles, stored by their bits.
  double RawSum(std::uint32_t cell) const noexcept;
  double Sum(std::uint32_t cell) const noexcept { return RawSum(cell) - std::bit_cast<double>(Baseline(cell)); }
  void SetBaseline(std::uint32_t cell, std::uint64_t value);
  void RebaseStat(const Entry& entry, std::size_t stat);  // counts from zero again
};

}  // namespace plait::telemetry
