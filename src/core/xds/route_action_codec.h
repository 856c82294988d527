#pragma once
// Decoders of route actions and of what routes, virtual hosts and weighted clusters share. Internal to core/xds.
#include "core/base/strings.h"
#include "core/xds/common_codec.h"
#include "core/xds/http_filters_codec.h"
#include "core/xds/route.h"

namespace plait::xds {

RouteAction DecodeRouteAction(const envoy::config::route::v3::RouteAction& in, DecodeContext& context);
RetryPolicy DecodeRetryPolicy(const envoy::config::route::v3::RetryPolicy& in, DecodeContext& context);
MirrorPolicy DecodeMirror(const envoy::config::route::v3::RouteAction::RequestMirrorPolicy& in, DecodeContext& context);
HeaderOption DecodeHeaderOption(const envoy::config::core::v3::HeaderValueOption& in, DecodeContext& context);

// From any message with the four header fields of routes.
template <class Message>
HeaderOps DecodeHeaderOps(const Message& in, DecodeContext& context) {
  HeaderOps out;
  for (const auto& option : in.request_headers_to_add()) out.request_add.push_back(DecodeHeaderOption(option, context));
  for (const auto& option : in.response_headers_to_add())
    out.response_add.push_back(DecodeHeaderOption(option, context));
  out.request_remove = {in.request_headers_to_remove().begin(), in.request_headers_to_remove().end()};
  out.response_remove = {in.response_headers_to_remove().begin(), in.response_headers_to_remove().end()};
  for (const auto* names : {&out.request_remove, &out.response_remove})
    for (const std::string& name : *names)
      if (name.empty() || name.front() == ':' || EqualsIgnoreCase(name, "host"))
        context.Reject("header \"" + name + "\" cannot be removed");
  return out;
}

template <class Map>
PerFilterConfig DecodePerFilter(const Map& in, DecodeContext& context) {
  PerFilterConfig out;
  for (const auto& [name, any] : in) {
    const DecodeContext::At at(context, "typed_per_filter_config." + name);
    if (auto config = DecodeFilterOverride(any, context)) out.emplace(name, std::move(*config));
  }
  return out;
}

}  // namespace plait::xds
