#include "control/translate/names.h"

#include "control/model/meta.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
constexpr std::string_view kSniSeparator = "_.";
}  // namespace

std::string OutboundCluster(std::uint16_t port, std::string_view subset, std::string_view hostname) {
  return "outbound|" + std::to_string(port) + "|" + std::string(subset) + "|" + std::string(hostname);
}
std::string WorkloadCluster(std::string_view service_account) {
  return std::string(kWorkloadCluster) + "|" + std::string(service_account);
}
std::optional<std::string_view> ParseWorkloadCluster(std::string_view name) {
  if (!name.starts_with(kWorkloadCluster)) return std::nullopt;
  name.remove_prefix(kWorkloadCluster.size());
  if (!name.starts_with('|')) return std::nullopt;
  return name.substr(1);
}
std::string InboundCluster(std::uint16_t port) { return "inbound|" + std::to_string(port) + "||"; }

std::optional<OutboundName> ParseOutboundCluster(std::string_view name) {
  constexpr std::string_view kDirection = "outbound";
  if (!name.starts_with(kDirection)) return std::nullopt;
  name.remove_prefix(kDirection.size());
  const bool sni_dnat = name.starts_with(kSniSeparator);
  const std::string_view separator = sni_dnat ? kSniSeparator : "|";
  // What is before the next separator; a name has three of them.
  const auto next = [&]() -> std::optional<std::string_view> {
    const auto end = name.find(separator);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(end + separator.size());
    return part;
  };
  if (const auto direction = next(); !direction || !direction->empty()) return std::nullopt;
  const auto port_text = next();
  const auto subset = next();
  if (!subset || name.empty() || name.find('|') != std::string_view::npos) return std::nullopt;
  const auto port = ParseUint(*port_text);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return OutboundName{static_cast<std::uint16_t>(*port), *subset, name, sni_dnat};
}

std::optional<std::uint16_t> PortOfRoutes(std::string_view name) {
  const auto port = ParseUint(name);
  if (!port || name.starts_with('0') || *port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

std::string MeshSni(const OutboundName& name) {
  return "outbound_." + std::to_string(name.port) + "_." + std::string(name.subset) + "_." + std::string(name.hostname);
}

std::string InvalidPolicyName(const model::Meta& policy) {
  std::string name = "invalid_policy[" + policy.name_space() + "/" + policy.name() + "]";
  if (policy.key.kind == model::Kind::kAuthorizationPolicy) return name;
  return name + "-kind[" + std::string(model::KindName(policy.key.kind)) + "]";
}

}  // namespace plait::control::translate
