#include "control/translate/endpoints.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "control/translate/clusters.h"
#include "control/translate/localities.h"
#include "control/translate/network_gateways.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {

// Envoy calls the pods of a headless service at their own addresses only (envoy_clusters.h).
bool IsEds(const model::Proxy& proxy, const std::optional<OutboundTarget>& target) {
  return target && target->service->resolution == model::ServiceView::Resolution::kEndpoints &&
         (target->sni_dnat || !target->service->headless || proxy.form != model::Proxy::Form::kEnvoy);
}

xds::Endpoint ToEndpoint(const model::Snapshot& snapshot, const model::EndpointView& from) {
  xds::Endpoint out;
  if (from.ips.empty()) {
    out.dns_name = from.dns_name;
    out.dns_port = from.port;
  } else {
    for (std::size_t i = 0; i < from.ips.size(); ++i) {
      io::SocketAddress address{.ip = from.ips[i], .port = Port{from.port}, .unix_path = {}};
      if (i == 0)
        out.address = std::move(address);
      else
        out.additional_addresses.push_back(std::move(address));
    }
  }
  out.health = from.ready ? xds::HealthStatus::kHealthy : xds::HealthStatus::kUnhealthy;
  out.weight = from.weight;
  out.identity = from.mtls ? from.identity : "";
  if (from.mtls) out.transport_socket_match = {{"tlsMode", "istio"}};
  if (const model::Workload* workload = from.workload)
    out.istio_workload = workload->workload_name() + ";" + workload->name_space + ";" + workload->CanonicalName() +
                         ";" + workload->CanonicalRevision() + ";" + snapshot.options().cluster_id;
  return out;
}

// Without TLS of the gateway's own: the workload behind the address is the client's to verify.
xds::Endpoint ToPassedOn(const model::Snapshot& snapshot, const model::EndpointView& from) {
  xds::Endpoint out = ToEndpoint(snapshot, from);
  out.identity.clear();
  out.transport_socket_match.clear();
  return out;
}

// Whether a server that speaks TLS has to be the very workload of the endpoint. Not where the rule says itself who the
// server is, nor where its TLS is for the application, whose certificate is its own.
bool ProvesItsWorkload(const OutboundTarget& target) {
  const auto& tls = target.policy.tls;
  return !tls || (tls->mode == model::ClientTls::Mode::kIstioMutual && tls->subject_alt_names.empty());
}
}  // namespace

xds::Locality ToLocality(std::string_view text) {
  xds::Locality out;
  const auto parts = Split(text, '/');
  if (!parts.empty()) out.region = parts[0];
  if (parts.size() > 1) out.zone = parts[1];
  if (parts.size() > 2) out.sub_zone = parts[2];
  return out;
}

xds::ClusterLoadAssignment Assignment(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                      const OutboundTarget& target, std::string cluster) {
  xds::ClusterLoadAssignment out;
  out.cluster_name = std::move(cluster);
  const Localities balance(proxy, snapshot, target);
  std::map<std::pair<xds::Locality, std::uint32_t>, std::vector<xds::Endpoint>> groups;  // by rank, too
  const auto add = [&](const model::EndpointView& from, const xds::Locality& locality, xds::Endpoint endpoint) {
    groups[{locality, balance.RankOf(locality, from)}].push_back(std::move(endpoint));
  };
  NetworkGateways gateways(proxy, snapshot);
  for (const model::EndpointView& endpoint : target.service->EndpointsOf(*target.port)) {
    // As Istio: who is not ready is no endpoint. A headless service's pods stay reachable by their own address.
    if (!endpoint.ready && !target.service->headless) continue;
    if (target.subset && !model::Selects(target.subset->labels, endpoint.labels)) continue;
    if (target.sni_dnat) {
      // Nobody gets past a workload's mutual TLS this way, and nothing goes from gateway to gateway.
      if (endpoint.mtls && gateways.InOwnNetwork(endpoint))
        add(endpoint, ToLocality(endpoint.locality), ToPassedOn(snapshot, endpoint));
      continue;
    }
    // A gateway stands where those behind it do, if that matters.
    if (!gateways.Takes(endpoint, balance.matter() ? endpoint.locality : std::string()))
      add(endpoint, ToLocality(endpoint.locality), ToEndpoint(snapshot, endpoint));
  }
  for (NetworkGateways::Way& way : std::move(gateways).Ways())
    add({.network = way.network}, ToLocality(way.locality), std::move(way.endpoint));
  for (auto& [key, endpoints] : groups) {
    xds::LocalityEndpoints group;
    std::tie(group.locality, group.priority) = key;
    std::uint64_t weight = 0;
    for (const xds::Endpoint& endpoint : endpoints) weight += endpoint.weight;
    group.weight = static_cast<std::uint32_t>(std::min<std::uint64_t>(weight, UINT32_MAX));
    group.endpoints = std::move(endpoints);
    if (!ProvesItsWorkload(target))
      for (xds::Endpoint& endpoint : group.endpoints) endpoint.identity.clear();
    out.localities.push_back(std::move(group));
  }
  balance.Arrange(out);
  return out;
}

std::optional<xds::ClusterLoadAssignment> FindEndpoints(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                        std::string_view cluster) {
  const auto target = FindOutboundTarget(proxy, snapshot, cluster);
  if (!IsEds(proxy, target)) return std::nullopt;
  return Assignment(proxy, snapshot, *target, std::string(cluster));
}

std::vector<std::string> EndpointNames(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<std::string> out;
  for (std::string& name : ClusterNames(proxy, snapshot))
    if (IsEds(proxy, FindOutboundTarget(proxy, snapshot, name))) out.push_back(std::move(name));
  return out;
}

}  // namespace plait::control::translate
