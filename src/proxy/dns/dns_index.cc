#include "proxy/dns/dns_index.h"

#include <algorithm>

#include "core/base/strings.h"
#include "proxy/cluster/destination_index.h"

namespace plait::proxy::dns {
namespace {

bool Answers(const xds::Service& service, const xds::Workload& workload) {
  return workload.healthy || service.publish_not_ready;
}

// A pod of a headless service by its hostname, else by its address with dashes, as CoreDNS names it.
std::string PodName(const xds::Service& service, const xds::Workload& workload) {
  if (!workload.dns_hostname.empty() && workload.dns_subdomain == service.name) return workload.dns_hostname;
  if (workload.addresses.empty()) return {};
  std::string name = workload.addresses.front().ToString();
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '.' || c == ':'; }, '-');
  return name;
}

// Where this workload listens; a port that is named may differ from pod to pod.
std::uint16_t TargetPort(const xds::Service& service, const xds::ServicePort& port, const xds::Workload& workload) {
  if (const auto ports = workload.services.find(service.Key()); ports != workload.services.end())
    for (const xds::AddressPort& own : ports->second)
      if (own.service_port == port.port.service_port && own.target_port != 0) return own.target_port;
  return port.port.target_port != 0 ? port.port.target_port : port.port.service_port;
}

void AddAll(const xds::Workload& workload, std::vector<io::IpAddress>& to) {
  to.insert(to.end(), workload.addresses.begin(), workload.addresses.end());
}

}  // namespace

MeshDnsIndex::MeshDnsIndex(const cluster::DestinationIndex& index, std::string domain, std::string name_space)
    : index_(index), domain_(std::move(domain)), suffix_(".svc." + domain_), name_space_(std::move(name_space)) {}

NameAnswer MeshDnsIndex::OfService(const xds::Service& service) const {
  NameAnswer answer{.ours = true, .exists = true, .alias = service.external_name};
  if (service.headless) {
    for (const cluster::WorkloadPtr& workload : index_.WorkloadsOf(service.Key())) {
      if (Answers(service, *workload)) AddAll(*workload, answer.addresses);
    }
    return answer;
  }
  for (const xds::NetworkAddress& vip : service.addresses) {
    if (vip.address.length == vip.address.base.byte_count() * 8) answer.addresses.push_back(vip.address.base);
  }
  return answer;
}

NameAnswer MeshDnsIndex::OfPod(const xds::Service& service, std::string_view pod) const {
  NameAnswer answer{.ours = true};
  for (const cluster::WorkloadPtr& workload : index_.WorkloadsOf(service.Key())) {
    if (!service.headless || PodName(service, *workload) != pod || !Answers(service, *workload)) continue;
    answer.exists = true;
    AddAll(*workload, answer.addresses);
  }
  return answer;
}

NameAnswer MeshDnsIndex::OfPort(const xds::Service& service, std::string_view port, std::string_view protocol) const {
  NameAnswer answer{.ours = true};
  if (protocol != "_tcp") return answer;
  for (const xds::ServicePort& one : service.ports) {
    if (one.name != port.substr(1)) continue;
    answer.exists = true;
    if (!service.headless) {
      answer.targets.push_back({.port = one.port.service_port, .host = service.hostname});
      continue;
    }
    for (const cluster::WorkloadPtr& workload : index_.WorkloadsOf(service.Key())) {
      const std::string pod = PodName(service, *workload);
      if (pod.empty() || !Answers(service, *workload)) continue;
      answer.targets.push_back({.port = TargetPort(service, one, *workload), .host = pod + "." + service.hostname});
    }
  }
  return answer;
}

NameAnswer MeshDnsIndex::FindInCluster(std::string_view below) const {
  const std::vector<std::string_view> labels = Split(below, '.');
  if (labels.size() == 1) return {.ours = true, .exists = index_.HasNamespace(labels[0])};  // between names: NODATA
  const std::size_t n = labels.size();
  const std::string host = std::string(labels[n - 2]) + "." + std::string(labels[n - 1]) + suffix_;
  const cluster::ServicePtr service = index_.FindService(host);
  if (!service) return {.ours = true};
  if (n == 2) return OfService(*service);
  // Between a service and the names of its ports: it exists, without any record (RFC 8020).
  if (n == 3 && labels[0] == "_tcp") return {.ours = true, .exists = !service->ports.empty()};
  if (n == 3) return OfPod(*service, labels[0]);
  if (n == 4 && labels[0].starts_with('_')) return OfPort(*service, labels[0], labels[1]);
  return {.ours = true};
}

NameAnswer MeshDnsIndex::Find(std::string_view name) const {
  if (name.ends_with(suffix_)) return FindInCluster(name.substr(0, name.size() - suffix_.size()));
  if (name == domain_ || name == std::string_view(suffix_).substr(1)) return {.ours = true, .exists = true};
  if (name.ends_with(domain_) && name[name.size() - domain_.size() - 1] == '.') return {.ours = true};

  // Hosts of ServiceEntries. Without an address of its own such a host is resolved outside.
  cluster::ServicePtr service = index_.FindService(name);
  for (std::size_t dot = name.find('.'); !service && dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    service = index_.FindService("*" + std::string(name.substr(dot)));
  }
  if (service) {
    NameAnswer answer = OfService(*service);
    answer.entry = true;
    if (!answer.addresses.empty() || !answer.alias.empty()) return answer;
    return {};
  }
  // Short forms, for clients that do not use the search list.
  const auto dots = std::count(name.begin(), name.end(), '.');
  std::string full(name);
  if (dots == 0) full += "." + name_space_ + suffix_;
  if (dots == 1) full += suffix_;
  if (dots == 2 && name.ends_with(".svc")) full += "." + domain_;
  if (full.size() == name.size()) return {};
  service = index_.FindService(full);
  return service ? OfService(*service) : NameAnswer{};
}

}  // namespace plait::proxy::dns
