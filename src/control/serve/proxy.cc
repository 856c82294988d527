#include "control/serve/proxy.h"

#include <algorithm>

#include "control/translate/extensions.h"
#include "core/base/strings.h"

namespace plait::control::serve {
namespace {

std::unexpected<grpc::Status> Refuse(grpc::Code code, std::string why) {
  return std::unexpected(grpc::Status{.code = code, .message = std::move(why), .details = {}});
}

std::string Metadata(const xds::Node& node, const std::string& key) {
  const auto at = node.metadata.find(key);
  return at == node.metadata.end() ? std::string() : at->second;
}

constexpr std::size_t kMostId = 1024;  // bytes of a node id
bool IsPrintable(char c) noexcept { return c >= 0x20 && c < 0x7f; }

void AddIp(std::vector<io::IpAddress>& ips, std::string_view text) {
  const auto ip = io::IpAddress::Parse(text);
  if (ip && std::find(ips.begin(), ips.end(), *ip) == ips.end()) ips.push_back(*ip);
}

std::string Claim(std::string_view what, std::string_view claimed, std::string_view authenticated) {
  return "the node claims " + std::string(what) + " '" + Cut(claimed, kMostShown) +
         "', but the caller was authenticated as " + std::string(authenticated);
}

}  // namespace

std::string_view KindName(Proxy::Kind kind) noexcept { return kind == Proxy::Kind::kSidecar ? "sidecar" : "router"; }

std::string Cut(std::string_view text, std::size_t most) {
  return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

std::expected<Proxy, grpc::Status> ReadProxy(const xds::Node& node, const identity::SpiffeId& authenticated) {
  if (node.id.size() > kMostId)
    return Refuse(grpc::Code::kInvalidArgument,
                  "the node id has " + std::to_string(node.id.size()) + " bytes, more than " + std::to_string(kMostId));
  if (!std::all_of(node.id.begin(), node.id.end(), IsPrintable))
    return Refuse(grpc::Code::kInvalidArgument, "the node id has characters that are no printable ASCII");
  const auto parts = Split(node.id, '~');
  if (parts.size() != 4 || (parts[0] != "sidecar" && parts[0] != "router")) {
    return Refuse(grpc::Code::kInvalidArgument,
                  "node id '" + node.id + "' is not sidecar~IP~POD.NAMESPACE~DOMAIN or router~IP~POD.NAMESPACE~DOMAIN");
  }
  const auto dot = parts[2].rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == parts[2].size())
    return Refuse(grpc::Code::kInvalidArgument, "node id '" + node.id + "': the third part is not POD.NAMESPACE");

  Proxy out;
  out.kind = parts[0] == "router" ? Proxy::Kind::kRouter : Proxy::Kind::kSidecar;
  out.node = node;
  // An Envoy lists hundreds; kept are those that make a difference.
  out.node.extension_types = translate::OptionalExtensionsOf(node.extension_types);
  out.name = parts[2].substr(0, dot);
  out.name_space = parts[2].substr(dot + 1);
  out.service_account = Metadata(node, "SERVICE_ACCOUNT");
  out.dns_domain = parts[3];
  AddIp(out.ips, parts[1]);
  if (out.ips.empty())
    return Refuse(grpc::Code::kInvalidArgument, "node id '" + node.id + "': the second part is not an IP address");
  const std::string further_ips = Metadata(node, "INSTANCE_IPS");
  for (const std::string_view ip : Split(further_ips, ',')) AddIp(out.ips, Trim(ip));
  out.cluster_id = Metadata(node, "CLUSTER_ID");
  out.network = Metadata(node, "NETWORK");
  if (const auto label = node.labels.find("topology.istio.io/network");
      out.network.empty() && label != node.labels.end())
    out.network = label->second;
  // ISTIO_VERSION of a plait-proxy says whose interfaces it speaks, not which one it is.
  out.version = node.user_agent_name == "plait-proxy" && !node.user_agent_version.empty()
                    ? node.user_agent_version
                    : Metadata(node, "ISTIO_VERSION");
  out.plait_form = node.user_agent_name == "plait-proxy";
  out.application_mark = static_cast<std::uint32_t>(ParseUint(Metadata(node, "PLAIT_APPLICATION_MARK")).value_or(0));
  out.identity = authenticated;

  const std::string as = authenticated.ToString();
  if (out.name_space != authenticated.name_space)
    return Refuse(grpc::Code::kPermissionDenied, Claim("namespace", out.name_space, as));
  if (const std::string claimed = Metadata(node, "NAMESPACE"); claimed != authenticated.name_space)
    return Refuse(grpc::Code::kPermissionDenied, Claim("metadata NAMESPACE", claimed, as));
  if (out.service_account != authenticated.service_account)
    return Refuse(grpc::Code::kPermissionDenied, Claim("metadata SERVICE_ACCOUNT", out.service_account, as));
  return out;
}

}  // namespace plait::control::serve
