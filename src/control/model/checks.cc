#include "control/model/checks.h"

#include <re2/re2.h>

#include <cstdio>

#include "control/model/hosts.h"
#include "core/xds/regex_limit.h"

namespace plait::control::model {
namespace {
// "reviews+v1 66.7 %".
std::string Share(const WeightedDestination& to, std::uint64_t total) {
  char percent[16];
  std::snprintf(percent, sizeof percent, "%.1f", 100.0 * to.weight / static_cast<double>(total));
  std::string_view shown = percent;
  if (shown.ends_with(".0")) shown.remove_suffix(2);
  const std::string& subset = to.destination.subset;
  return to.destination.host + (subset.empty() ? "" : "+" + subset) + " " + std::string(shown) + " %";
}
}  // namespace

std::string Indexed(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}
std::string Dotted(std::string_view path, std::string_view field) {
  return std::string(path) + "." + std::string(field);
}

bool CheckPort(ObjectReader& reader, std::string_view path, std::uint64_t port) {
  if (port >= 1 && port <= 65535) return true;
  reader.Error(path, "port " + std::to_string(port) + " is outside 1..65535", "write the number of a TCP or UDP port");
  return false;
}

bool CheckHost(ObjectReader& reader, std::string_view path, std::string_view host, bool wildcard) {
  if (host.empty()) {
    reader.Error(path, "a host is missing", "e.g. reviews.default.svc.cluster.local");
    return false;
  }
  if (!IsHostPattern(host)) {
    reader.Error(path, "\"" + std::string(host) + "\" is not a host name",
                 "use letters, digits, - and dots, e.g. reviews.default.svc.cluster.local");
    return false;
  }
  if (wildcard || !IsWildcard(host)) return true;
  reader.Error(path, "the wildcard \"" + std::string(host) + "\" is not allowed here", "name one service");
  return false;
}

bool CheckRegex(ObjectReader& reader, std::string_view path, const std::string& regex) {
  RE2::Options options(RE2::Quiet);
  const RE2 compiled(regex, options);
  if (!compiled.ok()) {
    reader.Error(path, "the regular expression \"" + regex + "\" is wrong: " + compiled.error(),
                 "RE2 syntax: no lookaround, no backreferences");
    return false;
  }
  if (compiled.ProgramSize() > xds::kMaxRegexProgram) {
    reader.Error(path,
                 "the regular expression \"" + regex.substr(0, 60) +
                     "...\" is too large: " + std::to_string(compiled.ProgramSize()) +
                     " instructions, and a proxy takes " + std::to_string(xds::kMaxRegexProgram),
                 "write a shorter one, or one with fewer repetitions");
    return false;
  }
  return true;
}

bool CheckPositive(ObjectReader& reader, std::string_view path, Duration duration) {
  if (duration > Duration::zero()) return true;
  const std::string field(path.substr(path.rfind('.') + 1));
  reader.Error(path, field + " must be above 0, not " + FormatDuration(duration), "e.g. 5s or 250ms");
  return false;
}

bool CheckExportTo(ObjectReader& reader, const std::vector<std::string>& export_to) {
  bool good = true;
  for (std::size_t i = 0; i < export_to.size(); ++i) {
    const std::string& target = export_to[i];
    if (target == "." || target == "*" || target == "~" || IsDnsLabel(target)) continue;
    reader.Error(Indexed("spec.exportTo", i), "\"" + target + "\" is not a namespace",
                 "use \".\" (this namespace), \"*\" (all) or a namespace's name");
    good = false;
  }
  return good;
}

bool CheckCidr(ObjectReader& reader, std::string_view path, const std::string& text, io::Cidr* out) {
  const auto cidr = io::Cidr::Parse(text);
  if (!cidr) {
    reader.Error(path, "\"" + text + "\" is neither an IP address nor a CIDR range", "e.g. 10.0.0.0/8 or fd00::/64");
    return false;
  }
  if (out) *out = *cidr;
  return true;
}

bool CheckPercent(ObjectReader& reader, std::string_view path, double percent) {
  if (percent >= 0 && percent <= 100) return true;
  reader.Error(path, "a percentage must be between 0 and 100", "100 is every request");
  return false;
}

bool CheckWeights(ObjectReader& reader, std::string_view path, const std::vector<WeightedDestination>& destinations) {
  std::uint64_t total = 0;
  for (const WeightedDestination& to : destinations) total += to.weight;
  if (destinations.size() > 1 && total == 0) {
    reader.Error(path, "the weights are all 0", "give at least one destination a weight, e.g. 80 and 20");
    return false;
  }
  if (total > UINT32_MAX) {
    reader.Error(path, "the sum of the weights is larger than 4294967295", "e.g. 80 and 20");
    return false;
  }
  if (total == 0 || total == 100) return true;  // one destination needs no weight
  std::string shares;
  for (const WeightedDestination& to : destinations) shares.append(shares.empty() ? "" : ", ").append(Share(to, total));
  reader.Warning(path, "total destination weight " + std::to_string(total) + " != 100, so the shares are " + shares,
                 "write weights that add up to 100, such as these shares");
  return true;
}

bool CheckNotNegative(ObjectReader& reader, std::string_view path, Duration duration) {
  if (duration >= Duration::zero()) return true;
  reader.Error(path, "the duration " + FormatDuration(duration) + " is negative", "e.g. 5s or 250ms");
  return false;
}

}  // namespace plait::control::model
