#pragma once
// Decoder of the HTTP connection manager and of HTTP protocol options. Internal to core/xds.
#include "core/xds/decode_context.h"
#include "core/xds/http_connection_manager.h"

namespace envoy::config::core::v3 {
class Http1ProtocolOptions;
class Http2ProtocolOptions;
class HttpProtocolOptions;
}  // namespace envoy::config::core::v3
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace plait::xds {
Http1Options DecodeHttp1(const envoy::config::core::v3::Http1ProtocolOptions& in, DecodeContext& context);
Http2Options DecodeHttp2(const envoy::config::core::v3::Http2ProtocolOptions& in, DecodeContext& context);
CommonHttpOptions DecodeCommonHttp(const envoy::config::core::v3::HttpProtocolOptions& in, DecodeContext& context);
// `is_template`: of Plait's forms, where an empty rds name is meant.
HttpConnectionManager DecodeConnectionManager(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& in,
    DecodeContext& context, bool is_template = false);
}  // namespace plait::xds
