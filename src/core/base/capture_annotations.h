#pragma once
// The annotations of a pod that say which of its connections its proxy takes, as in Istio: the node makes its rules by
// them (node/capture_rules.h), the control plane tells what they lead to. Their values are lists with commas, of ports
// or of CIDR ranges; where something is included, "*" is everything.
#include <string_view>

namespace plait::capture_annotations {

inline constexpr std::string_view kPrefix = "traffic.sidecar.istio.io/";  // of all of them

inline constexpr std::string_view kIncludeInboundPorts = "traffic.sidecar.istio.io/includeInboundPorts";
inline constexpr std::string_view kExcludeInboundPorts = "traffic.sidecar.istio.io/excludeInboundPorts";
inline constexpr std::string_view kIncludeOutboundRanges = "traffic.sidecar.istio.io/includeOutboundIPRanges";
inline constexpr std::string_view kExcludeOutboundRanges = "traffic.sidecar.istio.io/excludeOutboundIPRanges";
inline constexpr std::string_view kExcludeOutboundPorts = "traffic.sidecar.istio.io/excludeOutboundPorts";

}  // namespace plait::capture_annotations
