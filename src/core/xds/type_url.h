#pragma once
// Type URLs of the resources that Plait's ADS carries.
#include <string_view>

namespace plait::xds::type_url {
inline constexpr std::string_view kListener = "type.googleapis.com/envoy.config.listener.v3.Listener";
inline constexpr std::string_view kRoute = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
inline constexpr std::string_view kCluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
inline constexpr std::string_view kEndpoint = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
inline constexpr std::string_view kSecret = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
inline constexpr std::string_view kExtensionConfig = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
inline constexpr std::string_view kL4Routes = "type.googleapis.com/plait.proxy.v1.L4Routes";
inline constexpr std::string_view kAddress = "type.googleapis.com/istio.workload.Address";
inline constexpr std::string_view kNameTable = "type.googleapis.com/istio.networking.nds.v1.NameTable";

// "envoy.config.listener.v3.Listener": what follows the last slash.
constexpr std::string_view MessageName(std::string_view url) noexcept {
  const auto slash = url.rfind('/');
  return slash == std::string_view::npos ? url : url.substr(slash + 1);
}
// Resources that a wildcard subscription gets; the others are asked for by name.
constexpr bool IsWildcardType(std::string_view url) noexcept {
  return url == kListener || url == kCluster || url == kAddress;
}
}  // namespace plait::xds::type_url
