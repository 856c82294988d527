#pragma once
// Host names as Istio reads them: short names, wildcards, exportTo.
#include <string>
#include <string_view>
#include <vector>

namespace plait::control::model {

// "reviews" written in namespace `ns` -> "reviews.ns.svc.<domain>"; names with a dot, wildcards and IPs stay.
std::string ResolveHost(std::string_view host, std::string_view name_space, std::string_view cluster_domain);
// "*" or "*.b": matches any name that ends in ".b".
bool IsWildcard(std::string_view host) noexcept;
bool HostMatches(std::string_view pattern, std::string_view host) noexcept;
// Whether `a` and `b`, either of them a pattern, have a name in common.
bool HostsOverlap(std::string_view a, std::string_view b) noexcept;
// Whether an object of `owner` with these exportTo is visible in `name_space`.
bool IsExportedTo(const std::vector<std::string>& export_to, std::string_view owner,
                  std::string_view name_space) noexcept;
// A DNS-1123 name, optionally with a leading "*." or just "*".
bool IsHostPattern(std::string_view host) noexcept;
bool IsDnsLabel(std::string_view label) noexcept;
// The header that names the host: "host" or ":authority", in any case.
bool IsHostHeader(std::string_view name) noexcept;

}  // namespace plait::control::model
