#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/listener/original_src/v3/original_src.pb.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"

namespace plait::xds {
namespace encode {
namespace {
namespace pb = envoy::config::listener::v3;
namespace filters = envoy::extensions::filters::listener;

void FillMatch(const FilterChainMatch& in, pb::FilterChainMatch& out) {
  constexpr pb::FilterChainMatch::ConnectionSourceType kSources[] = {
      pb::FilterChainMatch::ANY, pb::FilterChainMatch::SAME_IP_OR_LOOPBACK, pb::FilterChainMatch::EXTERNAL};
  if (in.destination_port) out.mutable_destination_port()->set_value(*in.destination_port);
  for (const io::Cidr& range : in.prefix_ranges) Fill(range, *out.add_prefix_ranges());
  out.set_source_type(kSources[static_cast<std::size_t>(in.source_type)]);
  for (const io::Cidr& range : in.source_prefix_ranges) Fill(range, *out.add_source_prefix_ranges());
  for (const io::Cidr& range : in.direct_source_prefix_ranges) Fill(range, *out.add_direct_source_prefix_ranges());
  for (const std::uint16_t port : in.source_ports) out.add_source_ports(port);
  for (const std::string& name : in.server_names) out.add_server_names(name);
  out.set_transport_protocol(in.transport_protocol);
  for (const std::string& protocol : in.application_protocols) out.add_application_protocols(protocol);
}

void FillChain(const FilterChain& in, pb::FilterChain& out) {
  out.set_name(in.name);
  if (in.match != FilterChainMatch{}) FillMatch(in.match, *out.mutable_filter_chain_match());
  for (const NetworkFilter& filter : in.filters) Fill(filter, *out.add_filters());
  if (in.tls) FillSocket(in.tls, *out.mutable_transport_socket());
  if (in.transport_socket_connect_timeout)
    Fill(*in.transport_socket_connect_timeout, *out.mutable_transport_socket_connect_timeout());
}

void PackListenerFilter(const ListenerFilter& in, google::protobuf::Any& out) {
  switch (in.kind) {
    case ListenerFilter::Kind::kOriginalDst: return Pack(filters::original_dst::v3::OriginalDst(), out);
    case ListenerFilter::Kind::kTlsInspector: return Pack(filters::tls_inspector::v3::TlsInspector(), out);
    case ListenerFilter::Kind::kHttpInspector: return Pack(filters::http_inspector::v3::HttpInspector(), out);
    case ListenerFilter::Kind::kOriginalSrc: {
      filters::original_src::v3::OriginalSrc message;
      message.set_mark(in.mark);
      message.set_bind_port(in.bind_port);
      return Pack(message, out);
    }
    case ListenerFilter::Kind::kProxyProtocol: {
      filters::proxy_protocol::v3::ProxyProtocol message;
      message.set_allow_requests_without_proxy_protocol(in.allow_without_proxy_protocol);
      return Pack(message, out);
    }
  }
}

void FillPortRange(const std::pair<std::uint32_t, std::uint32_t>& in, pb::ListenerFilterChainMatchPredicate& out) {
  out.mutable_destination_port_range()->set_start(static_cast<std::int32_t>(in.first));
  out.mutable_destination_port_range()->set_end(static_cast<std::int32_t>(in.second));
}

void FillListenerFilter(const ListenerFilter& in, pb::ListenerFilter& out) {
  out.set_name(in.name);
  PackListenerFilter(in, *out.mutable_typed_config());
  if (in.disabled_ports.size() == 1) return FillPortRange(in.disabled_ports[0], *out.mutable_filter_disabled());
  for (const auto& range : in.disabled_ports)
    FillPortRange(range, *out.mutable_filter_disabled()->mutable_or_match()->add_rules());
}

void FillAddress(const ListenerAddress& in, envoy::config::core::v3::Address& out) {
  Fill(in.address, out);
  if (in.ipv4_compat) out.mutable_socket_address()->set_ipv4_compat(true);
}

void FillSocketOptions(const Listener& in, pb::Listener& out) {
  if (!in.bind_to_port) out.mutable_bind_to_port()->set_value(false);
  // Whoever has the proxy's uid could bind beside a socket that allows it (semantics.md 8).
  out.mutable_enable_reuse_port()->set_value(false);
  if (in.use_original_dst) out.mutable_use_original_dst()->set_value(true);
  if (in.transparent) out.mutable_transparent()->set_value(true);
  if (in.backlog) out.mutable_tcp_backlog_size()->set_value(*in.backlog);
  if (in.exact_balance) out.mutable_connection_balance_config()->mutable_exact_balance();
  if (in.max_connections_to_accept_per_socket_event != 0)
    out.mutable_max_connections_to_accept_per_socket_event()->set_value(in.max_connections_to_accept_per_socket_event);
  out.set_ignore_global_conn_limit(in.ignore_global_connection_limit);
}

void FillListener(const Listener& in, pb::Listener& out) {
  using envoy::config::core::v3::TrafficDirection;
  constexpr TrafficDirection kDirections[] = {TrafficDirection::UNSPECIFIED, TrafficDirection::INBOUND,
                                              TrafficDirection::OUTBOUND};
  out.set_name(in.name);
  for (std::size_t i = 0; i < in.addresses.size(); ++i)
    FillAddress(in.addresses[i], i == 0 ? *out.mutable_address() : *out.add_additional_addresses()->mutable_address());
  out.set_stat_prefix(in.stat_prefix);
  FillSocketOptions(in, out);
  for (const ListenerFilter& filter : in.listener_filters) FillListenerFilter(filter, *out.add_listener_filters());
  if (in.listener_filters_timeout) Fill(*in.listener_filters_timeout, *out.mutable_listener_filters_timeout());
  out.set_continue_on_listener_filters_timeout(in.continue_on_listener_filters_timeout);
  for (const FilterChain& chain : in.filter_chains) FillChain(chain, *out.add_filter_chains());
  if (in.default_filter_chain) FillChain(*in.default_filter_chain, *out.mutable_default_filter_chain());
  if (in.per_connection_buffer_limit)
    out.mutable_per_connection_buffer_limit_bytes()->set_value(*in.per_connection_buffer_limit);
  out.set_traffic_direction(kDirections[static_cast<std::size_t>(in.direction)]);
  for (const AccessLog& log : in.access_logs) Fill(log, *out.add_access_log());
}

}  // namespace
}  // namespace encode

std::string Encode(const Listener& listener) {
  envoy::config::listener::v3::Listener out;
  encode::FillListener(listener, out);
  return encode::Bytes(out);
}

}  // namespace plait::xds
