#pragma once
// Decoder of listeners. Internal to core/xds.
#include "core/xds/decode_context.h"
#include "core/xds/listener.h"

namespace envoy::config::listener::v3 {
class Listener;
class Filter;
}  // namespace envoy::config::listener::v3

namespace plait::xds {
Listener DecodeListenerMessage(const envoy::config::listener::v3::Listener& in, DecodeContext& context);
NetworkFilter DecodeNetworkFilter(const envoy::config::listener::v3::Filter& in, DecodeContext& context);
}  // namespace plait::xds
