#include "core/xds/encode/parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/config/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/network/echo/v3/echo.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

namespace plait::xds::encode {
namespace {
namespace network = envoy::extensions::filters::network;
using google::protobuf::Any;

struct PackFilter {
  Any& out;
  void operator()(const HttpConnectionManager& in) const {
    network::http_connection_manager::v3::HttpConnectionManager message;
    Fill(in, message);
    Pack(message, out);
  }
  void operator()(const TcpProxy& in) const {
    network::tcp_proxy::v3::TcpProxy message;
    Fill(in, message);
    Pack(message, out);
  }
  void operator()(const NetworkRbac& in) const {
    network::rbac::v3::RBAC message;
    if (in.rules) Fill(*in.rules, *message.mutable_rules());
    if (in.shadow_rules) Fill(*in.shadow_rules, *message.mutable_shadow_rules());
    message.set_stat_prefix(in.stat_prefix);
    message.set_shadow_rules_stat_prefix(in.shadow_rules_stat_prefix);
    Pack(message, out);
  }
  void operator()(const SniCluster&) const { Pack(network::sni_cluster::v3::SniCluster(), out); }
  void operator()(const EchoFilter&) const { Pack(network::echo::v3::Echo(), out); }
  // Istio's own: their messages have no C++ here.
  void operator()(const IstioTcpStats&) const { out.set_type_url("type.googleapis.com/stats.PluginConfig"); }
  void operator()(const MetadataExchange& in) const {
    out.set_type_url("type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange");
    if (in.protocol.empty() || in.protocol.size() > 127) return;
    out.set_value("\x0a" + std::string(1, static_cast<char>(in.protocol.size())) + in.protocol);  // field 1
  }
  void operator()(const Outbound& in) const { Pack(in, out); }
  void operator()(const Inbound& in) const { Pack(in, out); }
};

}  // namespace

void Fill(const TcpProxy& in, network::tcp_proxy::v3::TcpProxy& out) {
  out.set_stat_prefix(in.stat_prefix);
  if (in.clusters.size() == 1) {
    out.set_cluster(in.clusters[0].name);
  } else {
    for (const L4WeightedCluster& cluster : in.clusters) {
      auto& to = *out.mutable_weighted_clusters()->add_clusters();
      to.set_name(cluster.name);
      to.set_weight(cluster.weight);
    }
  }
  if (in.idle_timeout) Fill(*in.idle_timeout, *out.mutable_idle_timeout());
  if (in.max_downstream_connection_duration)
    Fill(*in.max_downstream_connection_duration, *out.mutable_max_downstream_connection_duration());
  if (in.max_connect_attempts) out.mutable_max_connect_attempts()->set_value(*in.max_connect_attempts);
  if (in.hash_source_ip) out.add_hash_policy()->mutable_source_ip();
  for (const AccessLog& log : in.access_logs) Fill(log, *out.add_access_log());
}

void Fill(const NetworkFilter& in, envoy::config::listener::v3::Filter& out) {
  out.set_name(in.name);
  std::visit(PackFilter{*out.mutable_typed_config()}, in.config);
}

}  // namespace plait::xds::encode
