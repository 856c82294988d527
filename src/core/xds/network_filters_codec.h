#pragma once
// Decoder of the TCP proxy, which Plait's forms use as a template too. Internal to core/xds.
#include "core/xds/decode_context.h"
#include "core/xds/network_filters.h"

namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy;
}

namespace plait::xds {
TcpProxy DecodeTcpProxy(const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& in, DecodeContext& context,
                        bool is_template);
}
