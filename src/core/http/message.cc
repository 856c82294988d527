#include "core/http/message.h"

#include <algorithm>
#include <iterator>

#include "core/base/port.h"
#include "core/base/strings.h"

namespace plait::http {
namespace {

constexpr std::string_view kMethods[] = {"GET",
                                         "HEAD",
                                         "POST",
                                         "PUT",
                                         "DELETE",
                                         "CONNECT",
                                         "OPTIONS",
                                         "TRACE",
                                         "PATCH",
                                         "ACL",
                                         "BIND",
                                         "CHECKOUT",
                                         "COPY",
                                         "LINK",
                                         "LOCK",
                                         "MERGE",
                                         "MKCOL",
                                         "MOVE",
                                         "M-SEARCH",
                                         "NOTIFY",
                                         "PROPFIND",
                                         "PROPPATCH",
                                         "PURGE",
                                         "QUERY",
                                         "REBIND",
                                         "REPORT",
                                         "SEARCH",
                                         "SOURCE",
                                         "SUBSCRIBE",
                                         "UNBIND",
                                         "UNLINK",
                                         "UNLOCK",
                                         "UNSUBSCRIBE",
                                         "MKACTIVITY",
                                         "MKCALENDAR",
                                         "BASELINE-CONTROL",
                                         "VERSION-CONTROL"};

}  // namespace

bool IsKnownMethod(std::string_view method) noexcept {
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

bool IsKnownMethodIgnoringCase(std::string_view method) noexcept {
  return std::any_of(std::begin(kMethods), std::end(kMethods),
                     [&](std::string_view known) { return EqualsIgnoreCase(known, method); });
}

std::string_view VersionText(Version version) {
  switch (version) {
    case Version::kHttp10: return "HTTP/1.0";
    case Version::kHttp11: return "HTTP/1.1";
    case Version::kHttp2: return "HTTP/2";
  }
  return "";
}

// The IANA registry of HTTP status codes.
std::string_view ReasonPhrase(std::uint16_t status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Entity";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "";
  }
}

std::string_view PathOnly(std::string_view target) noexcept { return target.substr(0, target.find_first_of("?#")); }

std::string_view QueryOf(std::string_view target) noexcept {
  target = target.substr(0, target.find('#'));
  const std::size_t at = target.find('?');
  return at == std::string_view::npos ? std::string_view() : target.substr(at + 1);
}

namespace {
// Where the ":port" of an authority begins; npos when there is none. A bare IPv6 address has none.
std::size_t PortSeparator(std::string_view authority) noexcept {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  if (bracket != std::string_view::npos) return colon > bracket ? colon : std::string_view::npos;
  return authority.find(':') == colon ? colon : std::string_view::npos;
}
}  // namespace

std::string_view HostOnly(std::string_view authority) noexcept { return authority.substr(0, PortSeparator(authority)); }

std::uint16_t PortOf(std::string_view authority) noexcept {
  const std::size_t colon = PortSeparator(authority);
  if (colon == std::string_view::npos) return 0;
  return ParsePort(authority.substr(colon + 1)).value_or(Port{}).value;
}

bool IsAuthority(std::string_view text) noexcept {
  const std::string_view host = HostOnly(text);
  if (host.empty()) return false;
  for (char c : text)
    if (!IsAlpha(c) && !IsDigit(c) && !std::string_view("-._~%!$&'()*+,;=:[]").contains(c)) return false;
  // Brackets only around an IPv6 literal; a colon only there or before the port.
  const bool literal = host.front() == '[';
  if (literal != (host.back() == ']')) return false;
  const std::string_view inner = literal ? host.substr(1, host.size() - 2) : host;
  if (inner.find_first_of("[]") != std::string_view::npos) return false;
  if (!literal && inner.find(':') != std::string_view::npos) return false;
  const std::string_view port = text.size() > host.size() ? text.substr(host.size() + 1) : std::string_view();
  for (char c : port)
    if (!IsDigit(c)) return false;
  return port.size() <= 5;
}

std::uint32_t GrpcStatusOf(std::uint16_t http_status) noexcept {
  switch (http_status) {
    case 400: return 13;  // INTERNAL
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 404: return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504: return 14;  // UNAVAILABLE
    default: return 2;    // UNKNOWN
  }
}

bool IsGrpc(const Headers& headers) noexcept {
  constexpr std::string_view kType = "application/grpc";
  const auto type = headers.Get("content-type");
  if (!type || type->size() < kType.size() || !EqualsIgnoreCase(type->substr(0, kType.size()), kType)) return false;
  return type->size() == kType.size() || (*type)[kType.size()] == '+';
}

}  // namespace plait::http
