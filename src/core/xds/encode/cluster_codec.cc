#include "envoy/config/cluster/v3/cluster.pb.h"

#include <google/protobuf/struct.pb.h>

#include "core/xds/encode/cluster_parts.h"
#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // fields that Envoy still reads and the structs still have

namespace plait::xds {
namespace encode {
namespace {
namespace pb = envoy::config::cluster::v3;
namespace options = envoy::extensions::upstreams::http::v3;

void FillHttp(const UpstreamHttpOptions& in, options::HttpProtocolOptions& out) {
  using Protocol = UpstreamHttpOptions::Protocol;
  const auto fill = [&](auto& config) {
    if (in.http1 != Http1Options{}) Fill(in.http1, *config.mutable_http_protocol_options());
    if (in.http2 != Http2Options{}) Fill(in.http2, *config.mutable_http2_protocol_options());
  };
  switch (in.protocol) {
    case Protocol::kHttp1: Fill(in.http1, *out.mutable_explicit_http_config()->mutable_http_protocol_options()); break;
    case Protocol::kHttp2: Fill(in.http2, *out.mutable_explicit_http_config()->mutable_http2_protocol_options()); break;
    case Protocol::kUseDownstream:
      out.mutable_use_downstream_protocol_config()->mutable_http_protocol_options();
      out.mutable_use_downstream_protocol_config()->mutable_http2_protocol_options();
      fill(*out.mutable_use_downstream_protocol_config());
      break;
    case Protocol::kAutoByAlpn: fill(*out.mutable_auto_config()); break;
  }
  if (in.common != CommonHttpOptions{}) Fill(in.common, *out.mutable_common_http_protocol_options());
  if (in.auto_sni || in.auto_san_validation || !in.override_auto_sni_header.empty()) {
    auto& upstream = *out.mutable_upstream_http_protocol_options();
    upstream.set_auto_sni(in.auto_sni);
    upstream.set_auto_san_validation(in.auto_san_validation);
    upstream.set_override_auto_sni_header(in.override_auto_sni_header);
  }
}

void FillType(const Cluster& in, pb::Cluster& out) {
  constexpr pb::Cluster::DiscoveryType kTypes[] = {pb::Cluster::STATIC, pb::Cluster::STRICT_DNS,
                                                   pb::Cluster::LOGICAL_DNS, pb::Cluster::EDS,
                                                   pb::Cluster::ORIGINAL_DST};
  out.set_type(kTypes[static_cast<std::size_t>(in.type)]);
  switch (in.type) {
    case Cluster::Type::kEds:
      out.mutable_eds_cluster_config()->set_service_name(in.eds_service_name);
      FillAds(*out.mutable_eds_cluster_config()->mutable_eds_config());
      if (in.eds_fetch_timeout)
        Fill(*in.eds_fetch_timeout,
             *out.mutable_eds_cluster_config()->mutable_eds_config()->mutable_initial_fetch_timeout());
      break;
    case Cluster::Type::kOriginalDst:
      if (in.cleanup_interval != std::chrono::seconds(5)) Fill(in.cleanup_interval, *out.mutable_cleanup_interval());
      if (in.original_dst) {
        auto& to = *out.mutable_original_dst_lb_config();
        to.set_use_http_header(in.original_dst->use_http_header);
        to.set_http_header_name(in.original_dst->http_header_name);
        if (in.original_dst->port_override)
          to.mutable_upstream_port_override()->set_value(*in.original_dst->port_override);
      }
      break;
    default: Fill(in.load_assignment, *out.mutable_load_assignment()); break;
  }
}

void FillDns(const Cluster& in, pb::Cluster& out) {
  constexpr pb::Cluster::DnsLookupFamily kFamilies[] = {pb::Cluster::AUTO, pb::Cluster::V4_ONLY, pb::Cluster::V6_ONLY,
                                                        pb::Cluster::V4_PREFERRED, pb::Cluster::ALL};
  if (in.type != Cluster::Type::kStrictDns && in.type != Cluster::Type::kLogicalDns) return;
  out.set_dns_lookup_family(kFamilies[static_cast<std::size_t>(in.dns_lookup_family)]);
  if (in.dns_refresh_rate != std::chrono::seconds(5)) Fill(in.dns_refresh_rate, *out.mutable_dns_refresh_rate());
  out.set_respect_dns_ttl(in.respect_dns_ttl);
  if (in.dns_jitter > Duration(0)) Fill(in.dns_jitter, *out.mutable_dns_jitter());
  if (!in.dns_failure_refresh_rate) return;
  Fill(in.dns_failure_refresh_rate->base_interval, *out.mutable_dns_failure_refresh_rate()->mutable_base_interval());
  Fill(in.dns_failure_refresh_rate->max_interval, *out.mutable_dns_failure_refresh_rate()->mutable_max_interval());
}

// Linux' numbers: the message carries them as they are.
constexpr int kSolSocket = 1;
constexpr int kSoMark = 36;

void FillMark(std::uint32_t mark, envoy::config::core::v3::BindConfig& out) {
  auto& option = *out.add_socket_options();
  option.set_description("mark of connections to the own application");
  option.set_level(kSolSocket);
  option.set_name(kSoMark);
  option.set_int_value(mark);
  option.set_state(envoy::config::core::v3::SocketOption::STATE_PREBIND);
}

void FillConnections(const Cluster& in, std::uint32_t bind_mark, pb::Cluster& out) {
  Fill(in.connect_timeout, *out.mutable_connect_timeout());
  if (in.per_connection_buffer_limit != 1024 * 1024)
    out.mutable_per_connection_buffer_limit_bytes()->set_value(in.per_connection_buffer_limit);
  if (in.bind_address) {
    auto& bind = *out.mutable_upstream_bind_config();
    bind.mutable_source_address()->set_address(in.bind_address->ip.ToString());
    bind.mutable_source_address()->set_port_value(in.bind_address->port.value);
    for (const io::SocketAddress& extra : in.extra_bind_addresses) {
      bind.add_extra_source_addresses()->mutable_address()->set_address(extra.ip.ToString());
      bind.mutable_extra_source_addresses()->rbegin()->mutable_address()->set_port_value(extra.port.value);
    }
    if (bind_mark != 0) FillMark(bind_mark, bind);
  }
  if (!in.tcp_keep_alive && !in.set_local_interface_name_on_upstream_connections) return;
  auto& connection = *out.mutable_upstream_connection_options();
  connection.set_set_local_interface_name_on_upstream_connections(in.set_local_interface_name_on_upstream_connections);
  if (!in.tcp_keep_alive) return;
  auto& keep_alive = *connection.mutable_tcp_keepalive();
  if (in.tcp_keep_alive->probes) keep_alive.mutable_keepalive_probes()->set_value(*in.tcp_keep_alive->probes);
  if (in.tcp_keep_alive->time_s) keep_alive.mutable_keepalive_time()->set_value(*in.tcp_keep_alive->time_s);
  if (in.tcp_keep_alive->interval_s) keep_alive.mutable_keepalive_interval()->set_value(*in.tcp_keep_alive->interval_s);
}

void FillTls(const Cluster& in, pb::Cluster& out) {
  if (in.tls) FillSocket(in.tls, *out.mutable_transport_socket());
  for (const TransportSocketMatch& match : in.transport_socket_matches) {
    auto& to = *out.add_transport_socket_matches();
    to.set_name(match.name);
    to.mutable_match();
    for (const auto& [key, value] : match.match) (*to.mutable_match()->mutable_fields())[key].set_string_value(value);
    FillSocket(match.tls, *to.mutable_transport_socket());
  }
}

void FillMetadata(const Cluster& in, pb::Cluster& out) {
  if (!in.istio_config.empty()) SetMetadata(*out.mutable_metadata(), "istio", "config", in.istio_config);
  if (in.istio_default_original_port)
    (*MetadataOf(*out.mutable_metadata(), "istio").mutable_fields())["default_original_port"].set_number_value(
        *in.istio_default_original_port);
  for (const ServiceRef& service : in.istio_services) {
    auto& list = *(*MetadataOf(*out.mutable_metadata(), "istio").mutable_fields())["services"].mutable_list_value();
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["host"].set_string_value(service.host);
    fields["name"].set_string_value(service.name);
    fields["namespace"].set_string_value(service.name_space);
  }
  if (in.pin_original_dst)
    (*MetadataOf(*out.mutable_metadata(), "plait.dev").mutable_fields())["pin_original_dst"].set_bool_value(true);
  if (!in.refused_by.empty()) SetMetadata(*out.mutable_metadata(), "plait.dev", "refused_by", in.refused_by);
}

}  // namespace
}  // namespace encode

std::string Encode(const Cluster& cluster, std::uint32_t bind_mark) {
  using namespace encode;  // NOLINT: this is its front
  pb::Cluster out;
  out.set_name(cluster.name);
  out.set_alt_stat_name(cluster.alt_stat_name);
  FillType(cluster, out);
  FillDns(cluster, out);
  FillConnections(cluster, bind_mark, out);
  Fill(cluster.lb, out);
  if (cluster.circuit_breakers != CircuitBreakers{})
    Fill(cluster.circuit_breakers, envoy::config::core::v3::DEFAULT, out);
  if (cluster.high_priority_breakers) Fill(*cluster.high_priority_breakers, envoy::config::core::v3::HIGH, out);
  if (cluster.outlier_detection) Fill(*cluster.outlier_detection, *out.mutable_outlier_detection());
  if (cluster.http != UpstreamHttpOptions{}) {
    options::HttpProtocolOptions http;
    FillHttp(cluster.http, http);
    Pack(http,
         (*out.mutable_typed_extension_protocol_options())["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]);
  }
  FillTls(cluster, out);
  out.set_ignore_health_on_host_removal(cluster.ignore_health_on_host_removal);
  FillMetadata(cluster, out);
  return Bytes(out);
}

}  // namespace plait::xds
