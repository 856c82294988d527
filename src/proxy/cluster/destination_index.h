#pragma once
// The destination index: which service or workload an address or host name is, from istio.workload.Address resources
// (semantics.md 2). Entries are immutable and shared; DestinationIndex is a plain container of one thread, of which the
// main thread and each worker have one: the main thread's DestinationStore sends every change to the workers.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/pending.h"
#include "core/base/result.h"
#include "core/base/strings.h"
#include "core/base/time.h"
#include "core/io/address.h"
#include "core/io/loop.h"
#include "core/xds/address_index.h"

namespace plait::proxy::cluster {

using WorkloadPtr = std::shared_ptr<const xds::Workload>;
using ServicePtr = std::shared_ptr<const xds::Service>;

// What an address is. Both null with `known`: it is certainly not in the mesh.
struct Destination {
  bool known = false;    // false: nobody has said anything yet; ask with Lookup
  ServicePtr service;    // a VIP
  WorkloadPtr workload;  // a workload's own address
  bool in_mesh() const noexcept { return service != nullptr || workload != nullptr; }
};

bool HasPort(const xds::Service& service, std::uint16_t port) noexcept;

// A change: entries by resource name, removals by resource name, and keys that are certainly nothing (or no longer so).
struct IndexUpdate {
  std::vector<std::pair<std::string, std::shared_ptr<const xds::Address>>> put;
  std::vector<std::string> removed;
  std::vector<io::IpAddress> absent;
  std::vector<io::IpAddress> forgotten;  // no longer known to be absent
};

class DestinationIndex {
 public:
  explicit DestinationIndex(std::string network = {}) : network_(std::move(network)) {}
  void SetNetwork(std::string network);  // of this proxy (Outbound.network); before the first entry
  void Apply(const IndexUpdate& update);

  // VIPs before workload addresses; ranges by longest prefix.
  Destination FindByAddress(const io::IpAddress& ip) const;
  // The service that owns a VIP, or the longest range of those, and has this port; its cluster is
  // "outbound|<port>||<hostname>". Null: none.
  ServicePtr FindService(const io::IpAddress& vip, std::uint16_t port) const;
  // By fully qualified host name, lower case; the first in namespace order when several namespaces have it.
  ServicePtr FindService(std::string_view hostname) const;
  WorkloadPtr FindWorkload(const io::IpAddress& ip) const;
  // By the name of a pod, or of what owns it (then any one of its pods). O(n): for people.
  WorkloadPtr FindWorkloadNamed(std::string_view name, std::string_view name_space) const;
  // Workloads by their members: those that list `service_key` ("<namespace>/<hostname>") in `services`.
  const std::vector<WorkloadPtr>& WorkloadsOf(std::string_view service_key) const;
  // A service that this workload is a member of and that maps to this target port; null: none.
  ServicePtr ServiceOf(const xds::Workload& workload, std::uint16_t target_port) const;
  bool HasNamespace(std::string_view name_space) const;  // any service there (DNS: NXDOMAIN or forward)

  std::size_t size() const noexcept { return entries_.size(); }
  // Changes with every Apply.
  std::uint64_t revision() const noexcept { return revision_; }

 private:
  // The longest range whose service has the port (nullopt: any); null: none.
  ServicePtr FindRange(const io::IpAddress& ip, std::optional<std::uint16_t> port) const;
  void Insert(const std::string& name, const std::shared_ptr<const xds::Address>& address);
  void Erase(const std::string& name);
  void Link(const WorkloadPtr& workload);
  void Unlink(const xds::Workload& workload);
  void LinkService(const ServicePtr& service);
  void UnlinkService(const xds::Service& service);
  bool SameNetwork(const std::string& network) const noexcept { return network == network_; }

  template <class T>
  using ByName = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;
  std::string network_;
  ByName<std::shared_ptr<const xds::Address>> entries_;  // by resource name
  std::unordered_map<io::IpAddress, WorkloadPtr, io::IpHash> workloads_;
  std::unordered_map<io::IpAddress, ServicePtr, io::IpHash> vips_;
  std::map<io::Cidr, ServicePtr> ranges_;        // VIPs that are ranges; few
  ByName<std::vector<ServicePtr>> by_hostname_;  // sorted by namespace
  ByName<std::vector<WorkloadPtr>> members_;     // by service key
  ByName<std::size_t> namespaces_;
  std::unordered_map<io::IpAddress, bool, io::IpHash> absent_;
  std::uint64_t revision_ = 0;
};

// Main thread: the index as the control plane gave it, questions by key, and negative answers (60 s, at most 4,096).
class DestinationStore {
 public:
  struct Wire {  // towards the xDS client and the workers
    std::function<void(const std::string& key)> subscribe;
    std::function<void(const std::string& key)> unsubscribe;
    std::function<void(const IndexUpdate&)> publish;
  };
  DestinationStore(io::Loop& loop, std::string network, Wire wire);
  ~DestinationStore();

  void SetNetwork(std::string network);
  // From the xDS client. `name` is the primary resource name; `aliases` the keys it answers for.
  void Put(std::string name, const std::vector<std::string>& aliases, std::shared_ptr<const xds::Address> address);
  void Removed(const std::string& name);  // an entry, or "there is none" for a key that was asked for
  // While the control plane is away the index answers as it is: what is not in it is nothing (semantics.md 2). That is
  // told to who waits and who asks, but not remembered: it ends when the control plane is back.
  void SetControlPlaneAway(bool away);
  // Several Puts are published at once (a first answer with thousands of entries).
  void BeginBatch();
  void EndBatch();

  const DestinationIndex& index() const noexcept { return index_; }
  IndexUpdate Snapshot() const;  // everything, for a worker that starts late

  // Answers in a later round: the destination, or kTimedOut after `limit` (details: destination_lookup_timeout).
  using OnFound = std::move_only_function<void(Result<Destination>)>;
  [[nodiscard]] Pending Lookup(const io::IpAddress& ip, Duration limit, OnFound done);

 private:
  struct State;
  DestinationIndex index_;
  std::unique_ptr<State> state_;
};

}  // namespace plait::proxy::cluster
