#include <atomic>

#include "core/xds/address_codec.h"
#include "core/xds/cluster_codec.h"
#include "core/xds/common_codec.h"
#include "core/xds/decode.h"
#include "core/xds/listener_codec.h"
#include "core/xds/plait_forms_codec.h"
#include "core/xds/route_codec.h"
#include "core/xds/tls_codec.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "plait/proxy/v1/l4_routes.pb.h"
#include "workloadapi/workload.pb.h"

namespace plait::xds {
namespace {

std::atomic<std::uint64_t> unknown_fields{0};

void Count(DecodeContext& context) {
  context.Finish();
  unknown_fields.fetch_add(context.unknown_fields(), std::memory_order_relaxed);
}

// Parses a resource and hands it to its decoder; the resource's name is part of every error.
template <class Message, class Decoder>
auto DecodeResource(std::string_view kind, std::string_view bytes, Decoder decode)
    -> Outcome<decltype(decode(std::declval<const Message&>(), std::declval<DecodeContext&>()))> {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Explain(Errc::kInvalidInput, "bytes are not a " + message.GetTypeName());
  std::string name;
  if constexpr (requires { message.cluster_name(); })
    name = message.cluster_name();
  else if constexpr (requires { message.workload(); })
    name = message.has_workload() ? message.workload().uid()
                                  : message.service().namespace_() + "/" + message.service().hostname();
  else
    name = message.name();
  DecodeContext context(std::string(kind) + " " + name, /*is_static=*/false);
  auto out = decode(message, context);
  Count(context);
  if (!context.ok()) return std::unexpected(context.TakeProblem());
  return out;
}
}  // namespace

Outcome<Listener> DecodeListener(std::string_view bytes) {
  return DecodeResource<envoy::config::listener::v3::Listener>("Listener", bytes, DecodeListenerMessage);
}

Outcome<RouteConfiguration> DecodeRouteConfiguration(std::string_view bytes) {
  return DecodeResource<envoy::config::route::v3::RouteConfiguration>("RouteConfiguration", bytes, DecodeRoutes);
}

Outcome<Cluster> DecodeCluster(std::string_view bytes) {
  return DecodeResource<envoy::config::cluster::v3::Cluster>("Cluster", bytes, DecodeClusterMessage);
}

Outcome<ClusterLoadAssignment> DecodeClusterLoadAssignment(std::string_view bytes) {
  return DecodeResource<envoy::config::endpoint::v3::ClusterLoadAssignment>(
      "ClusterLoadAssignment", bytes, [](const auto& message, DecodeContext& context) {
        return DecodeAssignment(message, context, /*dns_names=*/false);
      });
}

Outcome<Secret> DecodeSecret(std::string_view bytes) {
  return DecodeResource<envoy::extensions::transport_sockets::tls::v3::Secret>("Secret", bytes, DecodeSecretMessage);
}

Outcome<L4Routes> DecodeL4Routes(std::string_view bytes) {
  return DecodeResource<::plait::proxy::v1::L4Routes>("L4Routes", bytes, DecodeL4RoutesMessage);
}

Outcome<Address> DecodeAddress(std::string_view bytes) {
  return DecodeResource<istio::workload::Address>("Address", bytes, DecodeAddressMessage);
}

std::uint64_t DynamicUnknownFields() noexcept { return unknown_fields.load(std::memory_order_relaxed); }

}  // namespace plait::xds
