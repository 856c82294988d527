#pragma once
// Attributes of Envoy's CEL that access logs and header values may name: %CEL(request.headers['x-a'])%.
#include <optional>
#include <string>
#include <string_view>

namespace plait::xds {

// The command that gives the value of an expression that is one attribute: "request.path" -> "REQ(:PATH)". nullopt:
// it is another expression, or no attribute that is known.
std::optional<std::string> CommandOfAttribute(std::string_view expression);

}  // namespace plait::xds
