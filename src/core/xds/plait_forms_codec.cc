#include "core/xds/plait_forms_codec.h"

#include <algorithm>

#include "core/base/strings.h"
#include "core/xds/common_codec.h"
#include "core/xds/http_connection_manager_codec.h"
#include "core/xds/listener_codec.h"
#include "core/xds/network_filters_codec.h"
#include "core/xds/tls_codec.h"
#include "plait/proxy/v1/inbound.pb.h"
#include "plait/proxy/v1/l4_routes.pb.h"
#include "plait/proxy/v1/outbound.pb.h"

namespace plait::xds {
namespace {
namespace pb = ::plait::proxy::v1;
using At = DecodeContext::At;

InboundPort DecodeInboundPort(const pb::Inbound::Port& in, DecodeContext& context) {
  context.Honours(in, {"port", "mode", "declared", "cluster", "app_tls", "probes", "strict_by"});
  InboundPort out;
  out.port = DecodePort(in.port(), context);
  switch (in.mode()) {
    case pb::Inbound::DISABLE: out.mode = MtlsMode::kDisable; break;
    case pb::Inbound::PERMISSIVE: out.mode = MtlsMode::kPermissive; break;
    case pb::Inbound::STRICT: out.mode = MtlsMode::kStrict; break;
    default: context.Reject("mode is not set");  // never plaintext by accident
  }
  out.declared = static_cast<DeclaredProtocol>(in.declared());
  out.cluster = in.cluster();
  out.app_tls = in.app_tls();
  for (const auto& probe : in.probes()) {
    context.Honours(probe, {"kind", "path"});
    out.probes.push_back({.kind = static_cast<ProbeExemption::Kind>(probe.kind()), .path = probe.path()});
  }
  out.strict_by = in.strict_by();
  if (out.cluster.empty()) context.Reject("cluster is empty");
  return out;
}
}  // namespace

Outbound DecodeOutbound(std::string_view bytes, DecodeContext& context) {
  Outbound out;
  pb::Outbound in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    context.Reject("bytes are not a plait.proxy.v1.Outbound");
    return out;
  }
  context.Honours(in, {"http", "tcp", "network", "unknown_cluster", "dial_after", "lookup_timeout"});
  {
    const At at(context, "http");
    out.http = DecodeConnectionManager(in.http(), context, /*is_template=*/true);
  }
  const At at(context, "tcp");
  out.tcp = DecodeTcpProxy(in.tcp(), context, /*is_template=*/true);
  out.network = in.network();
  out.unknown_cluster = in.unknown_cluster();
  if (in.has_dial_after()) out.dial_after = DecodeDuration(in.dial_after(), context);
  if (in.has_lookup_timeout()) out.lookup_timeout = DecodeDuration(in.lookup_timeout(), context);
  if (out.unknown_cluster.empty()) context.Reject("unknown_cluster is empty");
  return out;
}

Inbound DecodeInbound(std::string_view bytes, DecodeContext& context) {
  Inbound out;
  pb::Inbound in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    context.Reject("bytes are not a plait.proxy.v1.Inbound");
    return out;
  }
  context.Honours(in, {"http", "tcp", "network_filters", "tls", "detection_timeout", "ports", "other"});
  {
    const At at(context, "http");
    out.http = DecodeConnectionManager(in.http(), context, /*is_template=*/true);
  }
  {
    const At at(context, "tcp");
    out.tcp = DecodeTcpProxy(in.tcp(), context, /*is_template=*/true);
  }
  for (int i = 0; i < in.network_filters_size(); ++i) {
    const At at(context, "network_filters", i);
    NetworkFilter filter = DecodeNetworkFilter(in.network_filters(i), context);
    if (auto* rbac = std::get_if<NetworkRbac>(&filter.config))
      out.network_filters.push_back(std::move(*rbac));
    else
      context.Reject("only envoy.filters.network.rbac may stand here");
  }
  {
    const At at(context, "tls");
    out.tls = DecodeDownstreamTls(in.tls(), context);
  }
  if (in.has_detection_timeout()) out.detection_timeout = DecodeDuration(in.detection_timeout(), context);
  for (int i = 0; i < in.ports_size(); ++i) {
    const At at(context, "ports", i);
    out.ports.push_back(DecodeInboundPort(in.ports(i), context));
    if (out.ports.back().port == 0) context.Reject("port is 0");
  }
  std::sort(out.ports.begin(), out.ports.end(),
            [](const InboundPort& a, const InboundPort& b) { return a.port < b.port; });
  const auto twice = std::adjacent_find(out.ports.begin(), out.ports.end(),
                                        [](const InboundPort& a, const InboundPort& b) { return a.port == b.port; });
  if (twice != out.ports.end()) context.Reject("port " + std::to_string(twice->port) + " stands twice");
  const At at(context, "other");
  out.other = DecodeInboundPort(in.other(), context);
  return out;
}

L4Routes DecodeL4RoutesMessage(const pb::L4Routes& in, DecodeContext& context) {
  L4Routes out;
  context.Honours(in, {"name", "routes"});
  out.name = in.name();
  for (int i = 0; i < in.routes_size(); ++i) {
    const At at(context, "routes", i);
    const auto& from = in.routes(i);
    context.Honours(from, {"sni", "destinations", "clusters", "name"});
    L4Route route{.sni = {}, .destinations = {}, .clusters = {}, .name = from.name()};
    for (const std::string& sni : from.sni()) route.sni.push_back(ToLower(sni));
    for (const auto& range : from.destinations()) route.destinations.push_back(DecodeCidr(range, context));
    std::uint64_t sum = 0;
    for (const auto& cluster : from.clusters()) {
      context.Honours(cluster, {"name", "weight"});
      if (cluster.name().empty()) context.Reject("clusters: name is empty");
      route.clusters.push_back({.name = cluster.name(), .weight = cluster.weight()});
      sum += cluster.weight();
    }
    if (sum == 0) context.Reject("the weights add up to 0");
    out.routes.push_back(std::move(route));
  }
  return out;
}

}  // namespace plait::xds
