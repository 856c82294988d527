// Registry::Scrape: Envoy's text and JSON forms of /stats, and the Prometheus text format.
#include <charconv>
#include <cmath>
#include <cstdio>

#include "core/telemetry/registry.h"
#include "core/telemetry/registry_state.h"

namespace plait::telemetry {
namespace {

void AppendNumber(std::string& out, std::uint64_t value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}
void AppendNumber(std::string& out, std::int64_t value) {
  if (value < 0) out += '-';
  AppendNumber(out, value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
}
void AppendNumber(std::string& out, double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

void AppendEscaped(std::string& out, std::string_view text) {  // label values, and JSON strings of our own names
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

double LowerBound(std::size_t bucket) { return bucket == 0 ? 0 : kBounds[bucket - 1]; }
// The last one has none.
double WidthOf(std::size_t bucket) { return bucket < kBounds.size() ? kBounds[bucket] - LowerBound(bucket) : 0; }

struct Histogram {
  explicit Histogram(const std::array<std::uint64_t, kHistogramCells - 1>& counts) : buckets(counts) {
    for (const std::uint64_t one : buckets) count += one;
  }
  std::array<std::uint64_t, kHistogramCells - 1> buckets;
  std::uint64_t count = 0;

  std::uint64_t In(std::size_t bucket, bool cumulative) const {
    std::uint64_t n = buckets[bucket];
    for (std::size_t i = 0; cumulative && i < bucket; ++i) n += buckets[i];
    return n;
  }
  // Interpolates inside the bucket, as Prometheus' histogram_quantile does.
  double Quantile(double q) const {
    if (count == 0) return std::nan("");
    const double rank = q * static_cast<double>(count);
    double below = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const auto here = static_cast<double>(buckets[i]);
      if (here > 0 && below + here >= rank) {
        return LowerBound(i) + WidthOf(i) * (rank - below) / here;
      }
      below += here;
    }
    return kBounds.back();
  }
};
// What was recorded in the last interval, and since the histogram began.
struct Recorded {
  Histogram interval, total;
};
constexpr std::array<double, 10> kQuantiles = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1};

std::string Short(double value) {  // as printf's %g, for people and as Envoy
  char text[32];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.6g", value))};
}

// Without an exponent: Prometheus tells buckets apart by their text, and Envoy's has none.
std::string Plain(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr};
}

// "P0(1,0.5) P25(nan,1) ...", each of the interval and of all.
std::string SummaryText(const Recorded& recorded) {
  std::string text;
  for (const double q : kQuantiles) {
    text.append(text.empty() ? "P" : " P").append(Short(q * 100));
    text += "(" + Short(recorded.interval.Quantile(q)) + "," + Short(recorded.total.Quantile(q)) + ")";
  }
  return text;
}

// "B0.5(0,1) B1(0,1) ..."
std::string BucketsText(const Recorded& recorded, bool cumulative) {
  std::string text;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    text.append(text.empty() ? "B" : " B").append(Short(kBounds[i])) += '(';
    AppendNumber(text, recorded.interval.In(i, cumulative));
    text += ',';
    AppendNumber(text, recorded.total.In(i, cumulative));
    text += ')';
  }
  return text;
}

// "0,0.5:3, 5,5:1": lower bound, width and count of buckets that have values.
std::string FilledText(const Histogram& histogram) {
  std::string text;
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    if (histogram.buckets[i] == 0) continue;
    text += (text.empty() ? "" : ", ") + Short(LowerBound(i)) + "," + Short(WidthOf(i)) + ":";
    AppendNumber(text, histogram.buckets[i]);
  }
  return text;
}

std::string HistogramText(const Recorded& recorded, Buckets buckets) {
  const std::string summary = recorded.total.count == 0 ? "No recorded values" : SummaryText(recorded);
  switch (buckets) {
    case Buckets::kSummary: break;
    case Buckets::kCumulative: return " " + BucketsText(recorded, true);
    case Buckets::kDisjoint: return " " + BucketsText(recorded, false);
    case Buckets::kDetailed:
      return "\n  totals=" + FilledText(recorded.total) + "\n  intervals=" + FilledText(recorded.interval) +
             "\n  summary=" + summary;
  }
  return " " + summary;
}

void AppendQuantiles(std::string& out, const Recorded& recorded) {
  const auto append = [&](const Histogram& histogram, double q) {
    if (histogram.count == 0) {
      out += "null";
    } else {
      AppendNumber(out, histogram.Quantile(q));
    }
  };
  for (const double q : kQuantiles) {
    out += out.back() == '[' ? "{\"interval\":" : ",{\"interval\":";
    append(recorded.interval, q);
    out += ",\"cumulative\":";
    append(recorded.total, q);
    out += '}';
  }
}

void AppendFilled(std::string& out, const Histogram& histogram) {
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    if (histogram.buckets[i] == 0) continue;
    out += out.back() == '[' ? "{\"lower_bound\":" : ",{\"lower_bound\":";
    AppendNumber(out, LowerBound(i));
    out += ",\"width\":";
    AppendNumber(out, WidthOf(i));
    out += ",\"count\":";
    AppendNumber(out, histogram.buckets[i]);
    out += '}';
  }
}

// An element of the list of histograms, after its name.
void AppendJson(std::string& out, const Recorded& recorded, Buckets buckets) {
  switch (buckets) {
    case Buckets::kSummary:
      out += "\"values\":[";
      AppendQuantiles(out, recorded);
      break;
    case Buckets::kCumulative:
    case Buckets::kDisjoint: {
      out += "\"buckets\":[";
      const bool cumulative = buckets == Buckets::kCumulative;
      for (std::size_t i = 0; i < kBounds.size(); ++i) {
        out += i > 0 ? ",{\"upper_bound\":" : "{\"upper_bound\":";
        AppendNumber(out, kBounds[i]);
        out += ",\"interval\":";
        AppendNumber(out, recorded.interval.In(i, cumulative));
        out += ",\"cumulative\":";
        AppendNumber(out, recorded.total.In(i, cumulative));
        out += '}';
      }
      break;
    }
    case Buckets::kDetailed:
      out += "\"totals\":[";
      AppendFilled(out, recorded.total);
      out += "],\"intervals\":[";
      AppendFilled(out, recorded.interval);
      out += "],\"percentiles\":[";
      AppendQuantiles(out, recorded);
      break;
  }
  out += "]}";
}

// What stands around the list of histograms; Envoy's names differ by the kind.
std::string_view ListHead(Buckets buckets) {
  switch (buckets) {
    case Buckets::kSummary:
      return "{\"histograms\":{\"supported_quantiles\":[0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":[";
    case Buckets::kDetailed:
      return "{\"histograms\":{\"supported_percentiles\":[0,25,50,75,90,95,99,99.5,99.9,100],\"details\":[";
    case Buckets::kCumulative:
    case Buckets::kDisjoint: break;
  }
  return "{\"histograms\":[";
}
std::string_view ListTail(Buckets buckets) {
  return buckets == Buckets::kSummary || buckets == Buckets::kDetailed ? "]}}" : "]}";
}

std::string DottedName(const Schema& schema, std::span<const std::string> labels, const StatDef& stat) {
  std::string name(schema.dotted);
  if (schema.dotted.empty()) {
    name = std::string(schema.prefix) + std::string(stat.name);
    if (!labels.empty()) name += '{';
    for (std::size_t i = 0; i < labels.size(); ++i) {
      name += (i > 0 ? "," : "") + std::string(schema.labels[i]) + "=" + labels[i];
    }
    if (!labels.empty()) name += '}';
    return name;
  }
  std::size_t at = 0;
  for (const std::string& label : labels) {
    at = name.find('*', at);
    if (at == std::string::npos) {
      name += label + ".";
    } else {
      name.replace(at, 1, label);
      at += label.size();
    }
  }
  return name.append(stat.name);
}

void AppendLabels(std::string& out, const Schema& schema, std::span<const std::string> labels, const StatDef& stat,
                  std::string_view last_name = {}, std::string_view last = {}) {
  bool first = true;
  const auto add = [&](std::string_view name, std::string_view value) {
    out += first ? '{' : ',';
    first = false;
    out.append(name).append("=\"");
    AppendEscaped(out, value);
    out += '"';
  };
  if (!stat.label.empty()) add(stat.label, stat.label_value);
  for (std::size_t i = 0; i < labels.size(); ++i) add(schema.labels[i], labels[i]);
  if (!last_name.empty()) add(last_name, last);
  if (!first) out += '}';
}

}  // namespace

// Walks a locked registry in one of the forms.
class Scraper {
 public:
  Scraper(const Registry::State& state, const ScrapeOptions& options, std::string& out)
      : state_(state), options_(options), out_(out) {}
  void Text();
  void Json();
  void Prometheus();

 private:
  using Entry = Registry::State::Entry;
  std::uint32_t CellOf(const Entry& entry, std::size_t stat) const {
    return entry.base + state_.offsets.at(entry.schema)[stat];
  }
  Histogram Total(const Entry& entry, std::size_t stat) const { return Histogram(state_.Counts(CellOf(entry, stat))); }
  Recorded Read(const Entry& entry, std::size_t stat) const;
  Buckets buckets() const { return options_.buckets.value_or(Buckets::kSummary); }
  // Whether the options keep it; `name` only when a filter must see it.
  bool Wanted(const Entry& entry, std::size_t stat) const;
  void PrometheusSeries(const Entry& entry, std::size_t stat, const std::string& family);

  const Registry::State& state_;
  const ScrapeOptions& options_;
  std::string& out_;
};

Recorded Scraper::Read(const Entry& entry, std::size_t stat) const {
  const auto interval = state_.intervals.find(CellOf(entry, stat));
  return {interval == state_.intervals.end() ? Histogram({}) : Histogram(interval->second.last), Total(entry, stat)};
}

bool Scraper::Wanted(const Entry& entry, std::size_t stat) const {
  const StatDef& def = entry.schema->stats[stat];
  if (options_.kind && def.kind != *options_.kind) return false;
  if (options_.used_only && !state_.IsUsed(entry, stat)) return false;
  return !options_.filter || options_.filter(DottedName(*entry.schema, entry.labels.values(), def));
}

void Scraper::Text() {
  std::map<std::string, std::string> lines, histograms;  // sorted by name, histograms last, as Envoy's
  for (const Entry& entry : state_.groups) {
    for (std::size_t i = 0; i < entry.schema->stats.size(); ++i) {
      if (!Wanted(entry, i)) continue;
      const StatDef& stat = entry.schema->stats[i];
      std::string name = DottedName(*entry.schema, entry.labels.values(), stat);
      if (stat.kind == Kind::kHistogram) {
        histograms[std::move(name)] = HistogramText(Read(entry, i), buckets());
      } else {
        std::string& value = lines[std::move(name)];
        value = " ";
        AppendNumber(value, static_cast<std::int64_t>(state_.Value(CellOf(entry, i))));
      }
    }
  }
  for (const auto* part : {&lines, &histograms})
    for (const auto& [name, value] : *part) out_.append(name).append(":").append(value).append("\n");
}

void Scraper::Json() {
  out_ += "{\"stats\":[";
  std::string histograms;
  bool first = true;
  for (const Entry& entry : state_.groups) {
    for (std::size_t i = 0; i < entry.schema->stats.size(); ++i) {
      if (!Wanted(entry, i)) continue;
      const StatDef& stat = entry.schema->stats[i];
      const std::string name = DottedName(*entry.schema, entry.labels.values(), stat);
      if (stat.kind != Kind::kHistogram) {
        out_ += first ? "{\"name\":\"" : ",{\"name\":\"";
        first = false;
        AppendEscaped(out_, name);
        out_ += "\",\"value\":";
        AppendNumber(out_, static_cast<std::int64_t>(state_.Value(CellOf(entry, i))));
        out_ += '}';
        continue;
      }
      histograms += histograms.empty() ? "{\"name\":\"" : ",{\"name\":\"";
      AppendEscaped(histograms, name);
      histograms += "\",";
      AppendJson(histograms, Read(entry, i), buckets());
    }
  }
  if (!histograms.empty()) {
    out_.append(first ? "" : ",").append(ListHead(buckets())).append(histograms).append(ListTail(buckets()));
  }
  out_ += "]}";
}

void Scraper::PrometheusSeries(const Entry& entry, std::size_t stat, const std::string& family) {
  const StatDef& def = entry.schema->stats[stat];
  const auto line = [&](std::string_view suffix, auto value, std::string_view label = {}, std::string_view text = {}) {
    out_.append(family).append(suffix);
    AppendLabels(out_, *entry.schema, entry.labels.values(), def, label, text);
    out_ += ' ';
    AppendNumber(out_, value);
    out_ += '\n';
  };
  if (def.kind == Kind::kCounter) return line("", state_.Value(CellOf(entry, stat)));
  if (def.kind == Kind::kGauge) return line("", static_cast<std::int64_t>(state_.Value(CellOf(entry, stat))));
  const Histogram h = Total(entry, stat);
  if (options_.buckets == Buckets::kSummary) {
    for (const double q : kQuantiles) line("", h.count == 0 ? std::nan("") : h.Quantile(q), "quantile", Short(q));
  } else {
    for (std::size_t i = 0; i < kBounds.size(); ++i) line("_bucket", h.In(i, true), "le", Plain(kBounds[i]));
    line("_bucket", h.count, "le", "+Inf");
  }
  line("_sum", state_.Sum(CellOf(entry, stat) + kHistogramCells - 1));
  line("_count", h.count);
}

void Scraper::Prometheus() {
  struct Family {
    Kind kind;
    std::vector<std::pair<const Entry*, std::size_t>> series;
  };
  std::map<std::string, Family> families;
  for (const Entry& entry : state_.groups) {
    for (std::size_t i = 0; i < entry.schema->stats.size(); ++i) {
      if (!Wanted(entry, i)) continue;
      const StatDef& stat = entry.schema->stats[i];
      std::string name(entry.schema->prefix);
      name.append(stat.prometheus.empty() ? stat.name : stat.prometheus);
      for (char& c : name) {
        if (c == '.' || c == '-') c = '_';
      }
      Family& family = families[name];
      family.kind = stat.kind;
      family.series.emplace_back(&entry, i);
    }
  }
  for (const auto& [name, family] : families) {
    out_.append("# TYPE ").append(name);
    const char* histogram = options_.buckets == Buckets::kSummary ? " summary\n" : " histogram\n";
    out_ += family.kind == Kind::kCounter ? " counter\n" : family.kind == Kind::kGauge ? " gauge\n" : histogram;
    for (const auto& [entry, stat] : family.series) PrometheusSeries(*entry, stat, name);
  }
}

void Registry::Scrape(const ScrapeOptions& options, std::string& out) const {
  const std::lock_guard lock(state_->mutex);
  Scraper scraper(*state_, options, out);
  switch (options.format) {
    case Format::kText: scraper.Text(); break;
    case Format::kJson: scraper.Json(); break;
    case Format::kPrometheus: {
      scraper.Prometheus();
      if (options.filter || options.kind) break;  // the count of what was dropped is in no group
      out += "# TYPE plait_stats_dropped_groups counter\nplait_stats_dropped_groups ";
      AppendNumber(out, dropped_groups());
      out += '\n';
      break;
    }
  }
}

}  // namespace plait::telemetry
