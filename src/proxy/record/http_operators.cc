#include "proxy/record/http_operators.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/base/encoding.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "proxy/record/operator_text.h"
#include "proxy/record/trace.h"

namespace plait::proxy::record::operators {

using Piece = Format::Piece;

namespace {

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

std::string_view WithoutQuery(std::string_view path) { return path.substr(0, path.find('?')); }

std::optional<std::string_view> Query(const StreamRecord& r) {
  if (r.request == nullptr) return std::nullopt;
  return SplitOnce(r.request->path, '?').second;
}

bool Fields(const http::Headers* headers, const Piece& piece, std::string& out) {
  if (headers == nullptr) return false;
  auto value = headers->Get(piece.text);
  if (!value && !piece.other.empty()) value = headers->Get(piece.other);
  return value && (out.append(*value), true);
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

// Of the trace context that goes on with the request: version, trace, span, flags.
std::string_view Traceparent(const StreamRecord& r) {
  if (r.request == nullptr) return {};
  const auto text = r.request->headers.Get("traceparent");
  return text && ValidTraceparent(*text) ? *text : std::string_view();
}

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
bool GrpcStatusAs(std::string_view form, const StreamRecord& r, std::string& out) {
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

}  // namespace

bool RequestField(const StreamRecord& r, const Piece& piece, std::string& out) {
  if (r.request == nullptr) return false;
  return RequestHeader(*r.request, piece.text, out) ||
         (!piece.other.empty() && RequestHeader(*r.request, piece.other, out));
}

bool RequestFieldWithoutQuery(const StreamRecord& r, const Piece& piece, std::string& out) {
  const std::size_t before = out.size();
  if (!RequestField(r, piece, out)) return false;
  out.resize(before + WithoutQuery(std::string_view(out).substr(before)).size());
  return true;
}

bool ResponseField(const StreamRecord& r, const Piece& piece, std::string& out) {
  const std::uint16_t status = r.response != nullptr ? r.response->status : r.response_code;
  if (piece.text == ":status") return status != 0 && Number(status, out);
  return Fields(r.response == nullptr ? nullptr : &r.response->headers, piece, out);
}

bool TrailerField(const StreamRecord& r, const Piece& piece, std::string& out) {
  return Fields(r.response_trailers, piece, out);
}

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

bool QueryParams(const StreamRecord& r, const Piece&, std::string& out) {
  const auto query = Query(r);
  return query && (out.append(*query), true);
}

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

bool TraceId(const StreamRecord& r, const Piece&, std::string& out) {
  const std::string_view trace = Traceparent(r);
  return !trace.empty() && Text(trace.substr(3, 32), out);
}

bool SpanId(const StreamRecord& r, const Piece&, std::string& out) {
  const std::string_view trace = Traceparent(r);
  return !trace.empty() && Text(trace.substr(36, 16), out);
}

bool RequestHeadersBytes(const StreamRecord& r, const Piece&, std::string& out) {
  return Number(r.request == nullptr ? 0 : BytesOf(*r.request), out);
}

bool ResponseHeadersBytes(const StreamRecord& r, const Piece&, std::string& out) {
  constexpr std::size_t kStatus = std::string_view(":status200").size();
  return Number(r.response == nullptr ? 0 : kStatus + BytesOf(r.response->headers), out);
}

bool TrailersBytes(const StreamRecord& r, const Piece&, std::string& out) {
  return Number(r.response_trailers == nullptr ? 0 : BytesOf(*r.response_trailers), out);
}

bool GrpcStatus(const StreamRecord& r, const Piece& piece, std::string& out) {
  return GrpcStatusAs(piece.text, r, out);
}

bool GrpcStatusNumber(const StreamRecord& r, const Piece&, std::string& out) { return GrpcStatusAs("NUMBER", r, out); }

}  // namespace plait::proxy::record::operators
