#pragma once
// Decoders of secrets and transport sockets. Internal to core/xds.
#include <optional>

#include "core/xds/decode_context.h"
#include "core/xds/tls_context.h"

namespace envoy::config::core::v3 {
class TransportSocket;
}
namespace envoy::extensions::transport_sockets::tls::v3 {
class DownstreamTlsContext;
class UpstreamTlsContext;
class Secret;
}  // namespace envoy::extensions::transport_sockets::tls::v3

namespace plait::xds {

DownstreamTlsContext DecodeDownstreamTls(const envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext& in,
                                         DecodeContext& context);
UpstreamTlsContext DecodeUpstreamTls(const envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext& in,
                                     DecodeContext& context);
// nullopt: raw_buffer, or rejected.
std::optional<DownstreamTlsContext> DecodeDownstreamSocket(const envoy::config::core::v3::TransportSocket& in,
                                                           DecodeContext& context);
std::optional<UpstreamTlsContext> DecodeUpstreamSocket(const envoy::config::core::v3::TransportSocket& in,
                                                       DecodeContext& context);
Secret DecodeSecretMessage(const envoy::extensions::transport_sockets::tls::v3::Secret& in, DecodeContext& context);

}  // namespace plait::xds
