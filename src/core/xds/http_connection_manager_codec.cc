#include "core/xds/http_connection_manager_codec.h"

#include "core/xds/access_log_codec.h"
#include "core/xds/common_codec.h"
#include "core/xds/http_filters_codec.h"
#include "core/xds/route_codec.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"

namespace plait::xds {
namespace {
namespace core = envoy::config::core::v3;
namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using At = DecodeContext::At;

std::optional<Duration> Optional(bool has, const google::protobuf::Duration& in, DecodeContext& context) {
  return has ? std::optional(DecodeDuration(in, context)) : std::nullopt;
}

void DecodeRouteSpecifier(const hcm::HttpConnectionManager& in, HttpConnectionManager& out, DecodeContext& context,
                          bool is_template) {
  if (in.has_route_config()) {
    const At at(context, "route_config");
    out.routes = DecodeRoutes(in.route_config(), context);
    return;
  }
  if (!in.has_rds() && !is_template) return context.Reject("neither route_config nor rds is set");
  const At at(context, "rds");
  context.Honours(in.rds(), {"config_source", "route_config_name"});
  if (in.rds().route_config_name().empty() && !is_template) context.Reject("route_config_name is empty");
  RdsRef rds{.name = in.rds().route_config_name()};
  if (in.rds().has_config_source()) {
    const At source(context, "config_source");
    IsAds(in.rds().config_source(), context);
    rds.fetch_timeout = FetchTimeoutOf(in.rds().config_source(), context);
  }
  out.routes = std::move(rds);
}

void DecodeFilters(const hcm::HttpConnectionManager& in, HttpConnectionManager& out, DecodeContext& context) {
  for (int i = 0; i < in.http_filters_size(); ++i) {
    const At at(context, "http_filters", i);
    if (auto filter = DecodeHttpFilter(in.http_filters(i), context)) out.filters.push_back(std::move(*filter));
  }
  if (context.ok() && (out.filters.empty() || !std::holds_alternative<RouterFilter>(out.filters.back().config)))
    context.Reject("http_filters: the last filter must be envoy.filters.http.router");
}

void DecodeRequestId(const hcm::HttpConnectionManager& in, HttpConnectionManager& out, DecodeContext& context) {
  if (in.has_generate_request_id()) out.generate_request_id = in.generate_request_id().value();
  out.preserve_external_request_id = in.preserve_external_request_id();
  out.always_set_request_id_in_response = in.always_set_request_id_in_response();
  if (!in.has_request_id_extension()) return;
  context.Honours(in.request_id_extension(), {"typed_config"});
  envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig uuid;
  if (TypeOf(in.request_id_extension().typed_config()) != uuid.GetTypeName())
    return context.Reject("request_id_extension: only uuid is implemented");
  if (!Unpack(in.request_id_extension().typed_config(), uuid, context)) return;
  context.Honours(uuid, {});
  if (uuid.has_pack_trace_reason()) out.pack_trace_reason = uuid.pack_trace_reason().value();
  if (uuid.has_use_request_id_for_trace_sampling())
    out.use_request_id_for_trace_sampling = uuid.use_request_id_for_trace_sampling().value();
}

void DecodeEdge(const hcm::HttpConnectionManager& in, HttpConnectionManager& out, DecodeContext& context) {
  out.use_remote_address = in.use_remote_address().value();
  out.xff_num_trusted_hops = in.xff_num_trusted_hops();
  out.skip_xff_append = in.skip_xff_append();
  out.via = in.via();
  if (in.has_internal_address_config()) {
    context.Honours(in.internal_address_config(), {"cidr_ranges"});
    InternalAddressConfig internal;
    for (const auto& range : in.internal_address_config().cidr_ranges())
      internal.ranges.push_back(DecodeCidr(range, context));
    out.internal_addresses = std::move(internal);
  }
  out.forward_client_cert = static_cast<HttpConnectionManager::ForwardClientCert>(in.forward_client_cert_details());
  const auto& details = in.set_current_client_cert_details();
  context.Honours(details, {"subject", "cert", "chain", "dns", "uri"});
  out.client_cert_details = {.subject = details.subject().value(),
                             .cert = details.cert(),
                             .chain = details.chain(),
                             .dns = details.dns(),
                             .uri = details.uri()};
  out.normalize_path = in.normalize_path().value();
  out.merge_slashes = in.merge_slashes();
  using Pb = hcm::HttpConnectionManager;
  using Slashes = HttpConnectionManager::EscapedSlashes;
  switch (in.path_with_escaped_slashes_action()) {
    case Pb::REJECT_REQUEST: out.escaped_slashes = Slashes::kReject; break;
    case Pb::UNESCAPE_AND_REDIRECT: out.escaped_slashes = Slashes::kUnescapeAndRedirect; break;
    case Pb::UNESCAPE_AND_FORWARD: out.escaped_slashes = Slashes::kUnescapeAndForward; break;
    default: break;
  }
  out.strip_matching_host_port = in.strip_matching_host_port();
  out.strip_any_host_port = in.strip_any_host_port();
  out.strip_trailing_host_dot = in.strip_trailing_host_dot();
  out.append_x_forwarded_port = in.append_x_forwarded_port();
  if (in.has_scheme_header_transformation()) {
    context.Honours(in.scheme_header_transformation(), {"scheme_to_overwrite"});
    out.scheme_overwrite = in.scheme_header_transformation().scheme_to_overwrite();
  }
}

}  // namespace

Http1Options DecodeHttp1(const core::Http1ProtocolOptions& in, DecodeContext& context) {
  context.Honours(in, {"allow_absolute_url", "default_host_for_http_10", "header_key_format", "enable_trailers",
                       "override_stream_error_on_invalid_http_message"});
  Http1Options out;
  if (in.has_allow_absolute_url() && !in.allow_absolute_url().value())
    context.Reject("allow_absolute_url: false is not implemented");
  out.accept_http_10 = in.accept_http_10();
  out.default_host_for_http_10 = in.default_host_for_http_10();
  if (in.has_header_key_format()) {
    const At at(context, "header_key_format");
    context.Honours(in.header_key_format(), {"stateful_formatter"});
    const auto& formatter = in.header_key_format().stateful_formatter();
    context.Honours(formatter, {"name", "typed_config"});
    envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig preserve;
    if (TypeOf(formatter.typed_config()) != preserve.GetTypeName()) {
      context.Reject("stateful_formatter: only preserve_case is implemented");
    } else if (Unpack(formatter.typed_config(), preserve, context)) {
      context.Honours(preserve, {});
      out.preserve_case = true;
    }
  }
  out.enable_trailers = in.enable_trailers();
  if (in.has_override_stream_error_on_invalid_http_message())
    out.override_stream_error_on_invalid_http_message = in.override_stream_error_on_invalid_http_message().value();
  return out;
}

Http2Options DecodeHttp2(const core::Http2ProtocolOptions& in, DecodeContext& context) {
  context.Honours(in, {"max_concurrent_streams", "initial_stream_window_size", "initial_connection_window_size",
                       "allow_connect", "connection_keepalive"});
  Http2Options out;
  const auto window = [&](const google::protobuf::UInt32Value& size, const char* name) {
    if (size.value() < 65535 || size.value() > 2147483647)
      context.Reject(std::string(name) + " must be 65535..2147483647");
  };
  if (in.has_initial_stream_window_size()) window(in.initial_stream_window_size(), "initial_stream_window_size");
  if (in.has_initial_connection_window_size())
    window(in.initial_connection_window_size(), "initial_connection_window_size");
  if (in.has_hpack_table_size()) out.hpack_table_size = in.hpack_table_size().value();
  if (in.has_max_concurrent_streams()) out.max_concurrent_streams = in.max_concurrent_streams().value();
  if (in.has_initial_stream_window_size()) out.initial_stream_window_size = in.initial_stream_window_size().value();
  if (in.has_initial_connection_window_size())
    out.initial_connection_window_size = in.initial_connection_window_size().value();
  out.allow_connect = in.allow_connect();
  if (in.has_override_stream_error_on_invalid_http_message())
    out.override_stream_error_on_invalid_http_message = in.override_stream_error_on_invalid_http_message().value();
  if (in.has_connection_keepalive()) {
    const auto& keep = in.connection_keepalive();
    context.Honours(keep, {});
    out.keep_alive = Http2KeepAlive{.interval = Optional(keep.has_interval(), keep.interval(), context),
                                    .timeout = DecodeDuration(keep.timeout(), context),
                                    .connection_idle_interval = Optional(keep.has_connection_idle_interval(),
                                                                         keep.connection_idle_interval(), context)};
  }
  return out;
}

CommonHttpOptions DecodeCommonHttp(const core::HttpProtocolOptions& in, DecodeContext& context) {
  context.Honours(in, {"idle_timeout", "max_connection_duration", "max_stream_duration", "max_headers_count",
                       "max_requests_per_connection", "max_response_headers_kb", "headers_with_underscores_action"});
  CommonHttpOptions out;
  out.idle_timeout = Optional(in.has_idle_timeout(), in.idle_timeout(), context);
  out.max_connection_duration = Optional(in.has_max_connection_duration(), in.max_connection_duration(), context);
  out.max_stream_duration = Optional(in.has_max_stream_duration(), in.max_stream_duration(), context);
  if (in.has_max_headers_count()) out.max_headers_count = in.max_headers_count().value();
  if (in.has_max_requests_per_connection()) out.max_requests_per_connection = in.max_requests_per_connection().value();
  if (in.has_max_response_headers_kb()) out.max_response_headers_kb = in.max_response_headers_kb().value();
  out.underscores = static_cast<CommonHttpOptions::Underscores>(in.headers_with_underscores_action());
  return out;
}

HttpConnectionManager DecodeConnectionManager(const hcm::HttpConnectionManager& in, DecodeContext& context,
                                              bool is_template) {
  context.Honours(in, {"codec_type",
                       "stat_prefix",
                       "rds",
                       "route_config",
                       "http_filters",
                       "tracing",
                       "common_http_protocol_options",
                       "http_protocol_options",
                       "http2_protocol_options",
                       "server_name",
                       "server_header_transformation",
                       "scheme_header_transformation",
                       "max_request_headers_kb",
                       "stream_idle_timeout",
                       "request_timeout",
                       "request_headers_timeout",
                       "drain_timeout",
                       "delayed_close_timeout",
                       "access_log",
                       "use_remote_address",
                       "xff_num_trusted_hops",
                       "skip_xff_append",
                       "via",
                       "internal_address_config",
                       "generate_request_id",
                       "preserve_external_request_id",
                       "always_set_request_id_in_response",
                       "request_id_extension",
                       "forward_client_cert_details",
                       "set_current_client_cert_details",
                       "proxy_100_continue",
                       "upgrade_configs",
                       "normalize_path",
                       "merge_slashes",
                       "path_with_escaped_slashes_action",
                       "strip_matching_host_port",
                       "strip_any_host_port",
                       "strip_trailing_host_dot",
                       "append_x_forwarded_port",
                       "stream_error_on_invalid_http_message"});
  HttpConnectionManager out;
  out.stat_prefix = in.stat_prefix();
  if (in.codec_type() == hcm::HttpConnectionManager::HTTP1) out.codec = HttpConnectionManager::Codec::kHttp1;
  if (in.codec_type() == hcm::HttpConnectionManager::HTTP2) out.codec = HttpConnectionManager::Codec::kHttp2;
  if (in.codec_type() == hcm::HttpConnectionManager::HTTP3) context.Reject("codec_type HTTP3 is not implemented");
  DecodeRouteSpecifier(in, out, context, is_template);
  DecodeFilters(in, out, context);
  for (std::size_t i = 0; context.ok() && i + 1 < out.filters.size(); ++i)
    if (std::holds_alternative<RouterFilter>(out.filters[i].config))
      context.Reject("http_filters: envoy.filters.http.router must be the last filter");
  if (in.has_max_request_headers_kb() &&
      (in.max_request_headers_kb().value() == 0 || in.max_request_headers_kb().value() > 8192))
    context.Reject("max_request_headers_kb must be 1..8192");
  out.common = DecodeCommonHttp(in.common_http_protocol_options(), context);
  out.http1 = DecodeHttp1(in.http_protocol_options(), context);
  out.http2 = DecodeHttp2(in.http2_protocol_options(), context);
  if (!in.server_name().empty()) out.server_name = in.server_name();
  out.server_header = static_cast<HttpConnectionManager::ServerHeader>(in.server_header_transformation());
  if (in.has_max_request_headers_kb()) out.max_request_headers_kb = in.max_request_headers_kb().value();
  out.stream_idle_timeout = Optional(in.has_stream_idle_timeout(), in.stream_idle_timeout(), context);
  out.request_timeout = Optional(in.has_request_timeout(), in.request_timeout(), context);
  out.request_headers_timeout = Optional(in.has_request_headers_timeout(), in.request_headers_timeout(), context);
  if (in.has_drain_timeout()) out.drain_timeout = DecodeDuration(in.drain_timeout(), context);
  if (in.has_delayed_close_timeout()) out.delayed_close_timeout = DecodeDuration(in.delayed_close_timeout(), context);
  for (int i = 0; i < in.access_log_size(); ++i) {
    const At at(context, "access_log", i);
    out.access_logs.push_back(DecodeAccessLog(in.access_log(i), context));
  }
  if (in.has_tracing()) {
    const At at(context, "tracing");
    context.Honours(in.tracing(), {});
    Tracing tracing;
    if (in.tracing().has_client_sampling()) tracing.client_sampling = in.tracing().client_sampling().value();
    if (in.tracing().has_random_sampling()) tracing.random_sampling = in.tracing().random_sampling().value();
    if (in.tracing().has_overall_sampling()) tracing.overall_sampling = in.tracing().overall_sampling().value();
    out.tracing = tracing;
  }
  DecodeEdge(in, out, context);
  DecodeRequestId(in, out, context);
  out.proxy_100_continue = in.proxy_100_continue();
  for (const auto& upgrade : in.upgrade_configs()) {
    context.Honours(upgrade, {"upgrade_type", "enabled"});
    out.upgrades.push_back(
        {.type = upgrade.upgrade_type(), .enabled = !upgrade.has_enabled() || upgrade.enabled().value()});
  }
  if (in.has_stream_error_on_invalid_http_message())
    out.stream_error_on_invalid_http_message = in.stream_error_on_invalid_http_message().value();
  return out;
}

}  // namespace plait::xds
