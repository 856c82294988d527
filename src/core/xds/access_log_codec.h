#pragma once
// Decoder of access logs. Internal to core/xds.
#include "core/xds/access_log.h"
#include "core/xds/decode_context.h"

namespace envoy::config::accesslog::v3 {
class AccessLog;
}

namespace plait::xds {
AccessLog DecodeAccessLog(const envoy::config::accesslog::v3::AccessLog& in, DecodeContext& context);
}
