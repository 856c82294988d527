#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "control/translate/connection_manager.h"
#include "control/translate/destinations.h"
#include "control/translate/envoy_clusters.h"
#include "control/translate/envoy_listeners.h"
#include "control/translate/inbound.h"
#include "control/translate/l4_routes.h"
#include "control/translate/listener_parts.h"
#include "control/translate/names.h"
#include "core/base/proxy_ports.h"

namespace plait::control::translate {
namespace {
using model::Protocol;
using model::ServicePort;
using model::ServiceView;

// How long a client may be silent on a port that declares nothing before it is taken for one whose server speaks
// first. Envoy dials nothing meanwhile.
constexpr Duration kSilence = std::chrono::seconds(1);

bool IsHost(const io::Cidr& range) { return range.length == (range.base.is_v4() ? 32 : 128); }

// Ports of listeners that the proxy itself has on every address: Envoy refuses a second one there.
bool IsProxyPort(std::uint16_t port) {
  using namespace proxy_ports;  // NOLINT: their names are said once
  return Has(kCapture, Port{port}) || Port{port} == kReadiness || Port{port} == kMetrics;
}

class OutboundListeners {
 public:
  OutboundListeners(const model::Proxy& proxy, const model::Snapshot& snapshot)
      : proxy_(proxy),
        snapshot_(snapshot),
        unknown_(snapshot.mesh().registry_only ? kBlackHoleCluster : kPassthroughCluster) {}

  std::vector<xds::Listener> Build() {
    for (const ServiceView* service : snapshot_.VisibleServices(proxy_.name_space))
      for (const ServicePort& port : service->ports)
        if (port.protocol != Protocol::kUdp && !IsProxyPort(port.port)) Add(*service, port);
    AddSelf();
    std::vector<xds::Listener> out{VirtualOutbound()};
    for (auto& [name, listener] : listeners_) out.push_back(std::move(listener));
    return out;
  }

 private:
  using Key = std::pair<std::uint16_t, std::string>;  // port and name: they stand in the order of ports

  xds::FilterChain RelayTo(std::string name, std::string_view cluster) const {
    return RelayChain(snapshot_, std::move(name), std::string(cluster), {{.name = std::string(cluster)}});
  }
  xds::FilterChain Unknown(std::string name) const { return RelayTo(std::move(name), unknown_); }

  xds::Listener VirtualOutbound() const {
    xds::Listener out;
    out.name = "virtualOutbound";
    out.addresses = Wildcard(kOutboundPort, proxy_);
    out.use_original_dst = true;
    out.direction = xds::Listener::Direction::kOutbound;
    // Who dials the capture port itself would go round in circles.
    xds::FilterChain circle = BlackHoleChain(snapshot_, "virtualOutbound-blackhole");
    circle.match.destination_port = kOutboundPort;
    out.filter_chains.push_back(std::move(circle));
    out.filter_chains.push_back(Unknown("virtualOutbound-catchall-tcp"));
    return out;
  }

  void Add(const ServiceView& service, const ServicePort& port) {
    if (service.headless) AddPods(service, port);
    if (model::IsHttp(port.protocol)) return static_cast<void>(HttpListener(port.port));
    std::vector<io::SocketAddress> addresses;
    std::vector<io::Cidr> ranges;
    for (const io::Cidr& vip : service.vips)
      if (IsHost(vip))
        addresses.push_back({.ip = vip.base, .port = Port{port.port}, .unix_path = {}});
      else
        ranges.push_back(vip);
    if (!addresses.empty()) AddAddresses(service, port, std::move(addresses));
    if (!ranges.empty()) AddRanges(service, port, std::move(ranges));
    if (service.vips.empty() && model::IsTls(port.protocol)) AddByName(port.port);
  }

  // Each pod of a headless service is called at its own address; ORIGINAL_DST clusters keep to it. HTTP goes by Host,
  // but for pods that the service's cluster cannot call: these are relayed to, whatever the protocol.
  void AddPods(const ServiceView& service, const ServicePort& port) {
    const auto target = FindOutboundTarget(proxy_, snapshot_, OutboundCluster(port.port, "", service.hostname));
    for (const model::EndpointView& endpoint : service.EndpointsOf(port)) {
      const bool plain = target && TakesOnlyPlaintext(snapshot_, *target, endpoint);
      if (model::IsHttp(port.protocol) && !plain) continue;
      std::vector<io::SocketAddress> addresses;
      for (const io::IpAddress& ip : endpoint.ips)
        addresses.push_back({.ip = ip, .port = Port{endpoint.port}, .unix_path = {}});
      if (addresses.empty()) continue;
      if (plain)
        AddRelay(std::move(addresses), kPassthroughCluster);
      else
        AddAddresses(service, port, std::move(addresses));
    }
  }

  // The own addresses at ports that refuse plaintext: a caller like any other. What goes to a headless service by HTTP
  // has the own address, too, and keeps the rules for the service.
  void AddSelf() {
    const model::Workload* workload = WorkloadOf(proxy_, snapshot_);
    const model::ServerMtls mtls = snapshot_.MtlsOf(proxy_.name_space, proxy_.labels);
    for (const InboundPortView& own : InboundPortsOf(proxy_, snapshot_)) {
      const bool by_host = std::any_of(own.services.begin(), own.services.end(), [&](const ServiceView* service) {
        const ServicePort* port = service->headless ? service->FindPort(own.port) : nullptr;
        return port && model::IsHttp(port->protocol);
      });
      if (by_host || IsProxyPort(own.port) || IsAppTls(workload, own.port) ||
          mtls.ModeOf(own.port) != model::PeerAuthentication::Mode::kStrict)
        continue;
      std::vector<io::SocketAddress> addresses;
      for (const io::IpAddress& ip : proxy_.ips)
        addresses.push_back({.ip = ip, .port = Port{own.port}, .unix_path = {}});
      if (!addresses.empty()) AddRelay(std::move(addresses), WorkloadCluster(proxy_.service_account));
    }
  }

  void AddRelay(std::vector<io::SocketAddress> addresses, std::string_view cluster) {
    std::string name = NameOf(addresses[0]);
    if (xds::Listener* out = Unbound(std::move(addresses), name))
      out->filter_chains.push_back(RelayTo(std::move(name), cluster));
  }

  static std::string NameOf(const io::SocketAddress& address) {
    return address.ip.ToString() + "_" + std::to_string(address.port.value);
  }

  // A listener that is never bound: virtualOutbound hands it what went to these addresses.
  xds::Listener* Unbound(std::vector<io::SocketAddress> addresses, std::string name) {
    std::erase_if(addresses, [this](const io::SocketAddress& address) { return !taken_.insert(address).second; });
    if (addresses.empty()) return nullptr;  // an older service has them
    xds::Listener& out = listeners_[{addresses[0].port.value, name}];
    out.name = std::move(name);
    for (io::SocketAddress& address : addresses) out.addresses.push_back({.address = std::move(address)});
    out.bind_to_port = false;
    out.direction = xds::Listener::Direction::kOutbound;
    return &out;
  }

  void AddAddresses(const ServiceView& service, const ServicePort& port, std::vector<io::SocketAddress> addresses) {
    std::string name = NameOf(addresses[0]);
    const std::vector<io::SocketAddress> all = addresses;
    xds::Listener* out = Unbound(std::move(addresses), std::move(name));
    if (!out) return;
    AddRoutes(port.port, *out, [&](const io::Cidr& range) {
      return std::any_of(all.begin(), all.end(), [&](const auto& address) { return range.Contains(address.ip); });
    });
    if (port.protocol == Protocol::kAuto) AddInspectedHttp(port.port, *out);
    // A rule that takes everything leaves nothing for the service itself.
    if (!HasCatchAll(*out)) out->filter_chains.push_back(ToService(service, port));
  }

  void AddRanges(const ServiceView& service, const ServicePort& port, std::vector<io::Cidr> ranges) {
    xds::Listener* out = WildcardListener(port.port);
    xds::FilterChain chain = ToService(service, port);
    chain.match.prefix_ranges = std::move(ranges);
    AppendChain(std::move(chain), *out);
  }

  // Services without an address, known by the name in the ClientHello only.
  void AddByName(std::uint16_t port) {
    xds::Listener* out = WildcardListener(port);
    AddRoutes(port, *out, [](const io::Cidr&) { return false; });
  }

  xds::FilterChain ToService(const ServiceView& service, const ServicePort& port) const {
    const std::string cluster = OutboundCluster(port.port, "", service.hostname);
    return RelayChain(snapshot_, cluster, cluster, {{.name = cluster}});
  }

  static bool HasCatchAll(const xds::Listener& listener) {
    return std::any_of(listener.filter_chains.begin(), listener.filter_chains.end(),
                       [](const xds::FilterChain& chain) { return chain.match == xds::FilterChainMatch{}; });
  }

  // What rules of VirtualServices say of TCP and TLS on a port; those with a destination only where `here` takes it.
  template <class Here>
  void AddRoutes(std::uint16_t port, xds::Listener& out, const Here& here) {
    const std::optional<xds::L4Routes> routes = FindL4Routes(proxy_, snapshot_, std::to_string(port));
    if (!routes) return;
    for (const xds::L4Route& route : routes->routes) {
      const bool by_name = !route.sni.empty();
      if (route.destinations.empty() ? !by_name
                                     : std::none_of(route.destinations.begin(), route.destinations.end(), here))
        continue;
      xds::FilterChain chain = RelayChain(snapshot_, route.name, route.clusters[0].name, route.clusters);
      if (by_name) {
        chain.match.transport_protocol = "tls";
        for (const std::string& name : route.sni)
          if (name != "*") chain.match.server_names.push_back(name);
        Inspect(TlsInspector(), out);
      }
      AppendChain(std::move(chain), out);
    }
  }

  // HTTP of a port that declares nothing, told apart by its first bytes.
  void AddInspectedHttp(std::uint16_t port, xds::Listener& out) {
    xds::FilterChain chain = HttpChain(port);
    chain.match.transport_protocol = "raw_buffer";
    chain.match.application_protocols = InspectedHttp();
    AppendChain(std::move(chain), out);
    Inspect(TlsInspector(), out);
    Inspect(HttpInspector(), out);
    out.listener_filters_timeout = snapshot_.mesh().detection_timeout.value_or(kSilence);
  }

  xds::Listener* WildcardListener(std::uint16_t port) {
    const std::string name = "0.0.0.0_" + std::to_string(port);
    xds::Listener& out = listeners_[{port, name}];
    if (!out.name.empty()) return &out;
    out.name = name;
    out.addresses = Wildcard(port, proxy_);
    out.bind_to_port = false;
    out.direction = xds::Listener::Direction::kOutbound;
    out.default_filter_chain = Unknown("PassthroughFilterChain");
    // Who is silent on a port of HTTP is a client that will speak: it is not taken for something else, however long it
    // takes (never plaintext by accident).
    out.listener_filters_timeout = Duration::zero();
    out.continue_on_listener_filters_timeout = true;
    return &out;
  }

  xds::Listener* HttpListener(std::uint16_t port) {
    xds::Listener* out = WildcardListener(port);
    xds::FilterChain chain = HttpChain(port);
    chain.match.transport_protocol = "raw_buffer";
    chain.match.application_protocols = InspectedHttp();
    AppendChain(std::move(chain), *out);
    Inspect(TlsInspector(), *out);
    Inspect(HttpInspector(), *out);
    return out;
  }

  xds::FilterChain HttpChain(std::uint16_t port) const {
    xds::FilterChain chain;
    chain.name = "0.0.0.0_" + std::to_string(port);
    xds::HttpConnectionManager manager = ConnectionManager(snapshot_, Side::kOutbound, std::to_string(port), {});
    manager.stat_prefix = "outbound_0.0.0.0_" + std::to_string(port);
    chain.filters.push_back({"envoy.filters.network.http_connection_manager", std::move(manager)});
    return chain;
  }

  static void Inspect(xds::ListenerFilter filter, xds::Listener& listener) {
    for (const xds::ListenerFilter& other : listener.listener_filters)
      if (other.kind == filter.kind) return;
    listener.listener_filters.push_back(std::move(filter));
    if (!listener.listener_filters_timeout) listener.listener_filters_timeout = kSilence;
    listener.continue_on_listener_filters_timeout = true;
  }

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  const std::string_view unknown_;
  std::map<Key, xds::Listener> listeners_;
  std::set<io::SocketAddress> taken_;
};
}  // namespace

std::vector<xds::Listener> EnvoyOutbound(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  return OutboundListeners(proxy, snapshot).Build();
}

}  // namespace plait::control::translate
