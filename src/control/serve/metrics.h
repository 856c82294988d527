#pragma once
// The control plane's own metrics: Istio's pilot_* and citadel_* names, and Plait's, in Prometheus' text form. A family
// that is not in the table of metrics.cc does not exist. One thread; the data plane counts with core/telemetry instead.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait::control::serve {

class Metrics {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  Metrics();
  void Add(std::string_view name, const Labels& labels = {}, double n = 1);  // counters
  void Set(std::string_view name, const Labels& labels, double value);       // gauges, and counters that others keep
  void Observe(std::string_view name, const Labels& labels, double value);   // histograms
  // Drops the series of a gauge, as when what they are about went.
  void Clear(std::string_view name);
  double Value(std::string_view name, const Labels& labels = {}) const;  // histograms: the count; 0 when never set
  std::string Text() const;                                              // text format 0.0.4

 private:
  struct Series {
    double value = 0;                    // histograms: the sum
    std::vector<std::uint64_t> buckets;  // not cumulative; the last is +Inf
  };
  std::map<std::string_view, std::map<std::string, Series>> families_;  // by name, then by label text
};

}  // namespace plait::control::serve
