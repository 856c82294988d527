// Services and their endpoints, from Services, ServiceEntries and running workloads.
#include <algorithm>

#include "control/model/address_allocation.h"
#include "control/model/endpoint_views.h"
#include "control/model/hosts.h"
#include "control/model/snapshot.h"

namespace plait::control::model {
namespace {

io::Cidr Single(const io::IpAddress& ip) { return {ip, static_cast<std::uint8_t>(ip.is_v4() ? 32 : 128)}; }

std::unique_ptr<ServiceView> ViewOf(const Service& service, const MeshConfig& mesh, AddressPool& pool) {
  auto view = std::make_unique<ServiceView>();
  view->name = service.meta.name();
  view->name_space = service.meta.name_space();
  view->hostname = view->name + "." + view->name_space + ".svc." + mesh.cluster_domain;
  view->service = &service;
  view->headless = service.headless;
  view->ports = service.ports;
  view->export_to = service.export_to.empty() ? mesh.default_service_export_to : service.export_to;
  if (!service.external_name.empty()) {
    view->resolution = ServiceView::Resolution::kDns;
    view->mesh_external = true;
  } else if (!service.headless) {
    std::vector<io::IpAddress> ips = service.cluster_ips;
    if (ips.empty()) {
      ips = pool.Take(view->name_space + "/" + view->name);
      std::erase_if(ips, [&](const io::IpAddress& ip) { return ip.is_v4() ? !service.want_v4 : !service.want_v6; });
    }
    for (const io::IpAddress& ip : ips) view->vips.push_back(Single(ip));
  }
  return view;
}

std::unique_ptr<ServiceView> ViewOf(const ServiceEntry& entry, const std::string& host, const MeshConfig& mesh,
                                    AddressPool& pool) {
  using Resolution = ServiceView::Resolution;
  auto view = std::make_unique<ServiceView>();
  view->hostname = host;
  view->name = entry.meta.name();
  view->name_space = entry.meta.name_space();
  view->entry = &entry;
  view->mesh_external = !entry.mesh_internal;
  view->ports = entry.ports;
  view->vips = entry.addresses;
  view->subject_alt_names = entry.subject_alt_names;
  view->export_to = entry.export_to.empty() ? mesh.default_service_export_to : entry.export_to;
  switch (entry.resolution) {
    case ServiceEntry::Resolution::kNone:
      view->resolution = entry.workload_selector ? Resolution::kEndpoints : Resolution::kPassthrough;
      break;
    case ServiceEntry::Resolution::kStatic: view->resolution = Resolution::kEndpoints; break;
    case ServiceEntry::Resolution::kDns: view->resolution = Resolution::kDns; break;
    case ServiceEntry::Resolution::kDnsRoundRobin: view->resolution = Resolution::kDnsRoundRobin; break;
  }
  // Without an address of its own, traffic that is not HTTP could not be told apart.
  if (view->vips.empty() && view->resolution != Resolution::kPassthrough && !IsWildcard(host))
    for (const io::IpAddress& ip : pool.Take(view->name_space + "/" + host)) view->vips.push_back(Single(ip));
  return view;
}

// What a service selects by; null: nothing. An empty one selects all of its namespace.
const Labels* SelectorOf(const ServiceView& view) {
  if (view.service) return view.service->selector.empty() ? nullptr : &view.service->selector;
  return view.entry->workload_selector ? &*view.entry->workload_selector : nullptr;
}

// Workloads by namespace and the first label of some selector, so that a service looks at few of its namespace.
class Candidates {
 public:
  Candidates(const std::vector<std::unique_ptr<ServiceView>>& services, const std::vector<Workload>& workloads) {
    for (const auto& service : services)
      if (const Labels* selector = SelectorOf(*service)) lists_[KeyOf(service->name_space, *selector)];
    for (const Workload& workload : workloads) {
      Add({workload.name_space, {}, {}}, workload);
      for (const auto& [label, value] : workload.labels) Add({workload.name_space, label, value}, workload);
    }
  }
  // In the order of the workloads.
  const std::vector<const Workload*>& Of(const ServiceView& service) const {
    static const std::vector<const Workload*> kNone;
    const Labels* selector = SelectorOf(service);
    return selector == nullptr ? kNone : lists_.at(KeyOf(service.name_space, *selector));
  }

 private:
  struct Key {
    std::string_view name_space, label, value;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      const std::hash<std::string_view> hash;
      return (hash(key.name_space) * 31 + hash(key.label)) * 31 + hash(key.value);
    }
  };
  static Key KeyOf(std::string_view name_space, const Labels& selector) {
    if (selector.empty()) return {name_space, {}, {}};
    return {name_space, selector.begin()->first, selector.begin()->second};
  }
  void Add(const Key& key, const Workload& workload) {
    if (const auto list = lists_.find(key); list != lists_.end()) list->second.push_back(&workload);
  }
  std::unordered_map<Key, std::vector<const Workload*>, Hash> lists_;
};

// Names that lead to a service of the mesh by one ExternalName after the other; null: out of the mesh, or in a circle.
ServiceView* AliasTarget(const std::unordered_map<std::string_view, ServiceView*>& by_host, const ServiceView& alias) {
  constexpr int kMostHops = 8;  // as resolvers follow CNAMEs
  const ServiceView* at = &alias;
  for (int hop = 0; hop < kMostHops; ++hop) {
    const auto next = by_host.find(at->service->external_name);
    if (next == by_host.end()) return nullptr;
    if (!next->second->service || next->second->service->external_name.empty()) return next->second;
    at = next->second;
  }
  return nullptr;
}
}  // namespace

const ServicePort* ServiceView::FindPort(std::uint16_t port) const noexcept {
  for (const ServicePort& own : ports)
    if (own.port == port && own.protocol != Protocol::kUdp) return &own;
  return nullptr;
}

const std::vector<EndpointView>& ServiceView::EndpointsOf(const ServicePort& port) const noexcept {
  return endpoints[static_cast<std::size_t>(&port - ports.data())];
}

bool ServiceView::Selects(const Workload& workload) const noexcept {
  if (workload.name_space != name_space) return false;
  if (service) return !service->selector.empty() && model::Selects(service->selector, workload.labels);
  return entry->workload_selector && model::Selects(*entry->workload_selector, workload.labels);
}

void Snapshot::IndexServices() {
  for (const EndpointSlice* slice : ObjectsOf<EndpointSlice>(objects_))
    slices_[slice->meta.name_space() + "/" + slice->service].push_back(slice);
  AddressPool cluster_ips = AddressPool::ClusterIps();
  AddressPool entry_ips = AddressPool::ServiceEntries();
  auto services = ObjectsOf<Service>(objects_);
  auto entries = ObjectsOf<ServiceEntry>(objects_);
  const auto by_key = [](const auto* a, const auto* b) { return a->meta.key < b->meta.key; };
  std::sort(services.begin(), services.end(), by_key);
  std::sort(entries.begin(), entries.end(), by_key);
  for (const Service* service : services)
    for (const io::IpAddress& ip : service->cluster_ips) cluster_ips.Reserve(ip);
  for (const Service* service : services) services_.push_back(ViewOf(*service, mesh_, cluster_ips));
  for (const ServiceEntry* entry : entries)
    for (const std::string& host : entry->hosts) services_.push_back(ViewOf(*entry, host, mesh_, entry_ips));
  std::stable_sort(services_.begin(), services_.end(), [](const auto& a, const auto& b) {
    return std::tie(a->hostname, a->name_space) < std::tie(b->hostname, b->name_space);
  });
  for (const Workload& workload : *workloads_) {
    if (workload.host_network) continue;
    for (const io::IpAddress& ip : workload.ips) workloads_by_ip_.emplace(ip, &workload);
  }
  // A pod is reached by its own address, whatever a Service says (conflicts.cc tells it).
  for (const auto& view : services_)
    if (view->service)
      std::erase_if(view->vips, [&](const io::Cidr& vip) { return workloads_by_ip_.contains(vip.base); });
  const Candidates candidates(services_, *workloads_);
  for (const auto& view : services_) {
    std::vector<const Workload*> members;
    for (const Workload* workload : candidates.Of(*view))
      if (view->Selects(*workload)) members.push_back(workload);
    for (const Workload* workload : members) services_of_[workload].push_back(view.get());
    AddEndpoints(*this, members, WrittenEndpointsOf(*view), *view);
    services_by_host_[view->hostname].push_back(view.get());
    for (const io::Cidr& vip : view->vips) {
      const bool single = vip.length == (vip.base.is_v4() ? 32 : 128);
      if (single)
        services_by_vip_.emplace(vip.base, view.get());
      else
        services_by_range_.emplace_back(vip, view.get());
    }
  }
  std::stable_sort(services_by_range_.begin(), services_by_range_.end(),
                   [](const auto& a, const auto& b) { return a.first.length > b.first.length; });
  LinkAliases();
}

void Snapshot::LinkAliases() {
  std::unordered_map<std::string_view, ServiceView*> by_host;
  for (const auto& view : services_) by_host.emplace(view->hostname, view.get());
  for (const auto& view : services_) {
    if (!view->service || view->service->external_name.empty()) continue;
    ServiceView* target = AliasTarget(by_host, *view);
    if (!target || !IsExportedTo(target->export_to, target->name_space, view->name_space)) continue;
    view->alias_of = target;
    target->aliases.push_back(view.get());
  }
}

// EndpointSlices; Endpoints, their older form, only where there is none.
std::vector<const EndpointSlice*> Snapshot::WrittenEndpointsOf(const ServiceView& view) const {
  const auto found = slices_.find(view.name_space + "/" + view.name);
  if (!view.service || !view.service->selector.empty() || found == slices_.end()) return {};
  std::vector<const EndpointSlice*> out;
  for (const EndpointSlice* slice : found->second)
    if (slice->meta.key.kind == Kind::kEndpointSlice) out.push_back(slice);
  return out.empty() ? found->second : out;
}

const ServiceView* Snapshot::FindService(std::string_view hostname, std::string_view name_space) const noexcept {
  const auto found = services_by_host_.find(hostname);
  if (found == services_by_host_.end()) return nullptr;
  const ServiceView* best = nullptr;
  // The own namespace first, then Kubernetes' services, then the first by namespace.
  for (const ServiceView* view : found->second) {
    if (!IsExportedTo(view->export_to, view->name_space, name_space)) continue;
    if (view->name_space == name_space) return view;
    if (!best || (view->service && !best->service)) best = view;
  }
  return best;
}

const std::vector<const ServiceView*>& Snapshot::ServicesOf(const Workload& workload) const noexcept {
  static const std::vector<const ServiceView*> kNone;
  const auto found = services_of_.find(&workload);
  return found == services_of_.end() ? kNone : found->second;
}

std::vector<const ServiceView*> Snapshot::VisibleServices(std::string_view name_space) const {
  std::vector<const ServiceView*> out;
  for (const auto& view : services_)
    if (FindService(view->hostname, name_space) == view.get()) out.push_back(view.get());
  return out;
}

const ServiceView* Snapshot::FindByVip(const io::IpAddress& ip) const noexcept {
  if (const auto found = services_by_vip_.find(ip); found != services_by_vip_.end()) return found->second;
  for (const auto& [range, view] : services_by_range_)
    if (range.Contains(ip)) return view;
  return nullptr;
}

const Workload* Snapshot::FindWorkload(const io::IpAddress& ip) const noexcept {
  const auto found = workloads_by_ip_.find(ip);
  return found == workloads_by_ip_.end() ? nullptr : found->second;
}

const Workload* Snapshot::FindWorkload(std::string_view name_space, std::string_view name) const noexcept {
  for (const Workload& workload : *workloads_)
    if (workload.name == name && workload.name_space == name_space) return &workload;
  return nullptr;
}

}  // namespace plait::control::model
