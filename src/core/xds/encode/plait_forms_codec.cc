// Plait's own forms: api/plait/proxy/v1.
#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "plait/proxy/v1/inbound.pb.h"
#include "plait/proxy/v1/l4_routes.pb.h"
#include "plait/proxy/v1/outbound.pb.h"

namespace plait::xds {
namespace encode {
namespace {
namespace pb = ::plait::proxy::v1;

void FillPort(const InboundPort& in, pb::Inbound::Port& out) {
  constexpr pb::Inbound::Mode kModes[] = {pb::Inbound::DISABLE, pb::Inbound::PERMISSIVE, pb::Inbound::STRICT};
  constexpr pb::Inbound::Protocol kProtocols[] = {pb::Inbound::NONE, pb::Inbound::HTTP, pb::Inbound::TCP,
                                                  pb::Inbound::TLS};
  using Probe = pb::Inbound::Probe;
  constexpr Probe::Kind kProbes[] = {Probe::HTTP_GET, Probe::HTTPS_GET, Probe::TCP_CONNECT, Probe::GRPC_CHECK};
  out.set_port(in.port);
  out.set_mode(kModes[static_cast<std::size_t>(in.mode)]);
  out.set_declared(kProtocols[static_cast<std::size_t>(in.declared)]);
  out.set_cluster(in.cluster);
  out.set_app_tls(in.app_tls);
  for (const ProbeExemption& probe : in.probes) {
    Probe& to = *out.add_probes();
    to.set_kind(kProbes[static_cast<std::size_t>(probe.kind)]);
    to.set_path(probe.path);
  }
  out.set_strict_by(in.strict_by);
}

}  // namespace

void Pack(const Outbound& in, google::protobuf::Any& out) {
  pb::Outbound message;
  Fill(in.http, *message.mutable_http());
  Fill(in.tcp, *message.mutable_tcp());
  message.set_network(in.network);
  message.set_unknown_cluster(in.unknown_cluster);
  Fill(in.dial_after, *message.mutable_dial_after());
  Fill(in.lookup_timeout, *message.mutable_lookup_timeout());
  Pack(message, out);
}

void Pack(const Inbound& in, google::protobuf::Any& out) {
  pb::Inbound message;
  Fill(in.http, *message.mutable_http());
  Fill(in.tcp, *message.mutable_tcp());
  for (const NetworkRbac& filter : in.network_filters)
    Fill(NetworkFilter{"envoy.filters.network.rbac", filter}, *message.add_network_filters());
  Fill(in.tls, *message.mutable_tls());
  if (in.detection_timeout) Fill(*in.detection_timeout, *message.mutable_detection_timeout());
  for (const InboundPort& port : in.ports) FillPort(port, *message.add_ports());
  FillPort(in.other, *message.mutable_other());
  Pack(message, out);
}

}  // namespace encode

std::string Encode(const L4Routes& routes) {
  encode::pb::L4Routes out;
  out.set_name(routes.name);
  for (const L4Route& route : routes.routes) {
    auto& to = *out.add_routes();
    for (const std::string& sni : route.sni) to.add_sni(sni);
    for (const io::Cidr& range : route.destinations) encode::Fill(range, *to.add_destinations());
    for (const L4WeightedCluster& cluster : route.clusters) {
      auto& weighted = *to.add_clusters();
      weighted.set_name(cluster.name);
      weighted.set_weight(cluster.weight);
    }
    to.set_name(route.name);
  }
  return encode::Bytes(out);
}

}  // namespace plait::xds
