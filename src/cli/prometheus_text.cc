#include "cli/prometheus_text.h"

#include <algorithm>
#include <optional>

#include "core/base/strings.h"

namespace plait::cli {
namespace {

// `text` begins behind the opening quote; what is left begins behind the closing one.
std::optional<std::string> TakeQuoted(std::string_view& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] != '\\') {
      out += text[i];
    } else if (++i < text.size()) {
      out += text[i] == 'n' ? '\n' : text[i];
    }
  }
  return std::nullopt;
}

// `text` begins behind '{'; what is left begins behind '}'.
bool TakeLabels(std::string_view& text, Sample& sample) {
  while (!text.starts_with('}')) {
    const std::size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) return false;
    const std::string name(Trim(text.substr(0, equals)));
    text.remove_prefix(equals + 2);
    auto value = TakeQuoted(text);
    if (!value) return false;
    sample.labels[name] = *std::move(value);
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  text.remove_prefix(1);
  return true;
}

std::optional<Sample> ReadLine(std::string_view line) {
  const std::size_t end = line.find_first_of("{ ");
  if (line.starts_with('#') || end == 0 || end == std::string_view::npos) return std::nullopt;
  Sample sample{.name = std::string(line.substr(0, end)), .labels = {}};
  line.remove_prefix(end);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!TakeLabels(line, sample)) return std::nullopt;
  }
  const auto value = ParseDouble(Trim(line));
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}

}  // namespace

std::string_view Sample::Label(std::string_view label) const {
  const auto found = labels.find(label);
  return found == labels.end() ? std::string_view() : found->second;
}

std::vector<Sample> ReadPrometheus(std::string_view text) {
  std::vector<Sample> out;
  for (const std::string_view line : Split(text, '\n'))
    if (auto sample = ReadLine(line)) out.push_back(*std::move(sample));
  return out;
}

double SumOf(const std::vector<Sample>& samples, std::string_view name,
             const std::map<std::string, std::string>& labels) {
  double sum = 0;
  for (const Sample& sample : samples) {
    const bool wanted = sample.name == name && std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
                          return sample.Label(label.first) == label.second;
                        });
    if (wanted) sum += sample.value;
  }
  return sum;
}

}  // namespace plait::cli
