#include "control/translate/names.h"

#include "control/model/meta.h"
#include "core/base/strings.h"

namespace plait::control::translate {

std::string OutboundCluster(std::uint16_t port, std::string_view subset, std::string_view hostname) {
  return "outbound|" + std::to_string(port) + "|" + std::string(subset) + "|" + std::string(hostname);
}
std::string InboundCluster(std::uint16_t port) { return "inbound|" + std::to_string(port) + "||"; }

std::optional<OutboundName> ParseOutboundCluster(std::string_view name) {
  const auto parts = Split(name, '|');
  if (parts.size() != 4 || parts[0] != "outbound" || parts[3].empty()) return std::nullopt;
  const auto port = ParseUint(parts[1]);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return OutboundName{static_cast<std::uint16_t>(*port), parts[2], parts[3]};
}

std::string MeshSni(const OutboundName& name) {
  return "outbound_." + std::to_string(name.port) + "_." + std::string(name.subset) + "_." + std::string(name.hostname);
}

std::string InvalidPolicyName(const model::Meta& policy) {
  const std::string name = "invalid_policy[" + policy.name_space() + "/" + policy.name() + "]";
  if (policy.key.kind == model::Kind::kAuthorizationPolicy) return name;
  return name + "-kind[" + std::string(model::KindName(policy.key.kind)) + "]";
}

}  // namespace plait::control::translate
