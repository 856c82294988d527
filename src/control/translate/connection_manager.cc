#include "control/translate/connection_manager.h"

#include "core/xds/istio_log_format.h"

namespace plait::control::translate {
namespace {

void SetPathNormalization(const model::MeshConfig& mesh, xds::HttpConnectionManager& out) {
  using Mode = model::MeshConfig::PathNormalization;
  out.normalize_path = mesh.path_normalization != Mode::kNone;
  out.merge_slashes =
      mesh.path_normalization == Mode::kMergeSlashes || mesh.path_normalization == Mode::kDecodeAndMerge;
  if (mesh.path_normalization == Mode::kDecodeAndMerge)
    out.escaped_slashes = xds::HttpConnectionManager::EscapedSlashes::kUnescapeAndForward;
}

void SetClientCertificate(Side side, xds::HttpConnectionManager& out) {
  using Forward = xds::HttpConnectionManager::ForwardClientCert;
  if (side == Side::kOutbound) return;
  out.forward_client_cert = side == Side::kInbound ? Forward::kAppendForward : Forward::kSanitizeSet;
  out.client_cert_details.subject = true;
  out.client_cert_details.uri = true;
  out.client_cert_details.dns = side == Side::kInbound;
  out.client_cert_details.cert = side == Side::kGateway;
}
}  // namespace

std::vector<xds::AccessLog> AccessLogs(const model::Snapshot& snapshot) {
  const model::MeshConfig& mesh = snapshot.mesh();
  if (mesh.access_log_file.empty()) return {};
  xds::AccessLog out;
  out.name = "envoy.access_loggers.file";
  out.target = xds::AccessLog::Target::kFile;
  out.path = mesh.access_log_file;
  if (mesh.access_log_json) {
    out.format = xds::AccessLog::Format::kJson;
    out.json_format = mesh.access_log_json_format.value_or(xds::IstioJsonFormat());
  } else {
    out.text_format = mesh.access_log_format.empty() ? std::string(xds::kIstioFormat) : mesh.access_log_format;
    if (!out.text_format.ends_with('\n')) out.text_format += '\n';  // as Istio
  }
  return {out};
}

std::vector<xds::AccessLog> ListenerAccessLogs(const model::Snapshot& snapshot) {
  std::vector<xds::AccessLog> out = AccessLogs(snapshot);
  for (xds::AccessLog& log : out) {
    log.filter = xds::AccessLogFilter{.kind = xds::AccessLogFilter::Kind::kResponseFlag, .flags = {"NR"}};
  }
  return out;
}

xds::HttpConnectionManager ConnectionManager(const model::Snapshot& snapshot, Side side, std::string route_name,
                                             std::vector<xds::HttpFilter> before) {
  xds::HttpConnectionManager out;
  out.stat_prefix = side == Side::kInbound ? "inbound_0.0.0.0" : "outbound_0.0.0.0";
  out.routes = xds::RdsRef{std::move(route_name)};
  out.filters = std::move(before);
  if (side != Side::kGateway)
    out.filters.push_back(
        {.name = "envoy.filters.http.grpc_stats", .config = xds::GrpcStatsFilter{.emit_filter_state = true}});
  if (side != Side::kInbound) {
    out.filters.push_back({.name = "istio.alpn", .config = xds::IstioAlpnFilter{}});
    out.filters.push_back({.name = "envoy.filters.http.fault", .config = xds::FaultPolicy{}});
    out.filters.push_back({.name = "envoy.filters.http.cors", .config = xds::CorsFilter{}});
  }
  out.filters.push_back({.name = "istio.stats", .config = xds::IstioStatsFilter{}});
  out.filters.push_back({.name = "envoy.filters.http.router", .config = xds::RouterFilter{}});
  out.http1.accept_http_10 = true;
  out.http1.preserve_case = true;
  out.server_name = "istio-envoy";
  if (side == Side::kInbound) out.server_header = xds::HttpConnectionManager::ServerHeader::kPassThrough;
  out.stream_idle_timeout = Duration::zero();
  out.access_logs = AccessLogs(snapshot);
  out.use_remote_address = side == Side::kGateway;
  if (side == Side::kGateway) out.xff_num_trusted_hops = snapshot.mesh().trusted_proxies;
  out.upgrades = {{.type = "websocket"}};
  // Callers' proxies with h2UpgradePolicy ask for a WebSocket in HTTP/2 (RFC 8441). Not for browsers, which would do so
  // without the Sec-WebSocket-Key that applications of HTTP/1 want.
  out.http2.allow_connect = side == Side::kInbound;
  SetPathNormalization(snapshot.mesh(), out);
  SetClientCertificate(side, out);
  xds::Tracing tracing;
  tracing.random_sampling = snapshot.mesh().tracing_sampling_per_million.value_or(10'000) / 10'000.0;
  out.tracing = tracing;
  return out;
}

xds::TcpProxy TcpTemplate(const model::Snapshot& snapshot, std::string stat_prefix) {
  xds::TcpProxy out;
  out.stat_prefix = std::move(stat_prefix);
  out.access_logs = AccessLogs(snapshot);
  return out;
}

}  // namespace plait::control::translate
