#include "control/translate/listeners.h"

#include <algorithm>
#include <map>
#include <span>

#include "control/translate/auto_passthrough.h"
#include "control/translate/connection_manager.h"
#include "control/translate/destinations.h"
#include "control/translate/envoy_listeners.h"
#include "control/translate/extensions.h"
#include "control/translate/gateway_servers.h"
#include "control/translate/inbound.h"
#include "control/translate/listener_parts.h"
#include "control/translate/mesh_tls.h"
#include "control/translate/names.h"
#include "control/translate/rbac.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
xds::Listener VirtualListener(const char* name, std::uint16_t port, xds::Listener::Direction direction,
                              xds::NetworkFilter filter) {
  xds::Listener out;
  out.name = name;
  out.addresses = Wildcard(port);
  out.direction = direction;
  xds::FilterChain chain;
  chain.name = name;
  chain.filters.push_back(std::move(filter));
  out.default_filter_chain = std::move(chain);
  return out;
}

xds::Listener OutboundListener(const model::Snapshot& snapshot) {
  xds::Outbound form;
  form.http = ConnectionManager(snapshot, Side::kOutbound, "", {});
  form.tcp = TcpTemplate(snapshot, "outbound");
  form.network = snapshot.options().network;
  form.unknown_cluster = snapshot.mesh().registry_only ? kBlackHoleCluster : kPassthroughCluster;
  return VirtualListener("virtualOutbound", kOutboundPort, xds::Listener::Direction::kOutbound,
                         {"plait.outbound", std::move(form)});
}

xds::MtlsMode ToMode(model::PeerAuthentication::Mode mode) {
  switch (mode) {
    case model::PeerAuthentication::Mode::kDisable: return xds::MtlsMode::kDisable;
    case model::PeerAuthentication::Mode::kStrict: return xds::MtlsMode::kStrict;
    default: return xds::MtlsMode::kPermissive;
  }
}

xds::DeclaredProtocol ToDeclared(model::Protocol protocol) {
  if (model::IsHttp(protocol)) return xds::DeclaredProtocol::kHttp;
  if (model::IsTls(protocol)) return xds::DeclaredProtocol::kTls;
  return protocol == model::Protocol::kTcp ? xds::DeclaredProtocol::kTcp : xds::DeclaredProtocol::kNone;
}

std::vector<xds::ProbeExemption> ProbesOf(const model::Workload* workload, std::uint16_t port) {
  using Kind = xds::ProbeExemption::Kind;
  std::vector<xds::ProbeExemption> out;
  for (const model::Probe& probe : workload ? workload->probes : std::vector<model::Probe>{}) {
    if (probe.port != port || probe.kind == model::Probe::Kind::kExec) continue;
    xds::ProbeExemption exemption;
    exemption.kind = probe.kind == model::Probe::Kind::kTcp    ? Kind::kTcp
                     : probe.kind == model::Probe::Kind::kGrpc ? Kind::kGrpc
                     : probe.scheme == "HTTPS"                 ? Kind::kHttps
                                                               : Kind::kHttp;
    if (exemption.kind == Kind::kHttp || exemption.kind == Kind::kGrpc) exemption.path = probe.path;
    if (std::find(out.begin(), out.end(), exemption) == out.end()) out.push_back(std::move(exemption));
  }
  return out;
}

xds::Listener InboundListener(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  const model::Workload* workload = WorkloadOf(proxy, snapshot);
  const model::ServerMtls mtls = snapshot.MtlsOf(proxy.name_space, proxy.labels);
  const std::string strict_by = mtls.invalid ? InvalidPolicyName(mtls.invalid->meta) : "";
  xds::Inbound form;
  form.http = ConnectionManager(snapshot, Side::kInbound, "", HttpRbac(proxy, snapshot));
  form.tcp = TcpTemplate(snapshot, "inbound");
  form.network_filters = TcpRbac(proxy, snapshot);
  form.tls = MeshDownstreamTls(snapshot);
  form.detection_timeout = snapshot.mesh().detection_timeout;
  std::map<std::uint16_t, xds::InboundPort> ports;
  for (const InboundPortView& from : InboundPortsOf(proxy, snapshot)) {
    xds::InboundPort& port = ports[from.port];
    port.declared = ToDeclared(from.protocol);
    port.cluster = InboundCluster(from.port);
    port.probes = ProbesOf(workload, from.port);
  }
  // Ports that only a policy or a probe names still have their own mode.
  for (const auto& [number, mode] : mtls.ports) ports[number];
  for (auto& [number, port] : ports) {
    port.port = number;
    port.mode = ToMode(mtls.ModeOf(number));
    if (port.cluster.empty()) port.cluster = kInboundPassthroughCluster;
    port.app_tls = IsAppTls(workload, number);
    port.strict_by = strict_by;
    form.ports.push_back(std::move(port));
  }
  form.other.mode = ToMode(mtls.mode);
  form.other.cluster = kInboundPassthroughCluster;
  form.other.strict_by = strict_by;
  return VirtualListener("virtualInbound", kInboundPort, xds::Listener::Direction::kInbound,
                         {"plait.inbound", std::move(form)});
}

xds::DownstreamTlsContext GatewayTls(const model::Snapshot& snapshot, const model::GatewayTls& from) {
  using Kind = xds::DataSource::Kind;
  using Mode = model::GatewayTls::Mode;
  if (from.mode == Mode::kIstioMutual) return MeshDownstreamTls(snapshot);
  xds::DownstreamTlsContext out;
  out.common.alpn_protocols = {"h2", "http/1.1"};
  out.common.cipher_suites = from.cipher_suites;
  if (from.minimum_tls13) out.common.minimum = xds::TlsVersion::kTls13;
  if (from.maximum_tls12) out.common.maximum = xds::TlsVersion::kTls12;
  const bool mutual = from.mode == Mode::kMutual || from.mode == Mode::kOptionalMutual;
  out.require_client_certificate = from.mode == Mode::kMutual;
  if (!from.credential_name.empty()) {
    out.common.certificate_secrets.push_back({.name = "kubernetes://" + from.credential_name});
    if (mutual)
      out.common.validation_secret = xds::SecretRef{.name = "kubernetes://" + from.credential_name + "-cacert"};
  } else {
    out.common.certificates.push_back({.certificate_chain = {Kind::kFile, from.certificate},
                                       .private_key = {Kind::kFile, from.private_key},
                                       .password = {}});
    if (mutual) out.common.validation.emplace().trusted_ca = {Kind::kFile, from.ca_certificates};
  }
  if (!mutual) return out;
  if (!out.common.validation) out.common.validation.emplace();
  for (const std::string& name : from.subject_alt_names)
    out.common.validation->subject_alt_names.push_back({name.find("://") != std::string::npos
                                                            ? xds::SubjectAltNameMatcher::Type::kUri
                                                            : xds::SubjectAltNameMatcher::Type::kDns,
                                                        {.kind = xds::StringMatcher::Kind::kExact, .value = name}});
  return out;
}

class GatewayListeners {
 public:
  GatewayListeners(const model::Proxy& proxy, const model::Snapshot& snapshot) : proxy_(proxy), snapshot_(snapshot) {}

  std::vector<xds::Listener> Build() {
    for (const ServerView& server : ServersOf(proxy_, snapshot_)) Add(server);
    std::vector<xds::Listener> out;
    for (auto& [port, listener] : listeners_) {
      // A server without a rule: the port is open all the same where somebody else opened it, so who connects is told.
      if (listener.filter_chains.empty())
        listener.filter_chains.push_back(BlackHoleChain(snapshot_, std::string(kBlackHoleCluster)));
      out.push_back(std::move(listener));
    }
    return out;
  }

 private:
  using Protocol = model::GatewayServer::Protocol;

  static std::string NameOf(const model::GatewayServer& server) {
    return (server.bind.empty() ? "0.0.0.0" : server.bind) + "_" + std::to_string(server.port);
  }
  static std::vector<xds::ListenerAddress> AddressesOf(const model::GatewayServer& server) {
    const auto ip = io::IpAddress::Parse(server.bind);
    if (!ip) return Wildcard(server.port);
    xds::ListenerAddress out;
    out.address = io::SocketAddress{.ip = *ip, .port = Port{server.port}, .unix_path = {}};
    return {out};
  }

  void Add(const ServerView& view) {
    const model::GatewayServer& server = *view.server;
    xds::Listener& listener = listeners_[{server.port, server.bind}];
    if (listener.name.empty()) {
      listener.name = NameOf(server);
      listener.addresses = AddressesOf(server);
      listener.direction = xds::Listener::Direction::kOutbound;
    }
    if (server.protocol == Protocol::kHttp) return AddHttp(view, listener);
    if (!view.route_name.empty()) return AddHttps(view, listener);
    AddTcp(view, listener);
  }

  xds::FilterChain Http(const ServerView& view, std::string name) const {
    xds::FilterChain chain;
    chain.name = std::move(name);
    xds::HttpConnectionManager manager =
        ConnectionManager(snapshot_, Side::kGateway, view.route_name, HttpRbac(proxy_, snapshot_));
    manager.stat_prefix = "outbound_0.0.0.0_" + std::to_string(view.server->port);
    // Its clients are proxies of the mesh, as those of a workload.
    const model::GatewayServer& server = *view.server;
    manager.http2.allow_connect = server.has_tls && server.tls.mode == model::GatewayTls::Mode::kIstioMutual;
    chain.filters.push_back({"envoy.filters.network.http_connection_manager", std::move(manager)});
    return chain;
  }

  // All HTTP servers of a port share one chain: the routes tell their hosts apart.
  void AddHttp(const ServerView& view, xds::Listener& listener) {
    if (listener.filter_chains.empty()) listener.filter_chains.push_back(Http(view, NameOf(*view.server)));
  }

  static void InspectTls(xds::Listener& listener) {
    if (listener.listener_filters.empty()) listener.listener_filters.push_back(TlsInspector());
  }

  static void MatchSni(const ServerView& view, xds::Listener& listener, xds::FilterChain& chain) {
    for (const std::string& host : ServerHosts(view)) {
      if (host == "*") {
        chain.match.server_names.clear();
        break;
      }
      chain.match.server_names.push_back(ToLower(host));
    }
    chain.match.transport_protocol = "tls";
    InspectTls(listener);
  }

  void AddHttps(const ServerView& view, xds::Listener& listener) {
    xds::FilterChain chain = Http(view, view.route_name);
    MatchSni(view, listener, chain);
    chain.tls = GatewayTls(snapshot_, view.server->tls);
    AppendChain(std::move(chain), listener);
  }

  // Opaque TCP by tcp rules; TLS is passed on by the SNI of tls rules, or terminated and then goes by tcp rules. A
  // server of protocol TCP is one or the other, by whether it has tls.
  void AddTcp(const ServerView& view, xds::Listener& listener) {
    const model::GatewayServer& server = *view.server;
    const bool tls = server.IsTls();
    if (tls && server.tls.mode == model::GatewayTls::Mode::kAutoPassthrough) return AddAutoPassthrough(view, listener);
    const bool terminate = tls && !server.tls.PassesOn();
    const std::string gateway = view.gateway->meta.name_space() + "/" + view.gateway->meta.name();
    for (const model::VirtualService* rules : snapshot_.VirtualServices(proxy_.name_space, gateway)) {
      if (SharedHosts(view, *rules, snapshot_.mesh().cluster_domain).empty()) continue;
      for (const model::L4Rule& rule : rules->l4) {
        if (rule.tls != (tls && !terminate)) continue;
        xds::FilterChain chain;
        if (!Matches(rule, gateway, server.port, chain)) continue;
        chain.name = rules->meta.name_space() + "/" + rules->meta.name();
        if (tls && chain.match.server_names.empty()) MatchSni(view, listener, chain);
        if (tls) InspectTls(listener);
        if (terminate) chain.tls = GatewayTls(snapshot_, server.tls);
        AddRelay(*rules, rule, server.port, chain);
        AppendChain(std::move(chain), listener);
      }
    }
  }

  // No rule is needed: the server name is the cluster's. Its chains match nothing in common with each other.
  void AddAutoPassthrough(const ServerView& view, xds::Listener& listener) const {
    const std::size_t before = listener.filter_chains.size();
    for (xds::FilterChain& chain : AutoPassthroughChains(proxy_, snapshot_, view))
      if (std::ranges::none_of(std::span(listener.filter_chains).first(before),
                               [&](const xds::FilterChain& other) { return other.match == chain.match; }))
        listener.filter_chains.push_back(std::move(chain));
    if (!listener.filter_chains.empty()) InspectTls(listener);
  }

  bool Matches(const model::L4Rule& rule, const std::string& gateway, std::uint16_t port,
               xds::FilterChain& chain) const {
    if (rule.matches.empty()) return true;
    bool any = false;
    for (const model::L4Match& match : rule.matches) {
      if (!IsForClient(match.source, proxy_, gateway, port)) continue;
      any = true;
      if (!match.sni_hosts.empty()) chain.match.transport_protocol = "tls";
      for (const std::string& sni : match.sni_hosts)
        if (sni != "*") chain.match.server_names.push_back(sni);
    }
    return any;
  }

  void AddRelay(const model::VirtualService& rules, const model::L4Rule& rule, std::uint16_t port,
                xds::FilterChain& chain) const {
    for (xds::NetworkRbac& rbac : TcpRbac(proxy_, snapshot_))
      chain.filters.push_back({"envoy.filters.network.rbac", std::move(rbac)});
    chain.filters.push_back({"istio.stats", xds::IstioTcpStats{}});
    xds::TcpProxy relay = TcpTemplate(snapshot_, "outbound_" + std::to_string(port));
    for (const model::WeightedDestination& to : rule.destinations)
      if (to.weight > 0)
        relay.clusters.push_back(
            {ClusterOf(proxy_, snapshot_, to.destination, rules.meta.name_space(), port), to.weight});
    chain.filters.push_back({"envoy.filters.network.tcp_proxy", std::move(relay)});
  }

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  std::map<std::pair<std::uint16_t, std::string>, xds::Listener> listeners_;  // by port and bind
};
}  // namespace

std::vector<xds::Listener> Listeners(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<xds::Listener> out;
  if (proxy.type == model::Proxy::Type::kRouter) {
    out = GatewayListeners(proxy, snapshot).Build();
  } else if (proxy.form == model::Proxy::Form::kEnvoy) {
    out = EnvoyOutbound(proxy, snapshot);
    out.push_back(EnvoyInbound(proxy, snapshot));
  } else {
    out = {OutboundListener(snapshot), InboundListener(proxy, snapshot)};
  }
  for (xds::Listener& listener : out) listener.access_logs = ListenerAccessLogs(snapshot);
  LeaveOutUnknown(proxy, out);
  return out;
}

}  // namespace plait::control::translate
