#pragma once
// Decoder of the destination index. Internal to core/xds.
#include "core/xds/address_index.h"
#include "core/xds/decode_context.h"

namespace istio::workload {
class Address;
}

namespace plait::xds {
Address DecodeAddressMessage(const istio::workload::Address& in, DecodeContext& context);
}
