#include "control/model/checks.h"

#include <re2/re2.h>

#include "control/model/hosts.h"

namespace plait::control::model {

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
  return true;
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

bool CheckNotNegative(ObjectReader& reader, std::string_view path, Duration duration) {
  if (duration >= Duration::zero()) return true;
  reader.Error(path, "the duration " + FormatDuration(duration) + " is negative", "e.g. 5s or 250ms");
  return false;
}

}  // namespace plait::control::model
