#include "proxy/record/operators.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "core/base/encoding.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"
#include "proxy/record/log_time.h"
#include "proxy/record/trace.h"

namespace plait::proxy::record {
namespace {

using Piece = Format::Piece;

bool Number(std::uint64_t value, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  return true;
}
bool Text(std::string_view text, std::string& out) {
  out.append(text);
  return !text.empty();
}
// Lines are split at spaces.
bool OneWord(std::string_view text, std::string& out) {
  const std::size_t from = out.size();
  out.append(text);
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), ' ', '_');
  return !text.empty();
}
bool Milliseconds(const std::optional<Duration>& value, std::string& out) {
  if (!value) return false;
  return Number(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*value).count()), out);
}
// From one moment of the request to another.
bool Between(const std::optional<Duration>& from, const std::optional<Duration>& to, std::string& out) {
  if (!from || !to || *to < *from) return false;
  return Milliseconds(*to - *from, out);
}
// IPv4 by hand: four addresses stand in each line of Istio's format.
void AppendIp(const io::IpAddress& ip, std::string& out) {
  if (!ip.is_v4()) {
    out += ip.ToString();
    return;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) out += '.';
    Number(ip.bytes()[i], out);
  }
}
bool Address(const io::SocketAddress& address, std::string& out) {
  if (address.is_unix() || !address.ip.is_v4()) return Text(address.ToString(), out);
  AppendIp(address.ip, out);
  out += ':';
  return Number(address.port.value, out);
}
io::IpAddress Masked(const io::IpAddress& ip, std::uint64_t bits) {
  std::array<std::uint8_t, 16> bytes = ip.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t kept = bits > 8 * i ? std::min<std::uint64_t>(bits - 8 * i, 8) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  if (!ip.is_v4()) return io::IpAddress::V6(bytes);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[i];
  return io::IpAddress::V4(value);
}
// `bits` of it, as a range, where the operator has an argument; what is no number there means nothing.
bool OnlyIp(const io::SocketAddress& address, const Piece& piece, std::string& out) {
  if (address.is_unix()) return Text(address.unix_path, out);
  const auto bits = ParseUint(piece.text);
  if (!bits) return AppendIp(address.ip, out), true;
  const std::uint64_t kept = std::min<std::uint64_t>(*bits, address.ip.is_v4() ? 32 : 128);
  out += io::Cidr(Masked(address.ip, kept), static_cast<std::uint8_t>(kept)).ToString();
  return true;
}
bool OnlyPort(const io::SocketAddress& address, std::string& out) {
  return !address.is_unix() && Number(address.port.value, out);
}
// A host that is called at an address of its other family (upstream/dial.h) shows it by the end that is ours.
const io::SocketAddress& RemoteOf(const StreamRecord& record) {
  const cluster::Host& host = *record.host;
  const bool first = host.other() == nullptr || record.upstream_local->ip.is_v4() == host.address().ip.is_v4();
  return first ? host.address() : *host.other();
}
std::string Joined(const std::vector<std::string>& names) { return Join(names, ","); }

// --- time ---

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

// --- headers ---

bool RequestHeader(const http::RequestHead& head, const std::string& name, std::string& out) {
  if (name[0] == ':') {
    if (name == ":method") return Text(head.method, out);
    if (name == ":path") return Text(head.path, out);
    if (name == ":authority") return Text(head.authority, out);
    if (name == ":scheme") return Text(head.scheme, out);
    return false;
  }
  if (name == "host") return Text(head.authority, out);
  const auto value = head.headers.Get(name);
  return value && (out.append(*value), true);
}

// With the empty text for a header that is there without one.
bool RequestField(const StreamRecord& r, const Piece& piece, std::string& out) {
  if (r.request == nullptr) return false;
  return RequestHeader(*r.request, piece.text, out) ||
         (!piece.other.empty() && RequestHeader(*r.request, piece.other, out));
}

std::string_view WithoutQuery(std::string_view path) { return path.substr(0, path.find('?')); }

bool RequestFieldWithoutQuery(const StreamRecord& r, const Piece& piece, std::string& out) {
  const std::size_t before = out.size();
  if (!RequestField(r, piece, out)) return false;
  out.resize(before + WithoutQuery(std::string_view(out).substr(before)).size());
  return true;
}

// "WQ" or "NQ", ":", "ORIG", "PATH" or "ORIG_OR_PATH".
bool Path(const StreamRecord& r, const Piece& piece, std::string& out) {
  if (r.request == nullptr) return false;
  const auto [query, source] = SplitOnce(piece.text, ':');
  const std::string_view of = SplitOnce(source.value_or(""), ':').first;
  std::optional<std::string_view> path;
  if (of != "PATH") path = r.request->headers.Get("x-envoy-original-path");
  if (!path && of != "ORIG") path = r.request->path;
  if (!path || path->empty()) return false;
  out += query == "NQ" ? WithoutQuery(*path) : *path;
  return true;
}

std::optional<std::string_view> Query(const StreamRecord& r) {
  if (r.request == nullptr) return std::nullopt;
  return SplitOnce(r.request->path, '?').second;
}

// The first one of that name, both decoded.
bool QueryParam(const StreamRecord& r, const Piece& piece, std::string& out) {
  const auto query = Query(r);
  if (!query) return false;
  for (const std::string_view parameter : Split(*query, '&')) {
    const auto [name, value] = SplitOnce(parameter, '=');
    const auto decoded = [](std::string_view text) { return PercentDecode(text).value_or(std::string(text)); };
    if (decoded(name) != piece.text) continue;
    out += decoded(value.value_or(""));
    return true;
  }
  return false;
}

// The server's name of TLS, or the host, as the argument says: "SNI_FIRST", ":", whose host.
bool ServerName(const StreamRecord& r, const Piece& piece, std::string& out) {
  const auto [which, source] = SplitOnce(piece.text, ':');
  const auto sni = [&] { return r.connection != nullptr && Text(r.connection->server_name, out); };
  if (which != "HOST_FIRST" && sni()) return true;
  if (which != "HOST_FIRST" && which != "SNI_FIRST") return false;
  if (r.request != nullptr) {
    std::optional<std::string_view> host;
    if (source != "HOST") host = r.request->headers.Get("x-envoy-original-host");
    if (!host && source != "ORIG") host = r.request->authority;
    if (host && Text(*host, out)) return true;
  }
  return which == "HOST_FIRST" && sni();
}

// Names and values, as Envoy counts them.
std::uint64_t BytesOf(const http::Headers& headers) {
  std::uint64_t bytes = 0;
  for (const auto& field : headers) bytes += field.name.size() + field.value.size();
  return bytes;
}
std::uint64_t BytesOf(const http::RequestHead& head) {
  const auto pseudo = [](std::string_view name, std::string_view value) {
    return value.empty() ? 0 : name.size() + value.size();
  };
  return pseudo(":method", head.method) + pseudo(":path", head.path) + pseudo(":authority", head.authority) +
         pseudo(":scheme", head.scheme) + BytesOf(head.headers);
}

// A request's x-request-id; of a connection one that no other has, of this process or another.
bool StreamId(const StreamRecord& r, const Piece&, std::string& out) {
  if (r.request != nullptr) return RequestHeader(*r.request, "x-request-id", out);
  if (r.connection == nullptr) return false;
  static const std::string kOfProcess = NewUuid();
  constexpr std::size_t kDigits = 12;
  char number[17];
  const auto end = std::to_chars(number, number + sizeof number, r.connection->id, 16).ptr;
  const std::size_t digits = std::min(static_cast<std::size_t>(end - number), kDigits);
  out.append(kOfProcess, 0, kOfProcess.size() - kDigits).append(kDigits - digits, '0').append(end - digits, digits);
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

// Of the trace context that goes on with the request: version, trace, span, flags.
std::string_view Traceparent(const StreamRecord& r) {
  if (r.request == nullptr) return {};
  const auto text = r.request->headers.Get("traceparent");
  return text && ValidTraceparent(*text) ? *text : std::string_view();
}

bool Fields(const http::Headers* headers, const Piece& piece, std::string& out) {
  if (headers == nullptr) return false;
  auto value = headers->Get(piece.text);
  if (!value && !piece.other.empty()) value = headers->Get(piece.other);
  return value && (out.append(*value), true);
}

bool ResponseField(const StreamRecord& r, const Piece& piece, std::string& out) {
  const std::uint16_t status = r.response != nullptr ? r.response->status : r.response_code;
  if (piece.text == ":status") return status != 0 && Number(status, out);
  return Fields(r.response == nullptr ? nullptr : &r.response->headers, piece, out);
}

// --- gRPC ---

struct GrpcCode {
  std::string_view camel;
  std::string_view snake;
};
constexpr std::array<GrpcCode, 17> kGrpcCodes = {{
    {"OK", "OK"},
    {"Canceled", "CANCELLED"},
    {"Unknown", "UNKNOWN"},
    {"InvalidArgument", "INVALID_ARGUMENT"},
    {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
    {"NotFound", "NOT_FOUND"},
    {"AlreadyExists", "ALREADY_EXISTS"},
    {"PermissionDenied", "PERMISSION_DENIED"},
    {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
    {"FailedPrecondition", "FAILED_PRECONDITION"},
    {"Aborted", "ABORTED"},
    {"OutOfRange", "OUT_OF_RANGE"},
    {"Unimplemented", "UNIMPLEMENTED"},
    {"Internal", "INTERNAL"},
    {"Unavailable", "UNAVAILABLE"},
    {"DataLoss", "DATA_LOSS"},
    {"Unauthenticated", "UNAUTHENTICATED"},
}};

// The status of a gRPC call: of its trailers, else of a trailers-only response, else what the HTTP status means.
// `form`: "" and CAMEL_STRING, SNAKE_STRING, NUMBER.
bool GrpcStatus(const StreamRecord& r, std::string_view form, std::string& out) {
  if (r.request == nullptr || !http::IsGrpc(r.request->headers)) return false;
  std::optional<std::string_view> text;
  if (r.response_trailers != nullptr) text = r.response_trailers->Get("grpc-status");
  if (!text && r.response != nullptr) text = r.response->headers.Get("grpc-status");
  std::optional<std::uint64_t> code = text ? ParseUint(*text) : std::nullopt;
  if (!code && r.response_code == 0) return false;
  if (!code) code = http::GrpcStatusOf(r.response_code);
  if (form == "NUMBER" || *code >= kGrpcCodes.size()) return Number(*code, out);
  const GrpcCode& named = kGrpcCodes[static_cast<std::size_t>(*code)];
  return Text(form == "SNAKE_STRING" ? named.snake : named.camel, out);
}

// --- metadata of filters ---

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
  return tls != nullptr && Text(Joined(tls->*Member), out);
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
    {"TRAILER", [](R r, P p, O out) { return Fields(r.response_trailers, p, out); }},
    {"RESPONSE_TRAILER", [](R r, P p, O out) { return Fields(r.response_trailers, p, out); }},
    {"QUERY_PARAM", QueryParam},
    {"QUERY_PARAMS", [](R r, P, O out) { const auto query = Query(r); return query && (out.append(*query), true); }},
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
    {"REQUEST_HEADERS_BYTES", [](R r, P, O out) { return Number(r.request == nullptr ? 0 : BytesOf(*r.request), out); }, true},
    {"RESPONSE_HEADERS_BYTES", [](R r, P, O out) {
       constexpr std::size_t kStatus = std::string_view(":status200").size();
       return Number(r.response == nullptr ? 0 : kStatus + BytesOf(r.response->headers), out);
     }, true},
    {"RESPONSE_TRAILERS_BYTES", [](R r, P, O out) { return Number(r.response_trailers == nullptr ? 0 : BytesOf(*r.response_trailers), out); }, true},
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
    {"TRACE_ID", [](R r, P, O out) { const auto trace = Traceparent(r); return !trace.empty() && Text(trace.substr(3, 32), out); }},
    {"SPAN_ID", [](R r, P, O out) { const auto trace = Traceparent(r); return !trace.empty() && Text(trace.substr(36, 16), out); }},
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
    {"GRPC_STATUS", [](R r, P p, O out) { return GrpcStatus(r, p.text, out); }},
    {"GRPC_STATUS_NUMBER", [](R r, P, O out) { return GrpcStatus(r, "NUMBER", out); }, true},
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
