#include "core/xds/network_filters_codec.h"
#include "core/xds/access_log_codec.h"
#include "core/xds/common_codec.h"
#include "core/xds/http_connection_manager_codec.h"
#include "core/xds/listener_codec.h"
#include "core/xds/plait_forms_codec.h"
#include "core/xds/rbac_codec.h"
#include "envoy/config/filter/network/metadata_exchange/metadata_exchange.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/stats/config.pb.h"

namespace plait::xds {
namespace {
namespace network = envoy::extensions::filters::network;
using At = DecodeContext::At;

constexpr std::string_view kSniCluster = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster";
constexpr std::string_view kEcho = "envoy.extensions.filters.network.echo.v3.Echo";
constexpr std::string_view kOutbound = "plait.proxy.v1.Outbound";
constexpr std::string_view kInbound = "plait.proxy.v1.Inbound";

NetworkRbac DecodeRbac(const network::rbac::v3::RBAC& in, DecodeContext& context) {
  context.Honours(in, {"rules", "shadow_rules", "stat_prefix", "shadow_rules_stat_prefix", "enforcement_type"});
  NetworkRbac out;
  if (in.has_rules()) out.rules = DecodeRbacRules(in.rules(), context);
  if (in.has_shadow_rules()) out.shadow_rules = DecodeRbacRules(in.shadow_rules(), context);
  out.stat_prefix = in.stat_prefix();
  out.shadow_rules_stat_prefix = in.shadow_rules_stat_prefix();
  if (in.enforcement_type() == network::rbac::v3::RBAC::CONTINUOUS)
    context.Reject("enforcement_type CONTINUOUS is not implemented");
  return out;
}

}  // namespace

TcpProxy DecodeTcpProxy(const network::tcp_proxy::v3::TcpProxy& in, DecodeContext& context, bool is_template) {
  context.Honours(in, {"stat_prefix", "cluster", "weighted_clusters", "idle_timeout",
                       "max_downstream_connection_duration", "max_connect_attempts", "hash_policy", "access_log"});
  TcpProxy out;
  out.stat_prefix = in.stat_prefix();
  if (in.has_weighted_clusters()) {
    const At at(context, "weighted_clusters");
    context.Honours(in.weighted_clusters(), {"clusters"});
    std::uint64_t sum = 0;
    for (const auto& cluster : in.weighted_clusters().clusters()) {
      context.Honours(cluster, {"name", "weight"});
      if (cluster.name().empty()) context.Reject("name is empty");
      out.clusters.push_back({.name = cluster.name(), .weight = cluster.weight()});
      sum += cluster.weight();
    }
    if (sum == 0 || sum > UINT32_MAX) context.Reject("the weights add up to " + std::to_string(sum));
  } else if (!in.cluster().empty()) {
    out.clusters.push_back({.name = in.cluster()});
  }
  if (out.clusters.empty() && !is_template) context.Reject("no cluster is set");
  if (in.has_idle_timeout()) out.idle_timeout = DecodeDuration(in.idle_timeout(), context);
  if (in.has_max_downstream_connection_duration())
    out.max_downstream_connection_duration = DecodeDuration(in.max_downstream_connection_duration(), context);
  if (in.has_max_connect_attempts() && in.max_connect_attempts().value() == 0)
    context.Reject("max_connect_attempts must be above 0");
  if (in.has_max_connect_attempts()) out.max_connect_attempts = in.max_connect_attempts().value();
  for (const auto& hash : in.hash_policy()) {
    context.Honours(hash, {"source_ip"});
    if (!hash.has_source_ip()) context.Reject("hash_policy: only source_ip is implemented");
    out.hash_source_ip = true;
  }
  for (int i = 0; i < in.access_log_size(); ++i) {
    const At at(context, "access_log", i);
    out.access_logs.push_back(DecodeAccessLog(in.access_log(i), context));
  }
  return out;
}

NetworkFilter DecodeNetworkFilter(const envoy::config::listener::v3::Filter& in, DecodeContext& context) {
  context.Honours(in, {"name", "typed_config"});
  const google::protobuf::Any& any = in.typed_config();
  const std::string_view type = TypeOf(any);
  NetworkFilter out{.name = in.name(), .config = EchoFilter{}};
  if (network::http_connection_manager::v3::HttpConnectionManager hcm; type == hcm.GetTypeName()) {
    if (Unpack(any, hcm, context)) out.config = DecodeConnectionManager(hcm, context);
  } else if (network::tcp_proxy::v3::TcpProxy tcp; type == tcp.GetTypeName()) {
    if (Unpack(any, tcp, context)) out.config = DecodeTcpProxy(tcp, context, /*is_template=*/false);
  } else if (network::rbac::v3::RBAC rbac; type == rbac.GetTypeName()) {
    if (Unpack(any, rbac, context)) out.config = DecodeRbac(rbac, context);
  } else if (type == kOutbound) {
    out.config = DecodeOutbound(any.value(), context);
  } else if (type == kInbound) {
    out.config = DecodeInbound(any.value(), context);
  } else if (type == kSniCluster) {
    out.config = SniCluster{};
  } else if (stats::PluginConfig plugin; type == plugin.GetTypeName()) {
    if (Unpack(any, plugin, context)) context.Honours(plugin, {});
    out.config = IstioTcpStats{};
  } else if (::envoy::tcp::metadataexchange::config::MetadataExchange exchange; type == exchange.GetTypeName()) {
    if (Unpack(any, exchange, context)) context.Honours(exchange, {"protocol"});
    out.config = MetadataExchange{.protocol = exchange.protocol()};
  } else if (type != kEcho) {
    context.Reject("network filter \"" + in.name() + "\" of type \"" + std::string(type) + "\" is not implemented");
  }
  return out;
}

}  // namespace plait::xds
