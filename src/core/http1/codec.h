#pragma once
// HTTP/1.0 and HTTP/1.1 (RFC 9112), strict: what two parsers could read differently is refused. Owned by the driver of
// one connection (core/conn), one thread, no socket inside. Mirrors Envoy's codec `http1.*` response code details.
//
// One exchange at a time: a pipelined request stays in the driver's input until the response before it is complete.
// After 101, or 2xx to CONNECT, both directions are raw bytes until they end.
#include <memory>

#include "core/http/codec.h"

namespace plait::http1 {
// `events` and `options` outlive the codec.
std::unique_ptr<http::ServerCodec> NewServerCodec(http::ServerCodecEvents& events, const http::CodecOptions& options);
std::unique_ptr<http::ClientCodec> NewClientCodec(http::ClientCodecEvents& events, const http::CodecOptions& options);
}  // namespace plait::http1
