#include "control/model/hosts.h"

#include "core/base/strings.h"
#include "core/io/address.h"

namespace plait::control::model {

bool IsWildcard(std::string_view host) noexcept { return host == "*" || host.starts_with("*."); }

std::string ResolveHost(std::string_view host, std::string_view name_space, std::string_view cluster_domain) {
  if (host.empty() || host.find('.') != std::string_view::npos || host.find(':') != std::string_view::npos ||
      IsWildcard(host))
    return ToLower(host);
  return ToLower(host) + "." + std::string(name_space) + ".svc." + std::string(cluster_domain);
}

bool HostMatches(std::string_view pattern, std::string_view host) noexcept {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == host;
  return host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
}

bool HostsOverlap(std::string_view a, std::string_view b) noexcept {
  if (a == b || a == "*" || b == "*") return true;
  const bool a_wild = IsWildcard(a);
  const bool b_wild = IsWildcard(b);
  if (a_wild && b_wild) return a.substr(1).ends_with(b.substr(1)) || b.substr(1).ends_with(a.substr(1));
  return a_wild ? HostMatches(a, b) : b_wild && HostMatches(b, a);
}

bool IsExportedTo(const std::vector<std::string>& export_to, std::string_view owner,
                  std::string_view name_space) noexcept {
  for (const std::string& target : export_to) {
    if (target == "*" || target == name_space) return true;
    if (target == "." && owner == name_space) return true;
  }
  return export_to.empty();
}

bool IsDnsLabel(std::string_view label) noexcept {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  for (char c : label)
    if (!IsAlpha(c) && !IsDigit(c) && c != '-' && c != '_') return false;
  return true;
}

bool IsHostPattern(std::string_view host) noexcept {
  if (host == "*") return true;
  if (host.starts_with("*.")) host.remove_prefix(2);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > 253) return false;
  if (io::IpAddress::Parse(host)) return true;
  for (std::string_view label : Split(host, '.'))
    if (!IsDnsLabel(label)) return false;
  return true;
}

bool IsHostHeader(std::string_view name) noexcept {
  return EqualsIgnoreCase(name, "host") || EqualsIgnoreCase(name, ":authority");
}

}  // namespace plait::control::model
