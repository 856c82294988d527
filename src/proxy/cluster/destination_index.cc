#include "proxy/cluster/destination_index.h"

#include <algorithm>

namespace plait::proxy::cluster {

bool HasPort(const xds::Service& service, std::uint16_t port) noexcept {
  return std::any_of(service.ports.begin(), service.ports.end(),
                     [&](const xds::ServicePort& entry) { return entry.port.service_port == port; });
}

void DestinationIndex::SetNetwork(std::string network) {
  if (network == network_) return;
  network_ = std::move(network);
  const auto entries = std::exchange(entries_, {});
  workloads_.clear();
  vips_.clear();
  ranges_.clear();
  by_hostname_.clear();
  members_.clear();
  namespaces_.clear();
  for (const auto& [name, address] : entries) Insert(name, address);
}

void DestinationIndex::Apply(const IndexUpdate& update) {
  ++revision_;
  for (const auto& [name, address] : update.put) {
    Erase(name);
    Insert(name, address);
  }
  for (const std::string& name : update.removed) Erase(name);
  for (const io::IpAddress& ip : update.forgotten) absent_.erase(ip);
  for (const io::IpAddress& ip : update.absent) absent_.insert_or_assign(ip, true);
}

void DestinationIndex::Insert(const std::string& name, const std::shared_ptr<const xds::Address>& address) {
  entries_[name] = address;
  // The parts share the entry's ownership.
  if (const auto* workload = std::get_if<xds::Workload>(&address->value)) {
    Link(WorkloadPtr(address, workload));
  } else {
    LinkService(ServicePtr(address, &std::get<xds::Service>(address->value)));
  }
}

void DestinationIndex::Erase(const std::string& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return;
  const std::shared_ptr<const xds::Address> address = std::move(at->second);
  entries_.erase(at);
  if (const auto* workload = std::get_if<xds::Workload>(&address->value)) {
    Unlink(*workload);
  } else {
    UnlinkService(std::get<xds::Service>(address->value));
  }
}

void DestinationIndex::Link(const WorkloadPtr& workload) {
  if (SameNetwork(workload->network) && !workload->host_network) {
    for (const io::IpAddress& ip : workload->addresses) {
      workloads_[ip] = workload;
      absent_.erase(ip);
    }
  }
  for (const auto& [service, ports] : workload->services) members_[service].push_back(workload);
}

void DestinationIndex::Unlink(const xds::Workload& workload) {
  for (const io::IpAddress& ip : workload.addresses) {
    const auto at = workloads_.find(ip);
    // A new pod may have taken the address over before the old one was removed.
    if (at != workloads_.end() && at->second.get() == &workload) workloads_.erase(at);
  }
  for (const auto& [service, ports] : workload.services) {
    const auto at = members_.find(service);
    if (at == members_.end()) continue;
    std::erase_if(at->second, [&](const WorkloadPtr& one) { return one.get() == &workload; });
    if (at->second.empty()) members_.erase(at);
  }
}

void DestinationIndex::LinkService(const ServicePtr& service) {
  for (const xds::NetworkAddress& vip : service->addresses) {
    if (!SameNetwork(vip.network)) continue;
    const bool single = vip.address.length == vip.address.base.byte_count() * 8;
    if (single) {
      vips_[vip.address.base] = service;
      absent_.erase(vip.address.base);
    } else {
      ranges_[vip.address] = service;
      std::erase_if(absent_, [&](const auto& one) { return vip.address.Contains(one.first); });
    }
  }
  std::vector<ServicePtr>& same_name = by_hostname_[ToLower(service->hostname)];
  const auto before = [](const ServicePtr& a, const ServicePtr& b) { return a->name_space < b->name_space; };
  same_name.insert(std::upper_bound(same_name.begin(), same_name.end(), service, before), service);
  ++namespaces_[service->name_space];
}

void DestinationIndex::UnlinkService(const xds::Service& service) {
  for (const xds::NetworkAddress& vip : service.addresses) {
    if (const auto at = vips_.find(vip.address.base); at != vips_.end() && at->second.get() == &service)
      vips_.erase(at);
    if (const auto at = ranges_.find(vip.address); at != ranges_.end() && at->second.get() == &service)
      ranges_.erase(at);
  }
  if (const auto at = by_hostname_.find(ToLower(service.hostname)); at != by_hostname_.end()) {
    std::erase_if(at->second, [&](const ServicePtr& one) { return one.get() == &service; });
    if (at->second.empty()) by_hostname_.erase(at);
  }
  if (const auto at = namespaces_.find(service.name_space); at != namespaces_.end() && --at->second == 0) {
    namespaces_.erase(at);
  }
}

Destination DestinationIndex::FindByAddress(const io::IpAddress& ip) const {
  if (const auto at = vips_.find(ip); at != vips_.end())
    return {.known = true, .service = at->second, .workload = nullptr};
  if (const auto at = workloads_.find(ip); at != workloads_.end()) {
    return {.known = true, .service = nullptr, .workload = at->second};
  }
  if (ServicePtr service = FindRange(ip, std::nullopt))
    return {.known = true, .service = std::move(service), .workload = nullptr};
  return {.known = absent_.contains(ip)};
}

ServicePtr DestinationIndex::FindRange(const io::IpAddress& ip, std::optional<std::uint16_t> port) const {
  const std::pair<const io::Cidr, ServicePtr>* best = nullptr;
  for (const auto& range : ranges_) {
    if (!range.first.Contains(ip) || (port && !HasPort(*range.second, *port))) continue;
    if (best == nullptr || range.first.length > best->first.length) best = &range;
  }
  return best == nullptr ? nullptr : best->second;
}

ServicePtr DestinationIndex::FindService(const io::IpAddress& vip, std::uint16_t port) const {
  if (const auto at = vips_.find(vip); at != vips_.end() && HasPort(*at->second, port)) return at->second;
  return workloads_.contains(vip) ? nullptr : FindRange(vip, port);
}

ServicePtr DestinationIndex::FindService(std::string_view hostname) const {
  const auto at = by_hostname_.find(hostname);
  return at == by_hostname_.end() ? nullptr : at->second.front();
}

WorkloadPtr DestinationIndex::FindWorkload(const io::IpAddress& ip) const {
  const auto at = workloads_.find(ip);
  return at == workloads_.end() ? nullptr : at->second;
}

WorkloadPtr DestinationIndex::FindWorkloadNamed(std::string_view name, std::string_view name_space) const {
  WorkloadPtr found;
  for (const auto& [ip, workload] : workloads_) {
    if (workload->name_space != name_space || (workload->name != name && workload->owner != name)) continue;
    if (found == nullptr || workload->name < found->name) found = workload;
  }
  return found;
}

const std::vector<WorkloadPtr>& DestinationIndex::WorkloadsOf(std::string_view service_key) const {
  static const std::vector<WorkloadPtr> kNone;
  const auto at = members_.find(service_key);
  return at == members_.end() ? kNone : at->second;
}

ServicePtr DestinationIndex::ServiceOf(const xds::Workload& workload, std::uint16_t target_port) const {
  for (const auto& [key, ports] : workload.services) {
    for (const xds::AddressPort& port : ports) {
      if (port.target_port != target_port && !(port.target_port == 0 && port.service_port == target_port)) continue;
      const std::size_t slash = key.find('/');
      const auto at = by_hostname_.find(std::string_view(key).substr(slash + 1));
      if (at == by_hostname_.end()) continue;
      for (const ServicePtr& service : at->second) {
        if (service->name_space == std::string_view(key).substr(0, slash)) return service;
      }
    }
  }
  return nullptr;
}

bool DestinationIndex::HasNamespace(std::string_view name_space) const {
  return namespaces_.find(name_space) != namespaces_.end();
}

}  // namespace plait::proxy::cluster
