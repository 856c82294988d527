#pragma once
// Reads what a proxy's /stats/prometheus says: the text exposition format of Prometheus, without time stamps.
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace plait::cli {

struct Sample {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels = {};
  double value = 0;
  std::string_view Label(std::string_view label) const;  // "" when it has none
  friend bool operator==(const Sample&, const Sample&) = default;
};

// Lines that are no samples are left out.
std::vector<Sample> ReadPrometheus(std::string_view text);

// The sum over all samples of that name whose labels have these values.
double SumOf(const std::vector<Sample>& samples, std::string_view name,
             const std::map<std::string, std::string>& labels = {});

}  // namespace plait::cli
