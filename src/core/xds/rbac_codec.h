#pragma once
// Decoder of RBAC rules. Internal to core/xds.
#include <optional>

#include "core/xds/decode_context.h"
#include "core/xds/rbac.h"

namespace envoy::config::rbac::v3 {
class RBAC;
}

namespace plait::xds {
RbacRules DecodeRbacRules(const envoy::config::rbac::v3::RBAC& in, DecodeContext& context);
}
