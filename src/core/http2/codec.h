#pragma once
// HTTP/2 (RFC 9113, extended CONNECT of RFC 8441) on nghttp2, which is used as a codec only: bytes in, bytes out.
// Owned by the driver of one connection (core/conn), one thread. Mirrors Envoy's `http2.*` response code details and
// its flood limits. The preface and SETTINGS are in output() from the start.
#include <memory>
#include <string_view>

#include "core/http/codec.h"

namespace plait::http2 {
inline constexpr std::string_view kClientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// `events` and `options` outlive the codec.
std::unique_ptr<http::ServerCodec> NewServerCodec(http::ServerCodecEvents& events, const http::CodecOptions& options);
std::unique_ptr<http::ClientCodec> NewClientCodec(http::ClientCodecEvents& events, const http::CodecOptions& options);
}  // namespace plait::http2
