#include "proxy/record/operators.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>

#include "core/base/strings.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"

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
bool OnlyIp(const io::SocketAddress& address, std::string& out) {
  if (address.is_unix()) return Text(address.unix_path, out);
  AppendIp(address.ip, out);
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

void AppendPadded(std::uint64_t value, int digits, std::string& out) {
  char text[12];
  for (int i = digits; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(digits));
}

// Default form 2026-11-24T14:13:00.123Z. The second's text is kept: many records share it.
bool StartTime(WallTime start, std::string& out) {
  struct Second {
    std::int64_t value = INT64_MIN;
    char text[24] = {};
  };
  thread_local Second second;
  const auto nanos = start.time_since_epoch().count();
  const std::int64_t seconds = nanos / 1'000'000'000;
  if (second.value != seconds) {
    const std::time_t at = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&at, &parts);
    std::strftime(second.text, sizeof second.text, "%Y-%m-%dT%H:%M:%S", &parts);
    second.value = seconds;
  }
  out += second.text;
  out += '.';
  AppendPadded(static_cast<std::uint64_t>(nanos % 1'000'000'000) / 1'000'000, 3, out);
  out += 'Z';
  return true;
}

// %START_TIME(format)%: strftime, with %f, %3f, %6f, %9f for fractions of the second and %s for the epoch.
bool CustomTime(WallTime start, const std::string& format, std::string& out) {
  const auto nanos = start.time_since_epoch().count();
  const std::time_t at = static_cast<std::time_t>(nanos / 1'000'000'000);
  const auto fraction = static_cast<std::uint64_t>(nanos % 1'000'000'000);
  std::string plain;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const std::string_view rest = std::string_view(format).substr(i);
    const int digits = rest.starts_with("%3f") ? 3 : rest.starts_with("%6f") ? 6 : rest.starts_with("%9f") ? 9 : 0;
    if (rest.starts_with("%f") || digits > 0) {
      AppendPadded(digits == 3   ? fraction / 1'000'000
                   : digits == 6 ? fraction / 1000
                                 : fraction,
                   digits == 0 ? 9 : digits, plain);
      i += digits == 0 ? 1 : 2;
    } else if (rest.starts_with("%s")) {
      Number(static_cast<std::uint64_t>(at), plain);
      ++i;
    } else if (rest.starts_with("%%")) {
      plain += "%%";
      ++i;
    } else {
      plain += format[i];
    }
  }
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[256];
  out.append(text, std::strftime(text, sizeof text, plain.c_str(), &parts));
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

bool Fields(const http::Headers* headers, const Piece& piece, std::string& out) {
  if (headers == nullptr) return false;
  auto value = headers->Get(piece.text);
  if (!value && !piece.other.empty()) value = headers->Get(piece.other);
  return value && (out.append(*value), true);
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
    {"START_TIME", [](R r, P p, O out) { return p.text.empty() ? StartTime(r.start, out) : CustomTime(r.start, p.text, out); }},
    {"REQ", [](R r, P p, O out) {
       if (r.request == nullptr) return false;
       return RequestHeader(*r.request, p.text, out) || (!p.other.empty() && RequestHeader(*r.request, p.other, out));
     }},
    {"RESP", [](R r, P p, O out) {
       const std::uint16_t status = r.response != nullptr ? r.response->status : r.response_code;
       if (p.text == ":status") return status != 0 && Number(status, out);
       return Fields(r.response == nullptr ? nullptr : &r.response->headers, p, out);
     }},
    {"TRAILER", [](R r, P p, O out) { return Fields(r.response_trailers, p, out); }},
    {"PROTOCOL", [](R r, P, O out) { return r.request != nullptr && Text(http::VersionText(r.protocol), out); }},
    {"UPSTREAM_PROTOCOL", [](R r, P, O out) { return r.request != nullptr && r.upstream_local && Text(http::VersionText(r.upstream_protocol), out); }},
    {"RESPONSE_CODE", Count<&StreamRecord::response_code>, true},
    {"RESPONSE_CODE_DETAILS", Words<&StreamRecord::response_details>},
    {"CONNECTION_TERMINATION_DETAILS", Words<&StreamRecord::termination_details>},
    {"RESPONSE_FLAGS", [](R r, P, O out) { r.flags.AppendTo(out); return true; }},
    {"RESPONSE_FLAGS_LONG", [](R r, P, O out) { r.flags.AppendTo(out, true); return true; }},
    {"BYTES_RECEIVED", Count<&StreamRecord::bytes_received>, true},
    {"BYTES_SENT", Count<&StreamRecord::bytes_sent>, true},
    {"REQUEST_HEADERS_BYTES", Count<&StreamRecord::request_header_bytes>, true},
    {"RESPONSE_HEADERS_BYTES", Count<&StreamRecord::response_header_bytes>, true},
    {"UPSTREAM_WIRE_BYTES_SENT", [](R r, P, O out) { return Number(r.upstream_bytes.wire_bytes_sent, out); }, true},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", [](R r, P, O out) { return Number(r.upstream_bytes.wire_bytes_received, out); }, true},
    {"DURATION", [](R r, P, O out) { return Milliseconds(r.total, out); }, true},
    {"REQUEST_DURATION", [](R r, P, O out) { return Milliseconds(r.request_received, out); }, true},
    {"REQUEST_TX_DURATION", [](R r, P, O out) { return Milliseconds(r.upstream_last_sent, out); }, true},
    {"RESPONSE_DURATION", [](R r, P, O out) { return Milliseconds(r.upstream_first_received, out); }, true},
    {"RESPONSE_TX_DURATION", [](R r, P, O out) { return r.response_first_sent && Between(r.upstream_first_received, r.total, out); }, true},
    {"ROUTE_NAME", Words<&StreamRecord::route_name>},
    {"VIRTUAL_CLUSTER_NAME", Words<&StreamRecord::virtual_cluster>},
    {"UPSTREAM_HOST", [](R r, P, O out) { return r.host != nullptr && Address(r.host->address(), out); }},
    {"UPSTREAM_HOST_NAME", [](R r, P, O out) {
       return r.host != nullptr && (Text(r.host->facts().hostname, out) || Address(r.host->address(), out));
     }},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", [](R r, P, O out) {
       return r.host != nullptr && (Text(r.host->facts().hostname, out) || OnlyIp(r.host->address(), out));
     }},
    {"UPSTREAM_CLUSTER", [](R r, P, O out) {
       return (r.cluster != nullptr && Text(r.cluster->alt_stat_name, out)) || Text(r.cluster_name, out);
     }},
    {"UPSTREAM_CLUSTER_RAW", Words<&StreamRecord::cluster_name>},
    {"UPSTREAM_LOCAL_ADDRESS", [](R r, P, O out) { return r.upstream_local && Address(*r.upstream_local, out); }},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", [](R r, P, O out) { return r.upstream_local && OnlyIp(*r.upstream_local, out); }},
    {"UPSTREAM_LOCAL_PORT", [](R r, P, O out) { return r.upstream_local && OnlyPort(*r.upstream_local, out); }, true},
    {"UPSTREAM_REMOTE_ADDRESS", [](R r, P, O out) { return r.upstream_local && r.host != nullptr && Address(RemoteOf(r), out); }},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P, O out) { return r.upstream_local && r.host != nullptr && OnlyIp(RemoteOf(r), out); }},
    {"UPSTREAM_REMOTE_PORT", [](R r, P, O out) { return r.upstream_local && r.host != nullptr && OnlyPort(RemoteOf(r), out); }, true},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", [](R r, P, O out) { return OneWord(r.transport_failure, out); }},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", [](R r, P, O out) { return OneWord(r.downstream_transport_failure, out); }},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Count<&StreamRecord::attempts>, true},
    {"UPSTREAM_PEER_URI_SAN", Words<&StreamRecord::upstream_identity>},
    {"DOWNSTREAM_REMOTE_ADDRESS", [](R r, P, O out) { return Address(r.remote, out); }},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P, O out) { return OnlyIp(r.remote, out); }},
    {"DOWNSTREAM_REMOTE_PORT", [](R r, P, O out) { return OnlyPort(r.remote, out); }, true},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", [](R r, P, O out) { return r.connection != nullptr && Address(r.connection->remote, out); }},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyIp(r.connection->remote, out); }},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyPort(r.connection->remote, out); }, true},
    {"DOWNSTREAM_LOCAL_ADDRESS", [](R r, P, O out) { return r.connection != nullptr && Address(r.connection->local, out); }},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyIp(r.connection->local, out); }},
    {"DOWNSTREAM_LOCAL_PORT", [](R r, P, O out) { return r.connection != nullptr && OnlyPort(r.connection->local, out); }, true},
    {"FILTER_CHAIN_NAME", [](R r, P, O out) { return r.connection != nullptr && Text(r.connection->filter_chain, out); }},
    {"CONNECTION_ID", [](R r, P, O out) { return r.connection != nullptr && Number(r.connection->id, out); }, true},
    {"REQUESTED_SERVER_NAME", [](R r, P, O out) { return r.connection != nullptr && Text(r.connection->server_name, out); }},
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
    {"HOSTNAME", [](R, P, O out) {
       char name[256] = {};
       return gethostname(name, sizeof name - 1) == 0 && Text(name, out);
     }},
    {"ENVIRONMENT", [](R, P p, O out) {
       const char* value = std::getenv(p.text.c_str());
       return value != nullptr && Text(value, out);
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
