#pragma once
// Decoders of HTTP filters and of what routes override. Internal to core/xds.
#include <optional>
#include <string>

#include "core/xds/decode_context.h"
#include "core/xds/http_filters.h"

namespace google::protobuf {
class Any;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpFilter;
}

namespace plait::xds {
// nullopt: an optional filter of a type that is not known.
std::optional<HttpFilter> DecodeHttpFilter(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter& in, DecodeContext& context);
std::optional<HttpFilterOverride> DecodeFilterOverride(const google::protobuf::Any& in, DecodeContext& context);
}  // namespace plait::xds
