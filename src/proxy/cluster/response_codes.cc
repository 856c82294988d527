#include "proxy/cluster/response_codes.h"

#include <array>
#include <memory>
#include <utility>

namespace plait::proxy::cluster {
namespace {

using telemetry::Schema;
using telemetry::StatDef;

// What a counter counts: a status, a class (its first digit), or all.
constexpr std::uint16_t kAll = 0;
constexpr std::uint16_t kMost = 600;
constexpr std::array<std::string_view, 1> kLabels = {"cluster_name"};

// The schema of one counter: upstream_rq_503, and for Prometheus envoy_cluster_upstream_rq{response_code="503"}.
struct CodeSchema {
  CodeSchema(std::uint16_t what, bool retried)
      : family(retried ? "retry.upstream_rq" : "upstream_rq"),
        value(what == kAll ? "completed" : std::to_string(what) + (what < 10 ? "xx" : "")),
        name(family + "_" + value) {
    if (what == kAll) return;
    stats[0].prometheus = family;
    stats[0].label = what < 10 ? "response_code_class" : "response_code";
    stats[0].label_value = value;
  }
  CodeSchema(const CodeSchema&) = delete;
  CodeSchema& operator=(const CodeSchema&) = delete;
  const std::string family;
  const std::string value;
  const std::string name;
  std::array<StatDef, 1> stats = {{{.name = name}}};
  const Schema schema{"cluster.", "envoy_cluster_", kLabels, stats};
};

// Shared by all clusters; lives for ever, as a registry wants it.
const Schema& SchemaOf(std::uint16_t what, bool retried) {
  static std::array<std::array<std::atomic<const CodeSchema*>, kMost>, 2> known{};
  std::atomic<const CodeSchema*>& place = known[retried ? 1 : 0][what];
  if (const CodeSchema* there = place.load(std::memory_order_acquire)) return there->schema;
  auto made = std::make_unique<const CodeSchema>(what, retried);
  const CodeSchema* there = nullptr;
  if (place.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel)) there = made.release();
  return there->schema;
}

}  // namespace

struct ResponseCodes::Counter {
  const std::uint16_t what;
  const bool retried;
  const telemetry::Group group;
  Counter* next;
};

ResponseCodes::~ResponseCodes() {
  for (Counter* one = first_.load(std::memory_order_acquire); one != nullptr;) {
    const std::unique_ptr<Counter> gone(std::exchange(one, one->next));
  }
}

void ResponseCodes::CountRetried(std::uint16_t status) noexcept {
  Add(status, true);
  if (status >= 100 && status < kMost) Add(status / 100, true);
  Add(kAll, true);
}

void ResponseCodes::Add(std::uint16_t what, bool retried) noexcept {
  if (what >= kMost || (what >= 10 && what < 100)) return;
  std::unique_ptr<Counter> made;
  Counter* first = first_.load(std::memory_order_acquire);
  for (;;) {
    for (const Counter* one = first; one != nullptr; one = one->next) {
      if (one->what == what && one->retried == retried) return one->group.Add(0);
    }
    if (!made) {
      made.reset(new Counter{what, retried, registry_.NewGroup(SchemaOf(what, retried), labels_), nullptr});
    }
    made->next = first;
    // Another thread may have made the same one meanwhile: then it is looked for again.
    if (!first_.compare_exchange_strong(first, made.get(), std::memory_order_acq_rel)) continue;
    return made.release()->group.Add(0);
  }
}

}  // namespace plait::proxy::cluster
