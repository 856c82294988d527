#include "control/translate/addresses.h"

#include <algorithm>
#include <map>

#include "control/translate/endpoints.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
using model::ServiceView;

xds::AppProtocol ToAppProtocol(model::Protocol protocol) {
  switch (protocol) {
    case model::Protocol::kHttp: return xds::AppProtocol::kHttp11;
    case model::Protocol::kHttp2: return xds::AppProtocol::kHttp2;
    case model::Protocol::kGrpc: return xds::AppProtocol::kGrpc;
    case model::Protocol::kHttps:
    case model::Protocol::kTls: return xds::AppProtocol::kTls;
    case model::Protocol::kTcp: return xds::AppProtocol::kTcp;
    default: return xds::AppProtocol::kUnknown;
  }
}

xds::DeclaredProtocol ToDeclared(model::Protocol protocol) {
  if (model::IsHttp(protocol)) return xds::DeclaredProtocol::kHttp;
  if (model::IsTls(protocol)) return xds::DeclaredProtocol::kTls;
  return protocol == model::Protocol::kTcp ? xds::DeclaredProtocol::kTcp : xds::DeclaredProtocol::kNone;
}

constexpr std::string_view kPod = "//Pod/";

std::string UidOf(const model::Snapshot& snapshot, const model::Workload& workload) {
  return AddressName(snapshot, workload.name_space + "/" + workload.name);
}
std::string KeyOf(const ServiceView& service) { return service.name_space + "/" + service.hostname; }

// A headless service without a selector: its name leads to endpoints that are written down.
bool HasWrittenNames(const ServiceView& service) {
  return service.headless && service.service && service.service->selector.empty();
}

// Labels that metrics and traces show; others would only make the index larger.
model::Labels TelemetryLabels(const model::Labels& labels) {
  constexpr std::string_view kShown[] = {"app",
                                         "version",
                                         "app.kubernetes.io/name",
                                         "app.kubernetes.io/version",
                                         "service.istio.io/canonical-name",
                                         "service.istio.io/canonical-revision"};
  model::Labels out;
  for (const auto& [key, value] : labels)
    if (std::find(std::begin(kShown), std::end(kShown), key) != std::end(kShown)) out.emplace(key, value);
  return out;
}

// Only names of a headless service's pods come and go with their readiness. Who else is not ready is known by its
// address and identity all the same, and an Address that stays the same is not sent to every proxy: endpoints tell.
bool AnswersByReadiness(const ServiceView& service) {
  return service.headless && service.service != nullptr && !service.service->publish_not_ready;
}

// The type has no StatefulSet; the extension's `kind` has it.
xds::Workload::Type ToType(model::OwnerKind kind) {
  switch (kind) {
    case model::OwnerKind::kNone: return xds::Workload::Type::kPod;
    case model::OwnerKind::kJob: return xds::Workload::Type::kJob;
    default: return xds::Workload::Type::kDeployment;
  }
}

// The ports of a service on which the workload is one of its endpoints.
void AddPorts(const model::Snapshot& snapshot, const ServiceView& service, const model::Workload& workload,
              xds::Workload& out) {
  std::vector<xds::AddressPort> ports;
  const bool selected = service.Selects(workload);
  for (const model::ServicePort& port : service.ports) {
    const auto add = [&](std::uint16_t target) { ports.push_back({port.port, target, ToAppProtocol(port.protocol)}); };
    if (selected && workload.ending) {
      // It is no endpoint any more, but what it still does belongs to the service.
      if (const std::uint16_t target = model::EndpointPortOf(snapshot, port, workload)) add(target);
      continue;
    }
    for (const model::EndpointView& endpoint : service.EndpointsOf(port))
      if (endpoint.workload == &workload) add(endpoint.port);
  }
  if (selected || !ports.empty()) out.services[KeyOf(service)] = std::move(ports);
}

NamedAddress WorkloadAddress(const model::Snapshot& snapshot, const model::Workload& from) {
  xds::Workload out;
  out.uid = UidOf(snapshot, from);
  out.name = from.name;
  out.name_space = from.name_space;
  out.addresses = from.ips;
  out.network = snapshot.options().network;
  out.tunnel_protocol = from.TakesMeshTls() ? xds::TunnelProtocol::kLegacyIstioMtls : xds::TunnelProtocol::kNone;
  if (snapshot.mesh().trust_domain != "cluster.local") out.trust_domain = snapshot.mesh().trust_domain;
  out.service_account = from.service_account;
  out.canonical_name = from.CanonicalName();
  out.canonical_revision = from.CanonicalRevision();
  out.type = ToType(from.owner_kind);
  out.workload_name = from.workload_name();
  out.host_network = from.host_network;
  out.node = from.node;
  out.locality = ToLocality(snapshot.LocalityOf(from));
  out.cluster_id = snapshot.options().cluster_id;
  out.labels = TelemetryLabels(from.labels);
  out.kind = model::OwnerKindName(from.owner_kind);
  out.tls_mode = from.TakesMeshTls() ? xds::TlsMode::kIstio : xds::TlsMode::kDisabled;
  out.dns_hostname = from.hostname;
  out.dns_subdomain = from.subdomain;
  out.owner = from.owner;
  if (from.TakesMeshTls()) {
    // Ports on which the server wants plaintext: a client must not offer TLS there.
    const model::ServerMtls mtls = snapshot.MtlsOf(from.name_space, from.labels);
    if (mtls.mode == model::PeerAuthentication::Mode::kDisable) out.tls_mode = xds::TlsMode::kDisabled;
    for (const auto& [port, mode] : mtls.ports)
      out.port_tls_modes[port] =
          mode == model::PeerAuthentication::Mode::kDisable ? xds::TlsMode::kDisabled : xds::TlsMode::kIstio;
  }
  for (const ServiceView* service : snapshot.ServicesOf(from)) {
    if (AnswersByReadiness(*service)) out.healthy = from.ready;
    AddPorts(snapshot, *service, from, out);
  }
  for (const auto& service : snapshot.services())
    if (HasWrittenNames(*service)) AddPorts(snapshot, *service, from, out);
  NamedAddress named{.name = out.uid, .aliases = {}, .address = {}};
  for (const io::IpAddress& ip : from.ips)
    if (!from.host_network) named.aliases.push_back(xds::AddressKey(out.network, ip));
  named.address.value = std::move(out);
  return named;
}

NamedAddress ServiceAddress(const model::Snapshot& snapshot, const ServiceView& from) {
  xds::Service out;
  out.name = from.name;
  out.name_space = from.name_space;
  out.hostname = from.hostname;
  for (const io::Cidr& vip : from.vips) out.addresses.push_back({snapshot.options().network, vip});
  for (const model::ServicePort& port : from.ports) {
    if (port.protocol == model::Protocol::kUdp) continue;
    xds::ServicePort to;
    to.port = {port.port, port.target_port, ToAppProtocol(port.protocol)};
    to.name = port.name;
    to.declared = ToDeclared(port.protocol);
    out.ports.push_back(std::move(to));
  }
  out.subject_alt_names = from.subject_alt_names;
  out.canonical = from.service != nullptr;
  out.headless = from.headless;
  if (from.service) {
    out.external_name = from.service->external_name;
    out.publish_not_ready = from.service->publish_not_ready;
  }
  NamedAddress named{.name = KeyOf(from), .aliases = {}, .address = {}};
  for (const io::Cidr& vip : from.vips)
    if (vip.length == (vip.base.is_v4() ? 32 : 128))
      named.aliases.push_back(xds::AddressKey(snapshot.options().network, vip.base));
  named.address.value = std::move(out);
  return named;
}
// Endpoints of headless services that are no pods of the mesh, each with its name and all its ports.
std::vector<NamedAddress> WrittenAddresses(const model::Snapshot& snapshot) {
  std::map<std::string, NamedAddress> out;
  for (const auto& service : snapshot.services()) {
    if (!HasWrittenNames(*service)) continue;
    for (const model::ServicePort& port : service->ports) {
      for (const model::EndpointView& endpoint : service->EndpointsOf(port)) {
        if (endpoint.workload) continue;
        const io::IpAddress& ip = endpoint.ips.front();
        const std::string uid = snapshot.options().cluster_id + "/discovery.k8s.io/EndpointSlice/" +
                                service->name_space + "/" + service->name + "/" + ip.ToString();
        NamedAddress& named = out[uid];
        xds::Workload workload;
        if (const auto* known = std::get_if<xds::Workload>(&named.address.value); known && !named.name.empty())
          workload = *known;
        named.name = workload.uid = uid;
        named.aliases = {xds::AddressKey(snapshot.options().network, ip)};
        workload.name = workload.workload_name = service->name;
        workload.name_space = service->name_space;
        workload.addresses = {ip};
        workload.network = snapshot.options().network;
        workload.type = xds::Workload::Type::kPod;
        workload.healthy = endpoint.ready;
        workload.cluster_id = snapshot.options().cluster_id;
        workload.locality = ToLocality(endpoint.locality);
        workload.dns_hostname = endpoint.hostname;
        workload.dns_subdomain = service->name;
        workload.services[KeyOf(*service)].push_back({port.port, endpoint.port, ToAppProtocol(port.protocol)});
        named.address.value = std::move(workload);
      }
    }
  }
  std::vector<NamedAddress> all;
  for (auto& [uid, named] : out) all.push_back(std::move(named));
  return all;
}

std::optional<NamedAddress> FindWritten(const model::Snapshot& snapshot, std::string_view key) {
  for (NamedAddress& written : WrittenAddresses(snapshot))
    if (written.name == key || written.aliases[0] == key) return std::move(written);
  return std::nullopt;
}
}  // namespace

std::vector<NamedAddress> Addresses(const model::Snapshot& snapshot) {
  std::vector<NamedAddress> out;
  // A hostname that two namespaces' ServiceEntries share has one key each; a second object of one key does not exist.
  for (const auto& service : snapshot.services())
    if (out.empty() || out.back().name != KeyOf(*service)) out.push_back(ServiceAddress(snapshot, *service));
  for (const model::Workload& workload : snapshot.workloads()) out.push_back(WorkloadAddress(snapshot, workload));
  for (NamedAddress& written : WrittenAddresses(snapshot)) out.push_back(std::move(written));
  return out;
}

std::string AddressName(const model::Snapshot& snapshot, std::string_view workload) {
  return snapshot.options().cluster_id + std::string(kPod) + std::string(workload);
}

std::optional<NamedAddress> FindAddress(const model::Snapshot& snapshot, std::string_view key) {
  if (const auto at = key.find(kPod); at != std::string_view::npos) {
    const auto [name_space, name] = SplitOnce(key.substr(at + kPod.size()), '/');
    const model::Workload* workload = name ? snapshot.FindWorkload(name_space, *name) : nullptr;
    if (!workload || UidOf(snapshot, *workload) != key) return std::nullopt;
    return WorkloadAddress(snapshot, *workload);
  }
  const auto slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view first = key.substr(0, slash);
  const std::string_view second = key.substr(slash + 1);
  if (const auto ip = io::IpAddress::Parse(second); ip && first == snapshot.options().network) {
    if (const ServiceView* service = snapshot.FindByVip(*ip)) return ServiceAddress(snapshot, *service);
    if (const model::Workload* workload = snapshot.FindWorkload(*ip)) return WorkloadAddress(snapshot, *workload);
    return FindWritten(snapshot, key);
  }
  for (const auto& service : snapshot.services())
    if (service->name_space == first && service->hostname == second) return ServiceAddress(snapshot, *service);
  return FindWritten(snapshot, key);
}

}  // namespace plait::control::translate
