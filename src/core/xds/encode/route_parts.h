#pragma once
// Encoders of what stands at several levels of a route configuration. Internal to core/xds/encode.
#include "core/xds/route.h"

namespace envoy::config::core::v3 {
class HeaderValueOption;
}
namespace envoy::config::route::v3 {
class RetryPolicy;
class RouteAction;
class RouteAction_RequestMirrorPolicy;
}  // namespace envoy::config::route::v3
namespace google::protobuf {
class Any;
}

namespace plait::xds::encode {

void Fill(const RouteAction& in, envoy::config::route::v3::RouteAction& out);
void Fill(const RetryPolicy& in, envoy::config::route::v3::RetryPolicy& out);
void Fill(const MirrorPolicy& in, envoy::config::route::v3::RouteAction_RequestMirrorPolicy& out);
void Fill(const HeaderOption& in, envoy::config::core::v3::HeaderValueOption& out);
void Pack(const HttpFilterOverride& in, google::protobuf::Any& out);

// Into any message with the four header fields.
template <class Message>
void FillHeaders(const HeaderOps& in, Message& out) {
  for (const HeaderOption& option : in.request_add) Fill(option, *out.add_request_headers_to_add());
  for (const std::string& name : in.request_remove) out.add_request_headers_to_remove(name);
  for (const HeaderOption& option : in.response_add) Fill(option, *out.add_response_headers_to_add());
  for (const std::string& name : in.response_remove) out.add_response_headers_to_remove(name);
}

template <class Map>
void FillPerFilter(const PerFilterConfig& in, Map& out) {
  for (const auto& [filter, config] : in) Pack(config, out[filter]);
}

}  // namespace plait::xds::encode
