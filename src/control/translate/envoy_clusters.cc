#include "control/translate/envoy_clusters.h"

#include <algorithm>
#include <utility>

#include "control/translate/extensions.h"

namespace plait::control::translate {
namespace {
using Protocol = xds::UpstreamHttpOptions::Protocol;

bool IsMeshTls(const xds::UpstreamTlsContext& tls) {
  return !tls.common.alpn_protocols.empty() && tls.common.alpn_protocols[0] == "istio";
}

// The far side tells by the ALPN what is inside. Istio's Envoy chooses it for each connection (istio.alpn); a stock one
// has one list a cluster, which must hold for whatever is sent to it.
std::vector<std::string> MeshAlpn(model::Protocol declared, Protocol protocol) {
  if (!model::IsHttp(declared)) return {"istio"};
  switch (protocol) {
    case Protocol::kHttp2: return {"istio-h2", "istio", "h2"};
    case Protocol::kHttp1: return {"istio-http/1.1", "istio", "http/1.1"};
    default: return {"istio"};
  }
}

// A server is accepted by the list of its cluster. While no endpoint is known the list would be empty and take anyone:
// then any account of the service's namespace is meant, which is where its endpoints will be.
void NarrowNames(const model::Snapshot& snapshot, const model::ServiceView& service,
                 xds::ValidationContext& validation) {
  if (!validation.subject_alt_names.empty()) return;
  validation.subject_alt_names.push_back(
      {xds::SubjectAltNameMatcher::Type::kUri,
       {.kind = xds::StringMatcher::Kind::kPrefix,
        .value = "spiffe://" + snapshot.mesh().trust_domain + "/ns/" + service.name_space + "/"}});
}

// Envoy cannot keep to the member that was dialled and balance otherwise: a headless service's pods are called at their
// own address only. There the endpoint's metadata is unknown, so TLS is used when one of them takes it; those that do
// not have listeners of their own (TakesOnlyPlaintext).
bool AnyTakesMutualTls(const OutboundTarget& target) {
  const auto& endpoints = target.service->EndpointsOf(*target.port);
  return std::any_of(endpoints.begin(), endpoints.end(), [](const auto& endpoint) { return endpoint.mtls; });
}

void PinToOriginal(const OutboundTarget& target, xds::Cluster& cluster) {
  cluster.type = xds::Cluster::Type::kOriginalDst;
  cluster.lb = {.policy = xds::LbPolicy::kClusterProvided};
  if (!cluster.transport_socket_matches.empty() && AnyTakesMutualTls(target))
    cluster.tls = cluster.transport_socket_matches[0].tls;
  cluster.transport_socket_matches.clear();
}
}  // namespace

bool TakesOnlyPlaintext(const model::Snapshot& snapshot, const OutboundTarget& target,
                        const model::EndpointView& endpoint) {
  return !endpoint.mtls && snapshot.mesh().auto_mtls && !target.policy.tls && AnyTakesMutualTls(target);
}

void ToEnvoyForm(const model::Proxy& proxy, const model::Snapshot& snapshot, const OutboundTarget& target,
                 xds::Cluster& cluster) {
  // Where LB PASSTHROUGH asks for it, what was dialled may be the address of the service, so it is balanced.
  const bool headless = target.service->headless && cluster.type == xds::Cluster::Type::kEds;
  if (std::exchange(cluster.pin_original_dst, false) && headless) PinToOriginal(target, cluster);
  const auto adapt = [&](std::optional<xds::UpstreamTlsContext>& tls) {
    if (!tls || !IsMeshTls(*tls)) return;
    if (!Knows(proxy, kIstioAlpn)) tls->common.alpn_protocols = MeshAlpn(target.port->protocol, cluster.http.protocol);
    if (tls->common.validation) NarrowNames(snapshot, *target.service, *tls->common.validation);
  };
  adapt(cluster.tls);
  for (xds::TransportSocketMatch& match : cluster.transport_socket_matches) adapt(match.tls);
}

}  // namespace plait::control::translate
