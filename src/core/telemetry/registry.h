#pragma once
// Counters, gauges and histograms for hot paths. A series is an integer; each thread counts in cells of its own (a
// relaxed load and store, no lock, no read-modify-write), and a scrape adds the threads up. Series come in groups: one
// cluster, one label set, one listener has all its statistics side by side under one base index, with names given once
// by the group's schema. So 5,000 clusters cost cells and one name each, not 300,000 strings.
//
// Registry: process-wide; registering and scraping lock. Add/Set/Record are for any thread; a thread's cells are made
// at its first sample and are kept (and still counted) when it ends.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plait::telemetry {

enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };

// One statistic of a schema. `name` is the last part of Envoy's dotted name ("upstream_rq_total") and, after the
// schema's prefix, the Prometheus name; `prometheus` overrides that, and `label`/`label_value` add a label
// ("envoy_response_code_class").
struct StatDef {
  std::string_view name;
  Kind kind = Kind::kCounter;
  std::string_view prometheus = {};
  std::string_view label = {};
  std::string_view label_value = {};
};

// A kind of group; static storage. `dotted`: how admin's /stats shows it - "cluster." + first label value + "." + name,
// or with "*" where the label values stand; empty: Prometheus form there, too. `prefix`: of the Prometheus names,
// "envoy_cluster_".
struct Schema {
  std::string_view dotted;
  std::string_view prefix;
  std::span<const std::string_view> labels;  // names of the labels, in the order of the values
  std::span<const StatDef> stats;
  // Its groups lie side by side, apart from all others. For what is set of each of very many things, where the rest of
  // their statistics waits for traffic: cells take memory by the chunk.
  bool apart = false;
};

// The values of a group's labels. Copies share them, so that a thing with several groups has its name once.
class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<std::string> values) : Labels(std::vector<std::string>(values)) {}
  Labels(std::vector<std::string> values);  // NOLINT: as good as its values
  std::span<const std::string> values() const noexcept { return {values_.get(), count_}; }

 private:
  std::shared_ptr<const std::string[]> values_;
  std::size_t count_ = 0;
};

// Envoy's default and Istio's histogram bounds; unit milliseconds or bytes.
inline constexpr std::array<double, 19> kBounds = {
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
inline constexpr std::uint32_t kHistogramCells = kBounds.size() + 2;  // buckets (the last is +Inf), and the sum

class Registry;
class Shard;

// Keeps a group's cells; releasing gives them back for another group. Move-only; the registry outlives it.
class Group {
 public:
  Group() = default;
  Group(Group&& other) noexcept;
  Group& operator=(Group&& other) noexcept;
  ~Group();
  explicit operator bool() const noexcept { return registry_ != nullptr; }

  // `stat`: index in the schema. Harmless on an empty group.
  void Add(std::size_t stat, std::uint64_t n = 1) const noexcept;
  // Gauges are sums over threads: +1 and -1 may come from different ones.
  void AddGauge(std::size_t stat, std::int64_t n) const noexcept;
  void SetGauge(std::size_t stat, std::uint64_t value) const noexcept;  // only one thread may set a given gauge
  void Record(std::size_t stat, double value) const noexcept;
  std::uint64_t Value(std::size_t stat) const;  // over all threads; histograms: the count

 private:
  friend class Registry;
  Registry* registry_ = nullptr;
  const Schema* schema_ = nullptr;
  const std::uint16_t* offsets_ = nullptr;  // of the schema's stats in cells
  std::uint32_t base_ = 0;
};

enum class Format : std::uint8_t { kText, kPrometheus, kJson };
// What is shown of a histogram.
enum class Buckets : std::uint8_t {
  kSummary,     // quantiles
  kCumulative,  // how many values are not above each bound
  kDisjoint,    // how many are in each bucket
  kDetailed,    // the buckets that have values, and quantiles
};
struct ScrapeOptions {
  Format format = Format::kText;
  std::optional<Buckets> buckets = {};  // empty: a summary, for Prometheus cumulative. It has no other than these two
  bool used_only = false;               // leaves out what nobody ever counted, set or recorded
  std::function<bool(std::string_view dotted_name)> filter = nullptr;  // true: keep
  std::optional<Kind> kind = {};                                       // of this kind only
};

class Registry {
 public:
  // `max_cells`: bound of all series together (8 bytes a cell and thread). Beyond it groups are empty and
  // `dropped_groups` counts: nothing else is harmed.
  explicit Registry(std::uint32_t max_cells = 8U << 20);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A group of its own, also if one with the same values exists. `schema` has static storage.
  Group NewGroup(const Schema& schema, Labels labels);
  // The living group of the same schema and values, or a new one: a configuration that replaces another counts on where
  // that one stands, and no series appears twice.
  std::shared_ptr<const Group> SharedGroup(const Schema& schema, std::vector<std::string> label_values);
  std::uint64_t dropped_groups() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  std::size_t cells_used() const;
  std::size_t chunks() const;  // that samples have taken memory for, over all threads

  // Appends all series. Prometheus: text format 0.0.4, families with the same name merged.
  void Scrape(const ScrapeOptions& options, std::string& out) const;
  // Counters start from zero again (admin /reset_counters). Histograms go on, as Envoy's.
  void ResetCounters();
  // Ends an interval of histograms: scrapes in text and JSON show what was recorded in the last one that ended, too.
  void EndInterval();

 private:
  friend class Group;
  friend class Scraper;
  struct State;
  Shard& MyShard() noexcept;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> dropped_{0};
  const std::uint64_t id_;  // never used again: a thread's cells are found by it
};

}  // namespace plait::telemetry
