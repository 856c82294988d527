#include "proxy/admin/stats_page.h"

#include <re2/re2.h>

#include "core/telemetry/registry.h"

namespace plait::proxy::admin {
namespace {

constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

std::optional<telemetry::Format> FormatOf(const std::string& name) {
  if (name.empty() || name == "text") return telemetry::Format::kText;
  if (name == "json") return telemetry::Format::kJson;
  if (name == "prometheus") return telemetry::Format::kPrometheus;
  return std::nullopt;
}

std::string_view TypeOf(telemetry::Format format) {
  switch (format) {
    case telemetry::Format::kJson: return "application/json";
    case telemetry::Format::kPrometheus: return kPrometheusType;
    case telemetry::Format::kText: break;
  }
  return "text/plain; charset=UTF-8";
}

// False: not a type that Envoy knows. Text readouts are known, but there are none.
bool ReadKind(const std::string& name, std::optional<telemetry::Kind>& kind) {
  if (name == "Counters") kind = telemetry::Kind::kCounter;
  if (name == "Gauges") kind = telemetry::Kind::kGauge;
  if (name == "Histograms") kind = telemetry::Kind::kHistogram;
  return kind || name.empty() || name == "All" || name == "TextReadouts";
}

// False: no way to show histograms. Envoy's "prometheusnative" is for the protobuf form, which does not exist here.
bool ReadBuckets(const std::string& name, std::optional<telemetry::Buckets>& buckets) {
  if (name == "summary") buckets = telemetry::Buckets::kSummary;
  if (name == "cumulative") buckets = telemetry::Buckets::kCumulative;
  if (name == "disjoint") buckets = telemetry::Buckets::kDisjoint;
  if (name == "detailed") buckets = telemetry::Buckets::kDetailed;
  return buckets || name.empty();
}

conn::Response Refuse(std::string why) { return conn::TextResponse(400, std::move(why) + "\n"); }

conn::Response Answer(AdminState& state, telemetry::Format format, const Parameters& parameters) {
  telemetry::ScrapeOptions options{.format = format, .used_only = parameters.Has("usedonly")};
  if (!ReadKind(parameters.Get("type"), options.kind))
    return Refuse("usage: /stats?type=(All|Counters|Gauges|Histograms|TextReadouts)");
  if (!ReadBuckets(parameters.Get("histogram_buckets"), options.buckets))
    return Refuse("usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)");
  if (format == telemetry::Format::kPrometheus &&
      (options.buckets == telemetry::Buckets::kDisjoint || options.buckets == telemetry::Buckets::kDetailed))
    return Refuse("unsupported prometheus histogram bucket mode: it has cumulative and summary");
  if (parameters.Has("filter")) {
    const auto filter = std::make_shared<re2::RE2>(parameters.Get("filter"), re2::RE2::Quiet);
    if (!filter->ok()) return Refuse("Invalid re2 regex: " + filter->error());
    options.filter = [filter, keep = !parameters.Has("invert_filter")](std::string_view name) {
      return re2::RE2::PartialMatch({name.data(), name.size()}, *filter) == keep;
    };
  }
  if (parameters.Get("type") == "TextReadouts") options.filter = [](std::string_view) { return false; };
  std::string text;
  state.Stats().Scrape(options, text);
  return conn::TextResponse(200, std::move(text), TypeOf(format));
}

}  // namespace

conn::Response StatsPage(AdminState& state, const Parameters& parameters) {
  const auto format = FormatOf(parameters.Get("format"));
  return format ? Answer(state, *format, parameters)
                : Refuse("usage: /stats?format=(json|prometheus|text); Envoy's html forms do not exist here");
}

conn::Response PrometheusPage(AdminState& state, const Parameters& parameters) {
  return Answer(state, telemetry::Format::kPrometheus, parameters);
}

}  // namespace plait::proxy::admin
