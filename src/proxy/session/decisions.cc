#include "proxy/session/decisions.h"

#include <algorithm>

#include "core/base/check.h"
#include "proxy/session/tcp_session.h"

namespace plait::proxy::session {
namespace {

// A workload that is dialled by its own address: ORIGINAL_DST, TLS by the index (semantics.md 2).
constexpr const char* kWorkloadCluster = "plait|workload";

bool SniMatches(const std::string& pattern, std::string_view name) {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == name;
  return name.size() > pattern.size() - 1 && name.ends_with(std::string_view(pattern).substr(1));
}

std::string ServiceCluster(const xds::Service& service, std::uint16_t port) {
  return "outbound|" + std::to_string(port) + "||" + service.hostname;
}

// Networks lead to no such address: 240.0.0.0/4 is reserved (RFC 1112 section 4), 2001:2::/48 is for benchmarks in
// closed networks (RFC 5180 section 8). ServiceEntries without addresses have theirs from there, as Istio's.
bool IsNowhereElse(const io::IpAddress& ip) {
  static const io::Cidr kReserved[] = {*io::Cidr::Parse("240.0.0.0/4"), *io::Cidr::Parse("2001:2::/48")};
  return std::any_of(std::begin(kReserved), std::end(kReserved),
                     [&](const io::Cidr& range) { return range.Contains(ip); });
}

// The service's port whose target this is, for workload addresses of headless services.
const xds::ServicePort* PortByTarget(const xds::Service& service, const xds::Workload& workload, std::uint16_t target) {
  std::uint16_t service_port = 0;
  if (const auto ports = workload.services.find(service.Key()); ports != workload.services.end()) {
    for (const xds::AddressPort& port : ports->second) {
      if (port.target_port == target) service_port = port.service_port;
    }
  }
  for (const xds::ServicePort& port : service.ports) {
    if (port.port.service_port == service_port) return &port;
  }
  return nullptr;
}

}  // namespace

cluster::Destination AtPort(cluster::Destination destination, const cluster::DestinationIndex& index,
                            const io::SocketAddress& at) {
  if (!destination.service || cluster::HasPort(*destination.service, at.port.value)) return destination;
  if (cluster::WorkloadPtr workload = index.FindWorkload(at.ip))
    return {.known = true, .service = nullptr, .workload = std::move(workload)};
  if (cluster::ServicePtr service = index.FindService(at.ip, at.port.value))
    return {.known = true, .service = std::move(service), .workload = nullptr};
  if (destination.service->canonical || IsNowhereElse(at.ip)) return destination;
  return {.known = true};
}

xds::DeclaredProtocol DeclaredProtocolOf(const cluster::Destination& destination,
                                         const cluster::DestinationIndex& index, std::uint16_t port) {
  if (destination.service) {
    for (const xds::ServicePort& entry : destination.service->ports) {
      if (entry.port.service_port == port) return entry.declared;
    }
  }
  if (destination.workload) {
    const cluster::ServicePtr service = index.ServiceOf(*destination.workload, port);
    if (service == nullptr) return xds::DeclaredProtocol::kNone;
    if (const auto* entry = PortByTarget(*service, *destination.workload, port)) return entry->declared;
  }
  return xds::DeclaredProtocol::kNone;
}

HttpRouting OutboundHttpRouting(const cluster::Destination& destination, const cluster::DestinationIndex& index,
                                std::uint16_t port, const xds::Outbound& outbound) {
  HttpRouting routing;
  routing.rds_name = std::to_string(port);
  if (destination.service) {
    routing.destination_hostname = destination.service->hostname;
    routing.unknown_cluster = ServiceCluster(*destination.service, port);
  } else if (destination.workload) {
    const cluster::ServicePtr service = index.ServiceOf(*destination.workload, port);
    if (service != nullptr && service->headless) routing.destination_hostname = service->hostname;
    routing.workload_cluster = kWorkloadCluster;
  } else {
    routing.unknown_cluster = outbound.unknown_cluster;
    routing.outside = true;
  }
  return routing;
}

TcpRoute OutboundTcpRoute(const cluster::Destination& destination, const cluster::DestinationIndex& index,
                          const xds::L4Routes* routes, const TcpFacts& facts, const xds::Outbound& outbound) {
  const std::uint16_t port = facts.local.port.value;
  if (routes != nullptr) {
    if (const auto* route = MatchL4Route(*routes, facts.local.ip, facts.server_name))
      return {ChooseCluster(route->clusters, facts.random), route->name};
  }
  if (destination.service) return {ServiceCluster(*destination.service, port), {}};
  if (destination.workload) {
    const cluster::ServicePtr service = index.ServiceOf(*destination.workload, port);
    const xds::ServicePort* entry = service ? PortByTarget(*service, *destination.workload, port) : nullptr;
    if (entry != nullptr && service->headless) return {ServiceCluster(*service, entry->port.service_port), {}};
    return {kWorkloadCluster, {}};
  }
  return {outbound.unknown_cluster, {}};
}

const xds::L4Route* MatchL4Route(const xds::L4Routes& routes, const io::IpAddress& destination, std::string_view sni) {
  for (const xds::L4Route& route : routes.routes) {
    const bool by_name = route.sni.empty() ||
                         std::any_of(route.sni.begin(), route.sni.end(),
                                     [&](const std::string& name) { return !sni.empty() && SniMatches(name, sni); });
    const bool by_address =
        route.destinations.empty() || std::any_of(route.destinations.begin(), route.destinations.end(),
                                                  [&](const io::Cidr& range) { return range.Contains(destination); });
    if (by_name && by_address) return &route;
  }
  return nullptr;
}

std::shared_ptr<const route::RouteTable> MakeSingleRoute(const std::string& cluster) {
  xds::Route route;
  // The outbound policy's routes have Istio's names and its answer.
  route.name = cluster == "PassthroughCluster" ? "allow_any" : "default";
  if (cluster == "BlackHoleCluster") {
    route.name = "block_all";
    route.action = xds::DirectResponse{.status = 502, .body = {}};
  } else {
    xds::WeightedCluster target;
    target.name = cluster;
    xds::RouteAction action;
    action.clusters.push_back(std::move(target));
    action.timeout = Duration(0);
    route.action = std::move(action);
  }
  auto config = std::make_shared<xds::RouteConfiguration>();
  config->name = cluster;
  xds::VirtualHost& host = config->virtual_hosts.emplace_back();
  host.name = cluster;
  host.domains = {"*"};
  host.routes.push_back(std::move(route));
  auto compiled = route::RouteTable::Compile(std::move(config));
  PLAIT_CHECK(compiled.has_value());  // nothing in it can be refused
  return *std::move(compiled);
}

InboundVerdict JudgeClientHello(const xds::InboundPort& port, const std::vector<std::string>& offered_alpn) {
  if (port.mode == xds::MtlsMode::kDisable) return InboundVerdict::kPassOn;
  const bool strict = port.mode == xds::MtlsMode::kStrict;
  return IsMeshAlpn(offered_alpn) || (strict && !port.app_tls) ? InboundVerdict::kTerminate : InboundVerdict::kPassOn;
}

InboundVerdict JudgePlaintext(const xds::InboundPort& port) {
  return port.mode == xds::MtlsMode::kStrict ? InboundVerdict::kRefusePlaintext : InboundVerdict::kPlaintext;
}

bool IsMeshAlpn(const std::vector<std::string>& offered) {
  return std::any_of(offered.begin(), offered.end(), [](const std::string& name) {
    return name == "istio" || name.starts_with("istio-") || name.starts_with("plait-");
  });
}

std::string PlaintextRefusal(const xds::InboundPort& port) {
  return "plaintext_refused_by_strict_mutual_tls" + StrictBy(port);
}

std::string StrictBy(const xds::InboundPort& port) {
  if (port.strict_by.empty()) return {};
  std::string text = "{" + port.strict_by + "}";
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

}  // namespace plait::proxy::session
