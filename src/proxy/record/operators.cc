#include "proxy/record/operators.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/base/random.h"
#include "core/base/strings.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"
#include "proxy/record/http_operators.h"
#include "proxy/record/log_time.h"
#include "proxy/record/operator_text.h"

namespace plait::proxy::record {
namespace {

using namespace operators;  // NOLINT: this is their table
using Piece = Format::Piece;

// A host that is called at an address of its other family (upstream/dial.h) shows it by the end that is ours.
const io::SocketAddress& RemoteOf(const StreamRecord& record) {
  const cluster::Host& host = *record.host;
  const bool first = host.other() == nullptr || record.upstream_local->ip.is_v4() == host.address().ip.is_v4();
  return first ? host.address() : *host.other();
}

bool Time(WallTime at, const Piece& piece, std::string& out) {
  if (piece.text.empty()) {
    AppendTime(at, out);
  } else {
    AppendTimeAs(at, piece.text, Zone::kUtc, out);
  }
  return true;
}
bool LocalTime(WallTime start, const Piece& piece, std::string& out) {
  AppendTimeAs(start, piece.text.empty() ? "%Y-%m-%dT%H:%M:%S.%3f%z" : std::string_view(piece.text), Zone::kLocal, out);
  return true;
}

// A point of time of a request, since it began, by the name that %COMMON_DURATION% has for it.
std::optional<Duration> PointOfTime(const StreamRecord& r, std::string_view name) {
  if (name == "DS_RX_BEG") return r.request != nullptr ? std::optional(Duration(0)) : std::nullopt;
  if (name == "DS_RX_END") return r.request_received;
  if (name == "US_TX_BEG") return r.upstream_first_sent;
  if (name == "US_TX_END") return r.upstream_last_sent;
  if (name == "US_RX_BEG") return r.upstream_first_received;
  if (name == "US_RX_END") return r.upstream_last_received;
  if (name == "DS_TX_BEG") return r.response_first_sent;
  if (name == "DS_TX_END") return r.response_first_sent ? r.total : std::nullopt;
  return std::nullopt;
}

WallTime EndOf(const StreamRecord& r) { return r.start + r.total.value_or(Duration(0)); }

// "from:to:unit".
bool CommonDuration(const StreamRecord& r, const Piece& piece, std::string& out) {
  const auto [from, rest] = SplitOnce(piece.text, ':');
  const auto [to, unit] = SplitOnce(*rest, ':');
  const auto begin = PointOfTime(r, from), end = PointOfTime(r, to);
  if (!begin || !end) return false;
  const std::int64_t divisor = unit == "us" ? 1000 : unit == "ns" ? 1 : 1'000'000;
  const std::int64_t nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(*end - *begin).count();
  out += std::to_string(nanos / divisor);
  return true;
}

std::string_view NameOf(CloseType type) {
  switch (type) {
    case CloseType::kLocalReset: return "LocalReset";
    case CloseType::kRemoteReset: return "RemoteReset";
    case CloseType::kNormal: break;
  }
  return "Normal";
}

// "namespace:key". Filters keep flat texts only.
bool DynamicMetadata(const StreamRecord& r, std::string_view path, std::string& out) {
  const auto [space, key] = SplitOnce(path, ':');
  if (!key) return false;
  for (const StreamRecord::Metadata& entry : r.metadata) {
    if (entry.space == space && entry.key == *key) return Text(entry.value, out);
  }
  return false;
}

const io::TlsFacts* Tls(const StreamRecord& r) { return r.connection == nullptr ? nullptr : r.connection->tls; }

// Of what this proxy has nothing, and what is there without a text.
bool Nothing(const StreamRecord&, const Piece&, std::string&) { return false; }
bool Empty(const StreamRecord&, const Piece&, std::string&) { return true; }

template <auto Member>
bool TlsText(const StreamRecord& r, const Piece&, std::string& out) {
  const io::TlsFacts* tls = Tls(r);
  return tls != nullptr && Text(tls->*Member, out);
}
template <auto Member>
bool TlsList(const StreamRecord& r, const Piece&, std::string& out) {
  const io::TlsFacts* tls = Tls(r);
  return tls != nullptr && Text(Join(tls->*Member, ","), out);
}
template <auto Member>
bool Count(const StreamRecord& r, const Piece&, std::string& out) {
  return Number(r.*Member, out);
}
template <auto Member>
bool Words(const StreamRecord& r, const Piece&, std::string& out) {
  return Text(r.*Member, out);
}

using R = const StreamRecord&;
using P = const Piece&;
using O = std::string&;

constexpr auto kOperators = std::to_array<Operator>({
    {"START_TIME", [](R r, P p, O out) { return Time(r.start, p, out); }},
    {"START_TIME_LOCAL", [](R r, P p, O out) { return LocalTime(r.start, p, out); }},
    {"EMIT_TIME", [](R r, P p, O out) { return Time(EndOf(r), p, out); }},
    {"EMIT_TIME_LOCAL", [](R r, P p, O out) { return LocalTime(EndOf(r), p, out); }},
    {"REQ", RequestField},
    {"REQUEST_HEADER", RequestField},
    {"REQ_WITHOUT_QUERY", RequestFieldWithoutQuery},
    {"RESP", ResponseField},
    {"RESPONSE_HEADER", ResponseField},
    {"TRAILER", TrailerField},
    {"RESPONSE_TRAILER", TrailerField},
    {"QUERY_PARAM", QueryParam},
    {"QUERY_PARAMS", QueryParams},
    {"PATH", Path},
    {"PROTOCOL", [](R r, P, O out) { return r.request != nullptr && Text(http::VersionText(r.protocol), out); }},
    {"UPSTREAM_PROTOCOL", [](R r, P, O out) { return r.request != nullptr && r.upstream_local && Text(http::VersionText(r.upstream_protocol), out); }},
    {"RESPONSE_CODE", Count<&StreamRecord::response_code>, true},
    {"RESPONSE_CODE_DETAILS", [](R r, P p, O out) {
       return p.text == "ALLOW_WHITESPACES" ? Text(r.response_details, out) : OneWord(r.response_details, out);
     }},
    {"CONNECTION_TERMINATION_DETAILS", Words<&StreamRecord::termination_details>},
    {"RESPONSE_FLAGS", [](R r, P, O out) { r.flags.AppendTo(out); return true; }},
    {"RESPONSE_FLAGS_LONG", [](R r, P, O out) { r.flags.AppendTo(out, true); return true; }},
    {"BYTES_RECEIVED", Count<&StreamRecord::bytes_received>, true},
    {"BYTES_SENT", Count<&StreamRecord::bytes_sent>, true},
    {"REQUEST_HEADERS_BYTES", RequestHeadersBytes, true},
    {"RESPONSE_HEADERS_BYTES", ResponseHeadersBytes, true},
    {"RESPONSE_TRAILERS_BYTES", TrailersBytes, true},
    {"UPSTREAM_WIRE_BYTES_SENT", [](R r, P, O out) { return Number(r.upstream_bytes.wire_bytes_sent, out); }, true},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", [](R r, P, O out) { return Number(r.upstream_bytes.wire_bytes_received, out); }, true},
    {"DURATION", [](R r, P, O out) { return Milliseconds(r.total, out); }, true},
    {"REQUEST_DURATION", [](R r, P, O out) { return Milliseconds(r.request_received, out); }, true},
    {"REQUEST_TX_DURATION", [](R r, P, O out) { return Milliseconds(r.upstream_last_sent, out); }, true},
    {"RESPONSE_DURATION", [](R r, P, O out) { return Milliseconds(r.upstream_first_received, out); }, true},
    {"RESPONSE_TX_DURATION", [](R r, P, O out) { return r.response_first_sent && Between(r.upstream_first_received, r.total, out); }, true},
    {"COMMON_DURATION", CommonDuration, true},
    {"ROUNDTRIP_DURATION", Nothing},
    {"ROUTE_NAME", Words<&StreamRecord::route_name>},
    {"VIRTUAL_CLUSTER_NAME", Words<&StreamRecord::virtual_cluster>},
    {"UPSTREAM_HOST", [](R r, P, O out) { return r.host != nullptr && Address(r.host->address(), out); }},
    {"UPSTREAM_HOST_NAME", [](R r, P, O out) {
       return r.host != nullptr && (Text(r.host->facts().hostname, out) || Address(r.host->address(), out));
     }},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", [](R r, P p, O out) {
       return r.host != nullptr && (Text(r.host->facts().hostname, out) || OnlyIp(r.host->address(), p, out));
     }},
    {"UPSTREAM_CLUSTER", [](R r, P, O out) {
       return (r.cluster != nullptr && Text(r.cluster->alt_stat_name, out)) || Text(r.cluster_name, out);
     }},
    {"UPSTREAM_CLUSTER_RAW", Words<&StreamRecord::cluster_name>},
    {"UPSTREAM_LOCAL_ADDRESS", [](R r, P, O out) { return r.upstream_local && Address(*r.upstream_local, out); }},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", [](R r, P p, O out) { return r.upstream_local && OnlyIp(*r.upstream_local, p, out); }},
    {"UPSTREAM_LOCAL_PORT", [](R r, P, O out) { return r.upstream_local && OnlyPort(*r.upstream_local, out); }, true},
    {"UPSTREAM_REMOTE_ADDRESS", [](R r, P, O out) { return r.upstream_local && r.host != nullptr && Address(RemoteOf(r), out); }},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P p, O out) { return r.upstream_local && r.host != nullptr && OnlyIp(RemoteOf(r), p, out); }},
    {"UPSTREAM_REMOTE_PORT", [](R r, P, O out) { return r.upstream_local && r.host != nullptr && OnlyPort(RemoteOf(r), out); }, true},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", [](R r, P, O out) { return OneWord(r.transport_failure, out); }},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", [](R r, P, O out) { return OneWord(r.downstream_transport_failure, out); }},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON", [](R r, P, O out) {
       const bool closed = r.request == nullptr && (r.flags.bits() & ResponseFlags(ResponseFlag::kLocalReset).bits()) != 0;
       return closed && OneWord(r.termination_details, out);
     }},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE", [](R r, P, O out) { return Text(NameOf(r.downstream_close), out); }},
    {"UPSTREAM_DETECTED_CLOSE_TYPE", [](R r, P, O out) { return r.request == nullptr && Text(NameOf(r.upstream_close), out); }},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Count<&StreamRecord::attempts>, true},
    {"UPSTREAM_PEER_URI_SAN", Words<&StreamRecord::upstream_identity>},
    {"DOWNSTREAM_REMOTE_ADDRESS", [](R r, P, O out) { return Address(r.remote, out); }},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P p, O out) { return OnlyIp(r.remote, p, out); }},
    {"DOWNSTREAM_REMOTE_PORT", [](R r, P, O out) { return OnlyPort(r.remote, out); }, true},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", [](R r, P, O out) { return r.connection != nullptr && Address(r.connection->remote, out); }},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P p, O out) { return r.connection != nullptr && OnlyIp(r.connection->remote, p, out); }},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyPort(r.connection->remote, out); }, true},
    {"DOWNSTREAM_LOCAL_ADDRESS", [](R r, P, O out) { return r.connection != nullptr && Address(r.connection->local, out); }},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", [](R r, P p, O out) { return r.connection != nullptr && OnlyIp(r.connection->local, p, out); }},
    {"DOWNSTREAM_LOCAL_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyPort(r.connection->local, out); }, true},
    {"FILTER_CHAIN_NAME", [](R r, P, O out) { return r.connection != nullptr && Text(r.connection->filter_chain, out); }},
    {"CONNECTION_ID", [](R r, P, O out) { return r.connection != nullptr && Number(r.connection->id, out); }, true},
    {"STREAM_ID", StreamId},
    {"UNIQUE_ID", [](R, P, O out) { return Text(NewUuid(), out); }},
    {"TRACE_ID", TraceId},
    {"SPAN_ID", SpanId},
    {"ACCESS_LOG_TYPE", [](R r, P, O out) { return Text(r.request != nullptr ? "DownstreamEnd" : "TcpConnectionEnd", out); }},
    {"LOCAL_REPLY_BODY", Empty},
    {"CUSTOM_FLAGS", Empty},
    {"REQUESTED_SERVER_NAME", ServerName},
    {"DOWNSTREAM_PEER_URI_SAN", TlsList<&io::TlsFacts::peer_uri_sans>},
    {"DOWNSTREAM_PEER_DNS_SAN", TlsList<&io::TlsFacts::peer_dns_sans>},
    {"DOWNSTREAM_PEER_SUBJECT", TlsText<&io::TlsFacts::peer_subject>},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", TlsText<&io::TlsFacts::peer_certificate_sha256>},
    {"DOWNSTREAM_LOCAL_URI_SAN", TlsText<&io::TlsFacts::local_identity>},
    {"DOWNSTREAM_TLS_VERSION", TlsText<&io::TlsFacts::version>},
    {"DOWNSTREAM_TLS_CIPHER", TlsText<&io::TlsFacts::cipher>},
    {"GRPC_STATUS", GrpcStatus},
    {"GRPC_STATUS_NUMBER", GrpcStatusNumber, true},
    {"DYNAMIC_METADATA", [](R r, P p, O out) { return DynamicMetadata(r, p.text, out); }},
    {"CLUSTER_METADATA", Nothing},
    {"UPSTREAM_METADATA", Nothing},
    {"METADATA", [](R r, P p, O out) { const auto [of, rest] = SplitOnce(p.text, ':'); return of == "DYNAMIC" && DynamicMetadata(r, rest.value_or(""), out); }},
    {"FILTER_STATE", Nothing},
    {"UPSTREAM_FILTER_STATE", Nothing},
    {"HOSTNAME", [](R, P, O out) {
       char name[256] = {};
       return gethostname(name, sizeof name - 1) == 0 && Text(name, out);
     }},
    {"ENVIRONMENT", [](R, P p, O out) {
       const char* value = std::getenv(p.text.c_str());
       return Text(value == nullptr ? "-" : value, out);  // a text, as in Envoy, also in JSON
     }},
});

}  // namespace

const Operator* FindOperator(std::string_view name) noexcept {
  for (const Operator& one : kOperators) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

}  // namespace plait::proxy::record
