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

struct Histogram {
  std::array<std::uint64_t, kHistogramCells - 1> buckets{};
  std::uint64_t count = 0;
  double sum = 0;

  // Interpolates inside the bucket, as Prometheus' histogram_quantile does.
  double Quantile(double q) const {
    if (count == 0) return std::nan("");
    const double rank = q * static_cast<double>(count);
    double below = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const auto here = static_cast<double>(buckets[i]);
      if (here > 0 && below + here >= rank) {
        const double low = i == 0 ? 0 : kBounds[i - 1];
        const double high = i < kBounds.size() ? kBounds[i] : low;
        return low + (high - low) * (rank - below) / here;
      }
      below += here;
    }
    return kBounds.back();
  }
};
constexpr std::array<double, 10> kQuantiles = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1};

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
                  std::string_view le) {
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
  if (!le.empty()) add("le", le);
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
  Histogram ReadHistogram(const Entry& entry, std::size_t stat) const;
  // Whether the options keep it; `name` only when a filter must see it.
  bool Wanted(const Entry& entry, std::size_t stat) const;
  void PrometheusSeries(const Entry& entry, std::size_t stat, const std::string& family);

  const Registry::State& state_;
  const ScrapeOptions& options_;
  std::string& out_;
};

Histogram Scraper::ReadHistogram(const Entry& entry, std::size_t stat) const {
  Histogram h;
  const std::uint32_t first = CellOf(entry, stat);
  for (std::uint32_t i = 0; i < h.buckets.size(); ++i) h.count += h.buckets[i] = state_.Value(first + i);
  h.sum = state_.Sum(first + kHistogramCells - 1);
  return h;
}

bool Scraper::Wanted(const Entry& entry, std::size_t stat) const {
  const StatDef& def = entry.schema->stats[stat];
  if (options_.kind && def.kind != *options_.kind) return false;
  if (options_.used_only) {
    const bool used =
        def.kind == Kind::kHistogram ? ReadHistogram(entry, stat).count > 0 : state_.Value(CellOf(entry, stat)) != 0;
    if (!used) return false;
  }
  return !options_.filter || options_.filter(DottedName(*entry.schema, entry.labels.values(), def));
}

void Scraper::Text() {
  std::map<std::string, std::string> lines;  // sorted by name as Envoy's
  for (const Entry& entry : state_.groups) {
    for (std::size_t i = 0; i < entry.schema->stats.size(); ++i) {
      if (!Wanted(entry, i)) continue;
      const StatDef& stat = entry.schema->stats[i];
      std::string& value = lines[DottedName(*entry.schema, entry.labels.values(), stat)];
      value.clear();
      if (stat.kind != Kind::kHistogram) {
        AppendNumber(value, static_cast<std::int64_t>(state_.Value(CellOf(entry, i))));
        continue;
      }
      const Histogram h = ReadHistogram(entry, i);
      if (h.count == 0) value = "No recorded values";
      for (std::size_t q = 0; h.count > 0 && q < kQuantiles.size(); ++q) {
        char text[64];
        std::snprintf(text, sizeof text, "%sP%g(nan,%.6g)", q > 0 ? " " : "", kQuantiles[q] * 100,
                      h.Quantile(kQuantiles[q]));
        value += text;
      }
    }
  }
  for (const auto& [name, value] : lines) out_.append(name).append(": ").append(value).append("\n");
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
      const Histogram h = ReadHistogram(entry, i);
      histograms += histograms.empty() ? "{\"name\":\"" : ",{\"name\":\"";
      AppendEscaped(histograms, name);
      histograms += "\",\"values\":[";
      for (std::size_t q = 0; q < kQuantiles.size(); ++q) {
        histograms += q > 0 ? ",{\"interval\":null,\"cumulative\":" : "{\"interval\":null,\"cumulative\":";
        if (h.count == 0)
          histograms += "null";
        else
          AppendNumber(histograms, h.Quantile(kQuantiles[q]));
        histograms += '}';
      }
      histograms += "]}";
    }
  }
  if (!histograms.empty()) {
    out_ += first ? "" : ",";
    out_ += "{\"histograms\":{\"supported_quantiles\":[0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":[" +
            histograms + "]}}";
  }
  out_ += "]}";
}

void Scraper::PrometheusSeries(const Entry& entry, std::size_t stat, const std::string& family) {
  const StatDef& def = entry.schema->stats[stat];
  const auto line = [&](std::string_view suffix, std::string_view le, auto value) {
    out_.append(family).append(suffix);
    AppendLabels(out_, *entry.schema, entry.labels.values(), def, le);
    out_ += ' ';
    AppendNumber(out_, value);
    out_ += '\n';
  };
  if (def.kind == Kind::kCounter) return line("", "", state_.Value(CellOf(entry, stat)));
  if (def.kind == Kind::kGauge) return line("", "", static_cast<std::int64_t>(state_.Value(CellOf(entry, stat))));
  const Histogram h = ReadHistogram(entry, stat);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += h.buckets[i];
    std::string le;
    AppendNumber(le, kBounds[i]);
    line("_bucket", le, below);
  }
  line("_bucket", "+Inf", h.count);
  line("_sum", "", h.sum);
  line("_count", "", h.count);
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
    out_ += family.kind == Kind::kCounter ? " counter\n" : family.kind == Kind::kGauge ? " gauge\n" : " histogram\n";
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
