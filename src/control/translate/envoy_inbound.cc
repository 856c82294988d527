#include <algorithm>

#include "control/translate/connection_manager.h"
#include "control/translate/envoy_listeners.h"
#include "control/translate/inbound.h"
#include "control/translate/listener_parts.h"
#include "control/translate/mesh_tls.h"
#include "control/translate/names.h"
#include "control/translate/rbac.h"

namespace plait::control::translate {
namespace {
using Mode = model::PeerAuthentication::Mode;

// How long a plain client may be silent before the application is dialled, which may speak first. Envoy knows no
// index, so it cannot tell a meshed client that is slow from one that will never say anything.
constexpr Duration kSilence = std::chrono::seconds(5);

// ALPN of proxies of the mesh, with HTTP inside or with anything.
const std::vector<std::string> kMeshHttp = {"istio-http/1.0", "istio-http/1.1", "istio-h2"};
const std::string kMeshTcp = "istio";

enum class Content : std::uint8_t { kHttp, kTcp, kAny };
Content ContentOf(model::Protocol protocol) {
  if (model::IsHttp(protocol)) return Content::kHttp;
  return protocol == model::Protocol::kAuto ? Content::kAny : Content::kTcp;
}

class InboundChains {
 public:
  InboundChains(const model::Proxy& proxy, const model::Snapshot& snapshot, xds::Listener& out)
      : snapshot_(snapshot),
        own_host_(HostOf(proxy)),
        tls_(EnvoyDownstreamTls(snapshot)),
        http_rbac_(HttpRbac(proxy, snapshot)),
        tcp_rbac_(TcpRbac(proxy, snapshot)),
        out_(out) {}

  struct Target {
    std::optional<std::uint16_t> port;  // nullopt: every port that is not listed
    Content content = Content::kAny;
    Mode mode = Mode::kPermissive;
    bool app_tls = false;
    std::string cluster;
    std::string operation;  // "<host>:<port>/*"; for spans
  };

  void Add(const Target& to) {
    if (to.mode != Mode::kDisable) AddMutual(to);
    if (to.mode != Mode::kStrict || to.app_tls) AddForeignTls(to);
    if (to.mode != Mode::kStrict) AddPlain(to);
  }

 private:
  // On PERMISSIVE the ALPN decides between terminating and passing on; on STRICT whoever speaks TLS is terminated.
  void AddMutual(const Target& to) {
    const bool open = to.mode == Mode::kStrict && !to.app_tls;
    std::vector<std::string> http = kMeshHttp, tcp = {kMeshTcp};
    if (to.content != Content::kAny) {
      std::vector<std::string> all = kMeshHttp;
      all.push_back(kMeshTcp);
      http = tcp = open ? std::vector<std::string>{} : all;
    } else if (open) {
      tcp.clear();
    }
    if (to.content != Content::kTcp) Append(Secured(Http(to), http));
    if (to.content != Content::kHttp) Append(Secured(Tcp(to), tcp));
  }

  xds::FilterChain Secured(xds::FilterChain chain, const std::vector<std::string>& alpn) const {
    chain.match.transport_protocol = "tls";
    chain.match.application_protocols = alpn;
    chain.tls = tls_;
    return chain;
  }

  // The application's own TLS.
  void AddForeignTls(const Target& to) {
    xds::FilterChain chain = Tcp(to);
    chain.match.transport_protocol = "tls";
    Append(std::move(chain));
  }

  void AddPlain(const Target& to) {
    if (to.content != Content::kTcp) {
      xds::FilterChain chain = Http(to);
      chain.match.transport_protocol = "raw_buffer";
      if (to.content == Content::kAny) chain.match.application_protocols = InspectedHttp();
      Append(std::move(chain));
    }
    if (to.content == Content::kHttp) return;
    xds::FilterChain chain = Tcp(to);
    chain.match.transport_protocol = "raw_buffer";
    Append(std::move(chain));
  }

  void Append(xds::FilterChain chain) { out_.filter_chains.push_back(std::move(chain)); }

  // As in a URL; empty while no address is known.
  static std::string HostOf(const model::Proxy& proxy) {
    if (proxy.ips.empty()) return "";
    return proxy.ips[0].is_v4() ? proxy.ips[0].ToString() : "[" + proxy.ips[0].ToString() + "]";
  }
  static std::string NameOf(const Target& to, const char* otherwise) {
    return to.port ? "0.0.0.0_" + std::to_string(*to.port) : otherwise;
  }
  static std::string StatPrefix(const Target& to) {
    return to.port ? "inbound_0.0.0.0_" + std::to_string(*to.port) : to.cluster;
  }

  xds::FilterChain Tcp(const Target& to) const {
    xds::FilterChain chain =
        RelayChain(snapshot_, NameOf(to, "virtualInbound"), StatPrefix(to), {{.name = to.cluster}});
    std::vector<xds::NetworkFilter> rbac;
    for (const xds::NetworkRbac& rules : tcp_rbac_) rbac.push_back({"envoy.filters.network.rbac", rules});
    chain.filters.insert(chain.filters.begin(), rbac.begin(), rbac.end());
    chain.match.destination_port = to.port;
    return chain;
  }

  xds::FilterChain Http(const Target& to) const {
    xds::FilterChain chain;
    chain.name = NameOf(to, "virtualInbound-catchall-http");
    chain.match.destination_port = to.port;
    xds::HttpConnectionManager manager = ConnectionManager(snapshot_, Side::kInbound, "", http_rbac_);
    manager.stat_prefix = StatPrefix(to);
    manager.routes = Routes(to);
    if (!own_host_.empty())
      manager.http1.default_host_for_http_10 = own_host_ + (to.port ? ":" + std::to_string(*to.port) : "");
    chain.filters.push_back({"envoy.filters.network.http_connection_manager", std::move(manager)});
    return chain;
  }

  // As plait-proxy makes them itself: everything to the port's cluster.
  static xds::RouteConfiguration Routes(const Target& to) {
    xds::RouteAction action;
    action.clusters.push_back({.name = to.cluster});
    action.timeout = Duration::zero();
    action.retry = xds::RetryPolicy{.retry_on = xds::kRetryResetBeforeRequest, .num_retries = 2};
    xds::Route route;
    route.name = "default";
    route.operation = to.operation;
    route.action = std::move(action);
    xds::VirtualHost host;
    host.name = "inbound|http|" + std::to_string(to.port.value_or(0));
    host.domains = {"*"};
    host.routes.push_back(std::move(route));
    xds::RouteConfiguration out;
    out.name = to.cluster;
    out.validate_clusters = false;
    out.virtual_hosts.push_back(std::move(host));
    return out;
  }

  const model::Snapshot& snapshot_;
  const std::string own_host_;
  const xds::DownstreamTlsContext tls_;
  const std::vector<xds::HttpFilter> http_rbac_;
  const std::vector<xds::NetworkRbac> tcp_rbac_;
  xds::Listener& out_;
};

// Ports of declared protocols need no guess.
void SetInspection(const std::vector<InboundChains::Target>& targets, const model::Snapshot& snapshot,
                   xds::Listener& out) {
  xds::ListenerFilter original;
  original.name = "envoy.filters.listener.original_dst";
  original.kind = xds::ListenerFilter::Kind::kOriginalDst;
  xds::ListenerFilter tls = TlsInspector(), http = HttpInspector();
  bool may_wait_for_server = false;
  for (const InboundChains::Target& to : targets) {
    may_wait_for_server |= to.content != Content::kHttp && to.mode != Mode::kStrict;
    if (!to.port) continue;
    const std::pair<std::uint32_t, std::uint32_t> range{*to.port, *to.port + 1U};
    if (to.content != Content::kAny) http.disabled_ports.push_back(range);
  }
  out.listener_filters = {std::move(original), std::move(tls), std::move(http)};
  out.listener_filters_timeout =
      snapshot.mesh().detection_timeout.value_or(may_wait_for_server ? kSilence : Duration::zero());
  out.continue_on_listener_filters_timeout = true;
}
}  // namespace

xds::Listener EnvoyInbound(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  const model::Workload* workload = WorkloadOf(proxy, snapshot);
  const model::ServerMtls mtls = snapshot.MtlsOf(proxy.name_space, proxy.labels);
  std::vector<InboundChains::Target> targets;
  for (const InboundPortView& from : InboundPortsOf(proxy, snapshot)) {
    if (from.port == kInboundPort) continue;
    InboundChains::Target to{.port = from.port,
                             .content = ContentOf(from.protocol),
                             .mode = mtls.ModeOf(from.port),
                             .app_tls = IsAppTls(workload, from.port),
                             .cluster = InboundCluster(from.port)};
    if (!from.services.empty()) to.operation = from.services[0]->hostname + ":" + std::to_string(from.port) + "/*";
    targets.push_back(std::move(to));
  }
  // Ports that only a policy names still have their own mode.
  for (const auto& entry : mtls.ports)
    if (const std::uint16_t number = entry.first;
        std::none_of(targets.begin(), targets.end(), [&](const auto& to) { return to.port == number; }))
      targets.push_back({.port = number,
                         .mode = mtls.ModeOf(number),
                         .app_tls = IsAppTls(workload, number),
                         .cluster = std::string(kInboundPassthroughCluster)});
  targets.push_back({.mode = mtls.mode, .cluster = std::string(kInboundPassthroughCluster)});

  xds::Listener out;
  out.name = "virtualInbound";
  out.addresses = Wildcard(kInboundPort, proxy);
  out.direction = xds::Listener::Direction::kInbound;
  SetInspection(targets, snapshot, out);
  xds::FilterChain circle = BlackHoleChain(snapshot, "virtualInbound-blackhole");
  circle.match.destination_port = kInboundPort;
  out.filter_chains.push_back(std::move(circle));
  InboundChains chains(proxy, snapshot, out);
  for (const InboundChains::Target& to : targets) chains.Add(to);
  return out;
}

}  // namespace plait::control::translate
