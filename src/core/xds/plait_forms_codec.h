#pragma once
// Decoders of Plait's own forms. Internal to core/xds.
#include <string_view>

#include "core/xds/decode_context.h"
#include "core/xds/plait_forms.h"

namespace plait::xds {
Outbound DecodeOutbound(std::string_view bytes, DecodeContext& context);
Inbound DecodeInbound(std::string_view bytes, DecodeContext& context);
L4Routes DecodeL4RoutesMessage(std::string_view bytes, DecodeContext& context);
}  // namespace plait::xds
