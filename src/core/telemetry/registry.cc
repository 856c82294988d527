#include "core/telemetry/registry.h"

#include <algorithm>
#include <utility>

#include "core/telemetry/registry_state.h"

namespace plait::telemetry {
namespace {

std::uint64_t NextRegistryId() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

struct KnownShard {
  std::uint64_t registry;
  Shard* shard;
};
// The last registry is nearly always the only one; the list is for tests, which make many.
thread_local KnownShard t_last{0, nullptr};
thread_local std::vector<KnownShard> t_all;

}  // namespace

const std::vector<std::uint16_t>& Registry::State::OffsetsOf(const Schema& schema) {
  auto [at, is_new] = offsets.try_emplace(&schema);
  if (is_new) {
    std::uint16_t cell = 0;
    for (const StatDef& stat : schema.stats) {
      at->second.push_back(cell);
      cell = static_cast<std::uint16_t>(cell + (stat.kind == Kind::kHistogram ? kHistogramCells : 1));
    }
    at->second.push_back(cell);
  }
  return at->second;
}

std::optional<std::uint32_t> Registry::State::TakeNew(const Schema& schema, std::uint32_t cells) {
  Range rest{next_cell, max_cells};
  Range& from = schema.apart ? apart[&schema] : rest;
  if (schema.apart && from.end - from.next < cells) {
    // A whole chunk: what is left of the last one stays unused.
    from.next = std::min(max_cells, (next_cell + Shard::kChunkCells - 1) / Shard::kChunkCells * Shard::kChunkCells);
    from.end = next_cell = std::min(max_cells, from.next + Shard::kChunkCells);
  }
  if (from.end - from.next < cells) return std::nullopt;
  const std::uint32_t base = std::exchange(from.next, from.next + cells);
  if (!schema.apart) next_cell = from.next;
  return base;
}

std::uint64_t Registry::State::Raw(std::uint32_t cell) const noexcept {
  std::uint64_t sum = 0;
  for (const auto& shard : shards) sum += shard->Read(cell);
  return sum;
}

double Registry::State::Sum(std::uint32_t cell) const noexcept {
  double sum = 0;
  for (const auto& shard : shards) sum += std::bit_cast<double>(shard->Read(cell));
  return sum;
}

std::uint64_t Registry::State::Baseline(std::uint32_t cell) const noexcept {
  const auto at = baseline.find(cell / Shard::kChunkCells);
  return at == baseline.end() ? 0 : at->second[cell % Shard::kChunkCells];
}

void Registry::State::SetBaseline(std::uint32_t cell, std::uint64_t value) {
  if (value == 0 && !baseline.contains(cell / Shard::kChunkCells)) return;
  std::vector<std::uint64_t>& chunk = baseline[cell / Shard::kChunkCells];
  if (chunk.empty()) chunk.resize(Shard::kChunkCells);
  chunk[cell % Shard::kChunkCells] = value;
}

Registry::State::BucketCounts Registry::State::Counts(std::uint32_t first) const noexcept {
  BucketCounts counts{};
  for (std::uint32_t i = 0; i < counts.size(); ++i) counts[i] = Value(first + i);
  return counts;
}

bool Registry::State::IsUsed(const Entry& entry, std::size_t stat) const {
  const std::uint32_t first = entry.base + offsets.at(entry.schema)[stat];
  switch (entry.schema->stats[stat].kind) {
    case Kind::kCounter: return Value(first) != 0 || used_before_reset.contains(first);
    case Kind::kGauge: return std::ranges::any_of(shards, [&](const auto& shard) { return shard->IsSet(first); });
    case Kind::kHistogram: return Counts(first) != BucketCounts{};
  }
  return false;
}

void Registry::State::Forget(std::uint32_t base, std::uint32_t cells) {
  intervals.erase(intervals.lower_bound(base), intervals.lower_bound(base + cells));
  used_before_reset.erase(used_before_reset.lower_bound(base), used_before_reset.lower_bound(base + cells));
  for (std::uint32_t cell = base; cell < base + cells; ++cell) {
    for (const auto& shard : shards) shard->Clear(cell);
    SetBaseline(cell, 0);
  }
}

Labels::Labels(std::vector<std::string> values) : count_(values.size()) {
  if (values.empty()) return;
  auto made = std::make_shared<std::string[]>(count_);
  std::move(values.begin(), values.end(), made.get());
  values_ = std::move(made);
}

Registry::Registry(std::uint32_t max_cells) : state_(std::make_unique<State>(max_cells)), id_(NextRegistryId()) {}
Registry::~Registry() = default;

Group Registry::NewGroup(const Schema& schema, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  const std::vector<std::uint16_t>& offsets = state_->OffsetsOf(schema);
  const std::uint32_t cells = offsets.back();
  std::vector<std::uint32_t>& free = state_->free[cells];
  std::optional<std::uint32_t> base;
  if (!free.empty()) {
    base = free.back();
    free.pop_back();
  } else if (base = state_->TakeNew(schema, cells); !base) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  state_->used += cells;
  if (labels.values().size() != schema.labels.size()) {
    std::vector<std::string> values(labels.values().begin(), labels.values().end());
    values.resize(schema.labels.size());
    labels = std::move(values);
  }
  state_->groups.insert({.schema = &schema, .labels = std::move(labels), .base = *base});
  Group group;
  group.registry_ = this;
  group.schema_ = &schema;
  group.offsets_ = offsets.data();
  group.base_ = *base;
  return group;
}

std::shared_ptr<const Group> Registry::SharedGroup(const Schema& schema, std::vector<std::string> label_values) {
  std::pair key(&schema, label_values);
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->shared.find(key);
    if (found != state_->shared.end()) {
      if (auto living = found->second.lock()) return living;
    }
  }
  // Without the lock, which a group takes to begin and to end.
  auto made = std::make_shared<const Group>(NewGroup(schema, std::move(label_values)));
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->shared, [](const auto& one) { return one.second.expired(); });
  state_->shared.insert_or_assign(std::move(key), made);
  return made;
}

std::size_t Registry::cells_used() const {
  const std::lock_guard lock(state_->mutex);
  return state_->used;
}

std::size_t Registry::chunks() const {
  const std::lock_guard lock(state_->mutex);
  std::size_t all = 0;
  for (const auto& shard : state_->shards) all += shard->chunks();
  return all;
}

void Registry::ResetCounters() {
  const std::lock_guard lock(state_->mutex);
  for (const State::Entry& entry : state_->groups) {
    for (std::size_t i = 0; i < entry.schema->stats.size(); ++i) {
      if (entry.schema->stats[i].kind != Kind::kCounter) continue;
      const std::uint32_t cell = entry.base + state_->OffsetsOf(*entry.schema)[i];
      if (state_->Value(cell) != 0) state_->used_before_reset.insert(cell);
      state_->SetBaseline(cell, state_->Raw(cell));
    }
  }
}

// Looks only at histograms with values in this interval or the last: of tens of thousands most have none.
void Registry::EndInterval() {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::uint32_t> recorded;
  for (const auto& shard : state_->shards)
    shard->TakeRecorded(state_->next_cell, [&](std::uint32_t first) { recorded.push_back(first); });
  std::ranges::sort(recorded);
  recorded.erase(std::ranges::unique(recorded).begin(), recorded.end());  // by several threads
  for (const std::uint32_t first : std::exchange(state_->in_last_interval, recorded)) {
    if (const auto over = state_->intervals.find(first); over != state_->intervals.end()) over->second.last = {};
  }
  for (const std::uint32_t first : recorded) {
    const State::BucketCounts now = state_->Counts(first);
    State::Interval& interval = state_->intervals[first];
    for (std::size_t bucket = 0; bucket < now.size(); ++bucket)
      interval.last[bucket] = now[bucket] - interval.at_end[bucket];
    interval.at_end = now;
  }
}

Shard& Registry::MyShard() noexcept {
  if (t_last.registry == id_) return *t_last.shard;
  for (const KnownShard& known : t_all) {
    if (known.registry == id_) {
      t_last = known;
      return *known.shard;
    }
  }
  auto shard = std::make_unique<Shard>(state_->max_cells);
  t_last = {id_, shard.get()};
  t_all.push_back(t_last);
  const std::lock_guard lock(state_->mutex);
  state_->shards.push_back(std::move(shard));
  return *t_last.shard;
}

Group::Group(Group&& other) noexcept
    : registry_(std::exchange(other.registry_, nullptr)),
      schema_(other.schema_),
      offsets_(other.offsets_),
      base_(other.base_) {}

Group& Group::operator=(Group&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(schema_, other.schema_);
  std::swap(offsets_, other.offsets_);
  std::swap(base_, other.base_);
  return *this;
}

Group::~Group() {
  if (registry_ == nullptr) return;
  Registry::State& state = *registry_->state_;
  const std::lock_guard lock(state.mutex);
  const std::uint32_t cells = offsets_[schema_->stats.size()];
  state.groups.erase(state.groups.find(base_));
  state.Forget(base_, cells);
  state.free[cells].push_back(base_);
  state.used -= cells;
}

namespace {
void AddTo(Shard::Cell& cell, std::uint64_t n) noexcept {  // whose thread this is
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
}  // namespace

void Group::Add(std::size_t stat, std::uint64_t n) const noexcept {
  if (registry_ != nullptr) AddTo(registry_->MyShard().Mine(base_ + offsets_[stat]), n);
}

void Group::AddGauge(std::size_t stat, std::int64_t n) const noexcept {
  if (registry_ != nullptr) AddTo(registry_->MyShard().MyGauge(base_ + offsets_[stat]), static_cast<std::uint64_t>(n));
}

void Group::SetGauge(std::size_t stat, std::uint64_t value) const noexcept {
  if (registry_ != nullptr)
    registry_->MyShard().MyGauge(base_ + offsets_[stat]).store(value, std::memory_order_relaxed);
}

void Group::Record(std::size_t stat, double value) const noexcept {
  if (registry_ == nullptr) return;
  Shard& shard = registry_->MyShard();
  const std::uint32_t first = base_ + offsets_[stat];
  const auto bucket =
      static_cast<std::uint32_t>(std::lower_bound(kBounds.begin(), kBounds.end(), value) - kBounds.begin());
  Shard::Cell& count = shard.Mine(first + bucket);
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  Shard::Cell& sum = shard.Mine(first + kHistogramCells - 1);
  sum.store(std::bit_cast<std::uint64_t>(std::bit_cast<double>(sum.load(std::memory_order_relaxed)) + value),
            std::memory_order_relaxed);
  shard.NoteRecorded(first);
}

std::uint64_t Group::Value(std::size_t stat) const {
  if (registry_ == nullptr) return 0;
  const Registry::State& state = *registry_->state_;
  const std::lock_guard lock(state.mutex);
  const std::uint32_t first = base_ + offsets_[stat];
  if (schema_->stats[stat].kind != Kind::kHistogram) return state.Value(first);
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i + 1 < kHistogramCells; ++i) count += state.Value(first + i);
  return count;
}

}  // namespace plait::telemetry
