#include "control/serve/difference.h"

#include <algorithm>
#include <tuple>

#include "control/translate/names.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using model::Kind;
using model::ServiceView;
using model::Workload;

// How a change of an object is seen: as services, as pods, or by itself.
enum class Seen : std::uint8_t { kAsServices, kAsPods, kAsRule, kAsIndex };

Seen SeenAs(Kind kind) {
  switch (kind) {
    case Kind::kService:
    case Kind::kServiceEntry: return Seen::kAsServices;
    case Kind::kPod:
    case Kind::kDeployment:
    case Kind::kStatefulSet:
    case Kind::kJob:
    case Kind::kServiceAccount: return Seen::kAsPods;
    case Kind::kVirtualService:
    case Kind::kDestinationRule:
    case Kind::kGateway:
    case Kind::kSecret:
    case Kind::kAuthorizationPolicy:
    case Kind::kRequestAuthentication: return Seen::kAsRule;
    default: return Seen::kAsIndex;
  }
}

// Which rules a sidecar's resources are made from.
bool IsMadeFrom(std::string_view type_url, Kind kind, bool plait_form) {
  using namespace xds::type_url;  // NOLINT: the names of types
  const bool routing = type_url == kRoute || type_url == kL4Routes;
  // In the Plait form a listener is the same whatever there is outside; in Envoy's it holds routes and clusters.
  const bool holds_routing = type_url == kListener && !plait_form;
  switch (kind) {
    case Kind::kVirtualService: return routing || holds_routing;
    case Kind::kDestinationRule: return routing || holds_routing || type_url == kCluster || type_url == kEndpoint;
    case Kind::kAuthorizationPolicy:
    case Kind::kRequestAuthentication: return type_url == kListener;
    case Kind::kSecret: return type_url == kSecret;
    case Kind::kGateway: return false;
    default: return true;
  }
}

void CompareObjects(const model::Snapshot& before, const model::Snapshot& now, Difference& out) {
  const auto note = [&](const model::AnyObject& object) {
    const Seen seen = SeenAs(model::MetaOf(object).key.kind);
    if (seen == Seen::kAsRule) out.rules.insert(model::MetaOf(object).key.kind);
    out.index |= seen == Seen::kAsIndex;
  };
  WalkObjects(before.objects(), now.objects(), note, note, note);
}

bool SameMeta(const model::Meta& a, const model::Meta& b) {
  return a.key == b.key && a.labels == b.labels && a.annotations == b.annotations && a.created == b.created;
}

// A service but for its endpoints.
bool SameShape(const ServiceView& a, const ServiceView& b) {
  if (a.hostname != b.hostname || a.name != b.name || a.name_space != b.name_space || a.vips != b.vips ||
      a.headless != b.headless || a.mesh_external != b.mesh_external || a.resolution != b.resolution ||
      a.ports != b.ports || a.export_to != b.export_to || a.subject_alt_names != b.subject_alt_names ||
      (a.service == nullptr) != (b.service == nullptr))
    return false;
  if (a.service == b.service && a.entry == b.entry) return true;
  if (!SameMeta(a.meta(), b.meta())) return false;
  if (a.service == nullptr) return a.entry->workload_selector == b.entry->workload_selector;
  return a.service->selector == b.service->selector && a.service->external_name == b.service->external_name &&
         a.service->publish_not_ready == b.service->publish_not_ready;
}

bool SameEndpoint(const model::EndpointView& a, const model::EndpointView& b) {
  if (a.port != b.port || a.ready != b.ready || a.mtls != b.mtls || a.weight != b.weight || a.ips != b.ips ||
      a.identity != b.identity || a.dns_name != b.dns_name || a.locality != b.locality || a.network != b.network ||
      a.hostname != b.hostname)
    return false;
  if (a.workload == b.workload && a.workload != nullptr) return true;
  if (a.labels != b.labels || (a.workload == nullptr) != (b.workload == nullptr)) return false;
  return a.workload == nullptr || (a.workload->name_space == b.workload->name_space &&
                                   a.workload->workload_name() == b.workload->workload_name() &&
                                   a.workload->meshed == b.workload->meshed && a.workload->node == b.workload->node);
}

bool SameEndpoints(const ServiceView& a, const ServiceView& b) {
  return std::equal(a.endpoints.begin(), a.endpoints.end(), b.endpoints.begin(), b.endpoints.end(),
                    [](const auto& left, const auto& right) {
                      return std::equal(left.begin(), left.end(), right.begin(), right.end(), SameEndpoint);
                    });
}

// Hosts of services that are the way into a network: what is behind them is an endpoint of any service.
std::set<std::string, std::less<>> NetworkGateways(const model::Snapshot& mesh) {
  std::set<std::string, std::less<>> out;
  for (const model::MeshNetwork& network : mesh.networks())
    for (const model::MeshNetwork::Gateway& gateway : network.gateways) out.insert(gateway.service);
  return out;
}

void CompareServices(const model::Snapshot& before, const model::Snapshot& now, Difference& out) {
  if (before.services().size() != now.services().size()) {
    out.index = true;
    return;
  }
  const std::set<std::string, std::less<>> gateways = NetworkGateways(now);
  for (std::size_t i = 0; i < now.services().size(); ++i) {
    const ServiceView& a = *before.services()[i];
    const ServiceView& b = *now.services()[i];
    if (!SameShape(a, b)) {
      out.index = true;
      return;
    }
    if (SameEndpoints(a, b)) continue;
    out.hosts.insert(b.hostname);
    for (const ServiceView* alias : b.aliases) out.hosts.insert(alias->hostname);
    // Endpoints that are written down for names of a headless service have Addresses of their own.
    out.index |= b.headless && b.service != nullptr && b.service->selector.empty();
    out.index |= gateways.contains(b.hostname);
  }
}

void CompareWorkloads(const model::Snapshot& before, const model::Snapshot& now, Difference& out) {
  if (&before.workloads() == &now.workloads()) return;
  const auto key = [](const Workload& w) { return std::tie(w.name_space, w.name, w.uid); };
  auto a = before.workloads().begin();
  auto b = now.workloads().begin();
  const auto note = [&](const Workload* was, const Workload* is) {
    const Workload& w = is ? *is : *was;
    out.workloads.insert(w.name_space + "/" + w.name);
    out.gateways |= w.gateway;
    const auto place = [](const model::Snapshot& mesh, const Workload* workload) {
      return workload ? std::pair(mesh.LocalityOf(*workload), workload->node) : std::pair<std::string, std::string>();
    };
    if (place(before, was) != place(now, is)) out.moved.insert(w.name_space + "/" + w.name);
  };
  while (a != before.workloads().end() || b != now.workloads().end()) {
    if (b == now.workloads().end() || (a != before.workloads().end() && key(*a) < key(*b))) {
      note(&*a++, nullptr);
    } else if (a == before.workloads().end() || key(*b) < key(*a)) {
      note(nullptr, &*b++);
    } else {
      if (!(*a == *b)) note(&*a, &*b);
      ++a, ++b;
    }
  }
}

}  // namespace

Difference Compare(const model::Snapshot& before, const model::Snapshot& now) {
  Difference out{.index = false, .all_addresses = false};
  CompareObjects(before, now, out);
  CompareServices(before, now, out);
  CompareWorkloads(before, now, out);
  return out;
}

bool Difference::RulesTouch(std::string_view type_url, bool router, bool plait_form) const {
  return std::any_of(rules.begin(), rules.end(),
                     [&](Kind kind) { return router || IsMadeFrom(type_url, kind, plait_form); });
}

bool Difference::Touches(std::string_view cluster) const {
  if (index || rules.contains(Kind::kDestinationRule)) return true;
  const auto name = translate::ParseOutboundCluster(cluster);
  return name && hosts.contains(name->hostname);
}

Difference::Extent Difference::Of(std::string_view type_url, const Proxy& proxy) const {
  using namespace xds::type_url;  // NOLINT: the names of types
  if (type_url == kAddress) return all_addresses ? Extent::kAll : addresses.empty() ? Extent::kNothing : Extent::kSome;
  if (index || RulesTouch(type_url, proxy.kind == Proxy::Kind::kRouter, proxy.plait_form)) return Extent::kAll;
  // What the proxy's own pod has: listeners and inbound clusters.
  const std::string pod = proxy.name_space + "/" + proxy.name;
  const bool own = workloads.contains(pod);
  // Where it stands decides whom it sends to.
  if (type_url == kEndpoint && moved.contains(pod)) return Extent::kAll;
  if (type_url == kEndpoint) return hosts.empty() ? Extent::kNothing : Extent::kSome;
  if (type_url == kCluster) return own ? Extent::kAll : hosts.empty() ? Extent::kNothing : Extent::kSome;
  // Routes by address hold the pods of headless services, and listeners a socket for each where they are not constant.
  const bool by_address = type_url == kL4Routes || (type_url == kListener && !proxy.plait_form);
  if (by_address) return own || !hosts.empty() ? Extent::kAll : Extent::kNothing;
  if (type_url == kListener) return own ? Extent::kAll : Extent::kNothing;
  // Which secrets a gateway may read depends on its pods.
  if (type_url == kSecret) return gateways && proxy.kind == Proxy::Kind::kRouter ? Extent::kAll : Extent::kNothing;
  return type_url == kRoute ? Extent::kNothing : Extent::kAll;
}

}  // namespace plait::control::serve
