#pragma once
// Heads of HTTP messages, independent of the version on the wire. Pseudo header fields of HTTP/2 are members here.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/http/headers.h"

namespace plait::http {

enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };
std::string_view VersionText(Version version);  // "HTTP/1.0", "HTTP/1.1", "HTTP/2" (as Envoy's %PROTOCOL%)

struct RequestHead {
  Version version = Version::kHttp11;
  std::string method;
  std::string scheme;     // "http" or "https"; empty when the wire did not say (HTTP/1 origin form)
  std::string authority;  // Host or :authority; empty only from HTTP/1.0, or when CodecOptions let it be
  std::string path;       // request target with query; "*" for OPTIONS; empty for CONNECT
  std::string protocol;   // :protocol of RFC 8441 (extended CONNECT), or the Upgrade token an HTTP/1.1 request asks for
  Headers headers;        // without Host and without pseudo fields; hop-by-hop fields of HTTP/1 are still in it
};

struct ResponseHead {
  Version version = Version::kHttp11;
  std::uint16_t status = 0;  // 100..999
  std::string reason;        // HTTP/1 only; empty: the registered phrase is sent
  Headers headers;
};

std::string_view ReasonPhrase(std::uint16_t status) noexcept;  // "" when not registered
// Exactly a registered method: RFC 9110 9, RFC 5789, and those that applications use (WebDAV, UPnP, QUERY).
bool IsKnownMethod(std::string_view method) noexcept;
bool IsKnownMethodIgnoringCase(std::string_view method) noexcept;
// Path without query and fragment, and the query without '?'.
std::string_view PathOnly(std::string_view target) noexcept;
std::string_view QueryOf(std::string_view target) noexcept;
// The host of an authority ("[::1]:80" -> "[::1]", "a:80" -> "a") and its port (0 when none).
std::string_view HostOnly(std::string_view authority) noexcept;
std::uint16_t PortOf(std::string_view authority) noexcept;
// host [":" port] of RFC 3986, not empty, without user information.
bool IsAuthority(std::string_view text) noexcept;
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
std::uint32_t GrpcStatusOf(std::uint16_t http_status) noexcept;
bool IsGrpc(const Headers& headers) noexcept;  // content-type application/grpc or application/grpc+x

}  // namespace plait::http
