#pragma once
// Decoders of Plait's own forms. Internal to core/xds.
#include <string_view>

#include "core/xds/decode_context.h"
#include "core/xds/plait_forms.h"

namespace plait::proxy::v1 {
class L4Routes;
}

namespace plait::xds {
Outbound DecodeOutbound(std::string_view bytes, DecodeContext& context);
Inbound DecodeInbound(std::string_view bytes, DecodeContext& context);
L4Routes DecodeL4RoutesMessage(const ::plait::proxy::v1::L4Routes& in, DecodeContext& context);
}  // namespace plait::xds
