#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include "core/xds/encode/parts.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"

namespace plait::xds::encode {
namespace {
namespace core = envoy::config::core::v3;
namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using Pb = hcm::HttpConnectionManager;

void FillTimeouts(const HttpConnectionManager& in, Pb& out) {
  if (in.stream_idle_timeout) Fill(*in.stream_idle_timeout, *out.mutable_stream_idle_timeout());
  if (in.request_timeout) Fill(*in.request_timeout, *out.mutable_request_timeout());
  if (in.request_headers_timeout) Fill(*in.request_headers_timeout, *out.mutable_request_headers_timeout());
  if (in.drain_timeout != std::chrono::seconds(5)) Fill(in.drain_timeout, *out.mutable_drain_timeout());
  if (in.delayed_close_timeout != std::chrono::seconds(1))
    Fill(in.delayed_close_timeout, *out.mutable_delayed_close_timeout());
}

void FillRequestId(const HttpConnectionManager& in, Pb& out) {
  if (!in.generate_request_id) out.mutable_generate_request_id()->set_value(false);
  out.set_preserve_external_request_id(in.preserve_external_request_id);
  out.set_always_set_request_id_in_response(in.always_set_request_id_in_response);
  if (in.pack_trace_reason && in.use_request_id_for_trace_sampling) return;
  envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig uuid;
  uuid.mutable_pack_trace_reason()->set_value(in.pack_trace_reason);
  uuid.mutable_use_request_id_for_trace_sampling()->set_value(in.use_request_id_for_trace_sampling);
  Pack(uuid, *out.mutable_request_id_extension()->mutable_typed_config());
}

void FillEdge(const HttpConnectionManager& in, Pb& out) {
  if (in.use_remote_address) out.mutable_use_remote_address()->set_value(true);
  out.set_xff_num_trusted_hops(in.xff_num_trusted_hops);
  out.set_skip_xff_append(in.skip_xff_append);
  out.set_via(in.via);
  if (in.internal_addresses) {
    out.mutable_internal_address_config();
    for (const io::Cidr& range : in.internal_addresses->ranges)
      Fill(range, *out.mutable_internal_address_config()->add_cidr_ranges());
  }
  constexpr Pb::ForwardClientCertDetails kForward[] = {Pb::SANITIZE, Pb::FORWARD_ONLY, Pb::APPEND_FORWARD,
                                                       Pb::SANITIZE_SET, Pb::ALWAYS_FORWARD_ONLY};
  out.set_forward_client_cert_details(kForward[static_cast<std::size_t>(in.forward_client_cert)]);
  if (in.client_cert_details != HttpConnectionManager::ClientCertDetails{}) {
    auto& details = *out.mutable_set_current_client_cert_details();
    if (in.client_cert_details.subject) details.mutable_subject()->set_value(true);
    details.set_cert(in.client_cert_details.cert);
    details.set_chain(in.client_cert_details.chain);
    details.set_dns(in.client_cert_details.dns);
    details.set_uri(in.client_cert_details.uri);
  }
  out.set_append_x_forwarded_port(in.append_x_forwarded_port);
  if (!in.scheme_overwrite.empty())
    out.mutable_scheme_header_transformation()->set_scheme_to_overwrite(in.scheme_overwrite);
}

void FillPaths(const HttpConnectionManager& in, Pb& out) {
  constexpr Pb::PathWithEscapedSlashesAction kSlashes[] = {Pb::KEEP_UNCHANGED, Pb::REJECT_REQUEST,
                                                           Pb::UNESCAPE_AND_REDIRECT, Pb::UNESCAPE_AND_FORWARD};
  out.mutable_normalize_path()->set_value(in.normalize_path);
  out.set_merge_slashes(in.merge_slashes);
  out.set_path_with_escaped_slashes_action(kSlashes[static_cast<std::size_t>(in.escaped_slashes)]);
  out.set_strip_matching_host_port(in.strip_matching_host_port);
  if (in.strip_any_host_port) out.set_strip_any_host_port(true);
  out.set_strip_trailing_host_dot(in.strip_trailing_host_dot);
}

void FillTracing(const Tracing& in, Pb::Tracing& out) {
  out.mutable_client_sampling()->set_value(in.client_sampling);
  out.mutable_random_sampling()->set_value(in.random_sampling);
  out.mutable_overall_sampling()->set_value(in.overall_sampling);
}

}  // namespace

void Fill(const Http1Options& in, core::Http1ProtocolOptions& out) {
  out.set_accept_http_10(in.accept_http_10);
  out.set_default_host_for_http_10(in.default_host_for_http_10);
  if (in.preserve_case) {
    auto& formatter = *out.mutable_header_key_format()->mutable_stateful_formatter();
    formatter.set_name("preserve_case");
    Pack(envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig(),
         *formatter.mutable_typed_config());
  }
  out.set_enable_trailers(in.enable_trailers);
  out.set_allow_chunked_length(in.allow_chunked_length);
  if (in.override_stream_error_on_invalid_http_message)
    out.mutable_override_stream_error_on_invalid_http_message()->set_value(
        *in.override_stream_error_on_invalid_http_message);
}

void Fill(const Http2Options& in, core::Http2ProtocolOptions& out) {
  if (in.hpack_table_size) out.mutable_hpack_table_size()->set_value(*in.hpack_table_size);
  if (in.max_concurrent_streams) out.mutable_max_concurrent_streams()->set_value(*in.max_concurrent_streams);
  if (in.initial_stream_window_size)
    out.mutable_initial_stream_window_size()->set_value(*in.initial_stream_window_size);
  if (in.initial_connection_window_size)
    out.mutable_initial_connection_window_size()->set_value(*in.initial_connection_window_size);
  out.set_allow_connect(in.allow_connect);
  if (in.override_stream_error_on_invalid_http_message)
    out.mutable_override_stream_error_on_invalid_http_message()->set_value(
        *in.override_stream_error_on_invalid_http_message);
  if (!in.keep_alive) return;
  auto& keep_alive = *out.mutable_connection_keepalive();
  if (in.keep_alive->interval) Fill(*in.keep_alive->interval, *keep_alive.mutable_interval());
  Fill(in.keep_alive->timeout, *keep_alive.mutable_timeout());
  if (in.keep_alive->connection_idle_interval)
    Fill(*in.keep_alive->connection_idle_interval, *keep_alive.mutable_connection_idle_interval());
}

void Fill(const CommonHttpOptions& in, core::HttpProtocolOptions& out) {
  constexpr core::HttpProtocolOptions::HeadersWithUnderscoresAction kUnderscores[] = {
      core::HttpProtocolOptions::ALLOW, core::HttpProtocolOptions::REJECT_REQUEST,
      core::HttpProtocolOptions::DROP_HEADER};
  if (in.idle_timeout) Fill(*in.idle_timeout, *out.mutable_idle_timeout());
  if (in.max_connection_duration) Fill(*in.max_connection_duration, *out.mutable_max_connection_duration());
  if (in.max_stream_duration) Fill(*in.max_stream_duration, *out.mutable_max_stream_duration());
  if (in.max_headers_count) out.mutable_max_headers_count()->set_value(*in.max_headers_count);
  if (in.max_requests_per_connection)
    out.mutable_max_requests_per_connection()->set_value(*in.max_requests_per_connection);
  if (in.max_response_headers_kb) out.mutable_max_response_headers_kb()->set_value(*in.max_response_headers_kb);
  out.set_headers_with_underscores_action(kUnderscores[static_cast<std::size_t>(in.underscores)]);
}

void Fill(const HttpConnectionManager& in, Pb& out) {
  constexpr Pb::CodecType kCodecs[] = {Pb::AUTO, Pb::HTTP1, Pb::HTTP2};
  constexpr Pb::ServerHeaderTransformation kServer[] = {Pb::OVERWRITE, Pb::APPEND_IF_ABSENT, Pb::PASS_THROUGH};
  out.set_stat_prefix(in.stat_prefix);
  out.set_codec_type(kCodecs[static_cast<std::size_t>(in.codec)]);
  if (const auto* rds = std::get_if<RdsRef>(&in.routes)) {
    out.mutable_rds()->set_route_config_name(rds->name);
    FillAds(*out.mutable_rds()->mutable_config_source());
    if (rds->fetch_timeout)
      Fill(*rds->fetch_timeout, *out.mutable_rds()->mutable_config_source()->mutable_initial_fetch_timeout());
  } else {
    Fill(std::get<RouteConfiguration>(in.routes), *out.mutable_route_config());
  }
  for (const HttpFilter& filter : in.filters) Fill(filter, *out.add_http_filters());
  if (in.common != CommonHttpOptions{}) Fill(in.common, *out.mutable_common_http_protocol_options());
  if (in.http1 != Http1Options{}) Fill(in.http1, *out.mutable_http_protocol_options());
  if (in.http2 != Http2Options{}) Fill(in.http2, *out.mutable_http2_protocol_options());
  if (in.server_name != "envoy") out.set_server_name(in.server_name);
  out.set_server_header_transformation(kServer[static_cast<std::size_t>(in.server_header)]);
  if (in.max_request_headers_kb != 60) out.mutable_max_request_headers_kb()->set_value(in.max_request_headers_kb);
  FillTimeouts(in, out);
  for (const AccessLog& log : in.access_logs) Fill(log, *out.add_access_log());
  if (in.tracing) FillTracing(*in.tracing, *out.mutable_tracing());
  FillEdge(in, out);
  FillRequestId(in, out);
  FillPaths(in, out);
  out.set_proxy_100_continue(in.proxy_100_continue);
  for (const UpgradeConfig& upgrade : in.upgrades) {
    auto& to = *out.add_upgrade_configs();
    to.set_upgrade_type(upgrade.type);
    if (!upgrade.enabled) to.mutable_enabled()->set_value(false);
  }
  if (in.stream_error_on_invalid_http_message)
    out.mutable_stream_error_on_invalid_http_message()->set_value(*in.stream_error_on_invalid_http_message);
}

}  // namespace plait::xds::encode
