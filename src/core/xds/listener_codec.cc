#include "core/xds/listener_codec.h"

#include "core/base/strings.h"
#include "core/xds/access_log_codec.h"
#include "core/xds/common_codec.h"
#include "core/xds/tls_codec.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/listener/original_src/v3/original_src.pb.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::listener::v3;
using At = DecodeContext::At;

FilterChainMatch DecodeMatch(const pb::FilterChainMatch& in, DecodeContext& context) {
  const At at(context, "filter_chain_match");
  context.Honours(
      in, {"destination_port", "prefix_ranges", "source_type", "source_prefix_ranges", "direct_source_prefix_ranges",
           "source_ports", "server_names", "transport_protocol", "application_protocols"});
  FilterChainMatch out;
  if (in.has_destination_port()) out.destination_port = DecodePort(in.destination_port().value(), context);
  for (const auto& range : in.prefix_ranges()) out.prefix_ranges.push_back(DecodeCidr(range, context));
  out.source_type = static_cast<FilterChainMatch::SourceType>(in.source_type());
  for (const auto& range : in.source_prefix_ranges()) out.source_prefix_ranges.push_back(DecodeCidr(range, context));
  for (const auto& range : in.direct_source_prefix_ranges())
    out.direct_source_prefix_ranges.push_back(DecodeCidr(range, context));
  for (const std::uint32_t port : in.source_ports()) out.source_ports.push_back(DecodePort(port, context));
  for (const std::string& name : in.server_names()) out.server_names.push_back(ToLower(name));
  out.transport_protocol = in.transport_protocol();
  if (!out.transport_protocol.empty() && out.transport_protocol != "tls" && out.transport_protocol != "raw_buffer")
    context.Reject("transport_protocol \"" + out.transport_protocol + "\" is not implemented");
  out.application_protocols = {in.application_protocols().begin(), in.application_protocols().end()};
  return out;
}

bool IsTerminal(const NetworkFilter& filter) {
  return std::holds_alternative<HttpConnectionManager>(filter.config) ||
         std::holds_alternative<TcpProxy>(filter.config) || std::holds_alternative<Outbound>(filter.config) ||
         std::holds_alternative<Inbound>(filter.config) || std::holds_alternative<EchoFilter>(filter.config);
}

FilterChain DecodeChain(const pb::FilterChain& in, DecodeContext& context) {
  context.Honours(in,
                  {"name", "filter_chain_match", "filters", "transport_socket", "transport_socket_connect_timeout"});
  FilterChain out;
  out.name = in.name();
  if (in.has_filter_chain_match()) out.match = DecodeMatch(in.filter_chain_match(), context);
  for (int i = 0; i < in.filters_size(); ++i) {
    const At at(context, "filters", i);
    out.filters.push_back(DecodeNetworkFilter(in.filters(i), context));
    if (!context.ok()) return out;
    if (IsTerminal(out.filters.back()) != (i + 1 == in.filters_size()))
      context.Reject("exactly the last filter must be terminal (an HTTP connection manager or a TCP proxy)");
  }
  if (out.filters.empty()) context.Reject("filters are empty");
  if (in.has_transport_socket()) out.tls = DecodeDownstreamSocket(in.transport_socket(), context);
  if (in.has_transport_socket_connect_timeout())
    out.transport_socket_connect_timeout = DecodeDuration(in.transport_socket_connect_timeout(), context);
  return out;
}

// filter_disabled as Istio writes it: destination port ranges, alone or in or_match.
void DecodeDisabled(const pb::ListenerFilterChainMatchPredicate& in, ListenerFilter& out, DecodeContext& context) {
  context.Honours(in, {"destination_port_range", "or_match"});
  if (in.has_destination_port_range()) {
    out.disabled_ports.emplace_back(in.destination_port_range().start(), in.destination_port_range().end());
    return;
  }
  if (!in.has_or_match())
    return context.Reject("filter_disabled: only destination_port_range and or_match are implemented");
  context.Honours(in.or_match(), {"rules"});
  for (const auto& rule : in.or_match().rules()) DecodeDisabled(rule, out, context);
}

ListenerFilter DecodeListenerFilter(const pb::ListenerFilter& in, DecodeContext& context) {
  context.Honours(in, {"name", "typed_config", "filter_disabled"});
  using Kind = ListenerFilter::Kind;
  ListenerFilter out{.name = in.name()};
  std::string_view type = TypeOf(in.typed_config());
  constexpr std::string_view kPrefix = "envoy.extensions.filters.listener.";
  if (type.starts_with(kPrefix)) type.remove_prefix(kPrefix.size());
  if (type == "original_dst.v3.OriginalDst" || (type.empty() && in.name() == "envoy.filters.listener.original_dst")) {
    envoy::extensions::filters::listener::original_dst::v3::OriginalDst destination;
    if (Unpack(in.typed_config(), destination, context)) context.Honours(destination, {});
    out.kind = Kind::kOriginalDst;
  } else if (type == "tls_inspector.v3.TlsInspector" ||
             (type.empty() && in.name() == "envoy.filters.listener.tls_inspector")) {
    envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector inspector;
    if (Unpack(in.typed_config(), inspector, context)) context.Honours(inspector, {});
    out.kind = Kind::kTlsInspector;
  } else if (type == "http_inspector.v3.HttpInspector" ||
             (type.empty() && in.name() == "envoy.filters.listener.http_inspector")) {
    envoy::extensions::filters::listener::http_inspector::v3::HttpInspector inspector;
    if (Unpack(in.typed_config(), inspector, context)) context.Honours(inspector, {});
    out.kind = Kind::kHttpInspector;
  } else if (type == "proxy_protocol.v3.ProxyProtocol") {
    envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol proxy;
    if (Unpack(in.typed_config(), proxy, context)) context.Honours(proxy, {"allow_requests_without_proxy_protocol"});
    out.kind = Kind::kProxyProtocol;
    out.allow_without_proxy_protocol = proxy.allow_requests_without_proxy_protocol();
  } else if (type == "original_src.v3.OriginalSrc") {
    envoy::extensions::filters::listener::original_src::v3::OriginalSrc source;
    if (Unpack(in.typed_config(), source, context)) context.Honours(source, {"bind_port", "mark"});
    out.kind = Kind::kOriginalSrc;
    out.mark = source.mark();
    out.bind_port = source.bind_port();
  } else {
    context.Reject("listener filter \"" + in.name() + "\" of type \"" + std::string(TypeOf(in.typed_config())) +
                   "\" is not implemented");
  }
  if (in.has_filter_disabled()) DecodeDisabled(in.filter_disabled(), out, context);
  return out;
}

ListenerAddress DecodeListenerAddress(const envoy::config::core::v3::Address& in, DecodeContext& context) {
  return {.address = DecodeAddress(in, context), .ipv4_compat = in.socket_address().ipv4_compat()};
}

void DecodeSocketOptions(const pb::Listener& in, Listener& out, DecodeContext& context) {
  if (in.has_bind_to_port()) out.bind_to_port = in.bind_to_port().value();
  out.use_original_dst = in.use_original_dst().value();
  out.transparent = in.transparent().value();
  if (in.freebind().value()) context.Reject("freebind is not implemented");
  if (in.has_tcp_backlog_size()) out.backlog = in.tcp_backlog_size().value();
  context.Honours(in.connection_balance_config(), {});
  out.exact_balance = in.connection_balance_config().has_exact_balance();
  if (in.has_max_connections_to_accept_per_socket_event())
    out.max_connections_to_accept_per_socket_event = in.max_connections_to_accept_per_socket_event().value();
  out.ignore_global_connection_limit = in.ignore_global_conn_limit();
}

}  // namespace

Listener DecodeListenerMessage(const pb::Listener& in, DecodeContext& context) {
  context.Honours(
      in, {"name", "address", "additional_addresses", "stat_prefix", "filter_chains", "default_filter_chain",
           "use_original_dst", "bind_to_port", "transparent", "freebind", "listener_filters",
           "listener_filters_timeout", "continue_on_listener_filters_timeout", "per_connection_buffer_limit_bytes",
           "traffic_direction", "connection_balance_config", "tcp_backlog_size", "access_log"});
  Listener out;
  out.name = in.name();
  if (out.name.empty()) context.Reject("name is empty");
  {
    const At at(context, "address");
    out.addresses.push_back(DecodeListenerAddress(in.address(), context));
  }
  for (int i = 0; i < in.additional_addresses_size(); ++i) {
    const At at(context, "additional_addresses", i);
    context.Honours(in.additional_addresses(i), {"address"});
    out.addresses.push_back(DecodeListenerAddress(in.additional_addresses(i).address(), context));
  }
  out.stat_prefix = in.stat_prefix();
  DecodeSocketOptions(in, out, context);
  for (int i = 0; i < in.listener_filters_size(); ++i) {
    const At at(context, "listener_filters", i);
    out.listener_filters.push_back(DecodeListenerFilter(in.listener_filters(i), context));
  }
  if (in.has_listener_filters_timeout())
    out.listener_filters_timeout = DecodeDuration(in.listener_filters_timeout(), context);
  out.continue_on_listener_filters_timeout = in.continue_on_listener_filters_timeout();
  for (int i = 0; i < in.filter_chains_size(); ++i) {
    const At at(context, "filter_chains", i);
    out.filter_chains.push_back(DecodeChain(in.filter_chains(i), context));
  }
  if (in.has_default_filter_chain()) {
    const At at(context, "default_filter_chain");
    out.default_filter_chain = DecodeChain(in.default_filter_chain(), context);
  }
  if (out.filter_chains.empty() && !out.default_filter_chain) context.Reject("there is no filter chain");
  if (in.has_per_connection_buffer_limit_bytes())
    out.per_connection_buffer_limit = in.per_connection_buffer_limit_bytes().value();
  out.direction = static_cast<Listener::Direction>(in.traffic_direction());
  for (int i = 0; i < in.access_log_size(); ++i) {
    const At at(context, "access_log", i);
    out.access_logs.push_back(DecodeAccessLog(in.access_log(i), context));
  }
  return out;
}

}  // namespace plait::xds
