#pragma once
// Istio's standard metrics with their exact names and labels (istio_requests_total ...), for HTTP and TCP, as reporter
// source or destination.
//
// IstioSeries is the process's table of label sets, each a telemetry group that is made when it is first seen (bounded;
// beyond the bound samples are counted as dropped). IstioMetrics is one worker's way to it: it finds the group of a
// record by a compact key, without building label texts again. A peer that the index does not know yet is looked up,
// and so is the cluster of a request that was answered before anybody asked for it; the sample waits up to 1 s for
// that, the request does not (semantics.md 3).
//
// Istio leaves unknown what no connection has told. Here a request that fails before one was made tells as much as is
// certain: our own identity, and the labels of whom it was meant for (peer_labels.h).
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/base/strings.h"
#include "core/telemetry/registry.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/record/peer_labels.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::record {

// The workload that the proxy belongs to.
struct LocalWorkload {
  WorkloadLabels labels;
  io::IpAddress ip = {};  // of the node; unspecified: none
};

// Finds for records what their worker does not know (yet). Completions run in a later round of the worker's loop.
class PeerLookup {
 public:
  virtual ~PeerLookup() = default;
  virtual Pending Lookup(const io::IpAddress& ip, Duration limit, cluster::DestinationStore::OnFound done) = 0;
  virtual cluster::ClusterPtr FindCluster(std::string_view name) = 0;  // null: not there
  // `done`: FindCluster may find it now, or will not.
  virtual Pending NeedCluster(std::string_view name, Duration limit, std::move_only_function<void(bool)> done) = 0;
};

// The label values of HTTP metrics in order; TCP metrics have the first 23.
inline constexpr std::size_t kHttpLabels = 25;
using LabelValues = std::array<std::string, kHttpLabels>;

class IstioSeries {
 public:
  static constexpr std::size_t kMostSets = 20'000;
  enum class Kind : std::uint8_t { kHttp, kGrpc, kTcp };

  explicit IstioSeries(telemetry::Registry& registry);
  // Null when the table is full. The group lives as long as this.
  const telemetry::Group* Find(Kind kind, const LabelValues& values);

 private:
  telemetry::Registry& registry_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<telemetry::Group>> sets_;
  telemetry::Group overflow_;
};

class IstioMetrics {
 public:
  static constexpr std::size_t kMostWaiting = 4096;
  static constexpr std::size_t kMostCached = 8192;

  // All outlive it. `lookup` may be null: unknown stays unknown.
  IstioMetrics(IstioSeries& series, LocalWorkload local, const cluster::DestinationIndex& index, PeerLookup* lookup);
  ~IstioMetrics();

  void Request(const StreamRecord& record);
  void TcpOpened(const StreamRecord& record);
  void TcpBytes(const StreamRecord& record, std::uint64_t sent, std::uint64_t received);
  void TcpClosed(const StreamRecord& record, std::uint64_t sent, std::uint64_t received);

 private:
  // What is counted, apart from who it is counted for.
  struct Sample {
    IstioSeries::Kind kind = IstioSeries::Kind::kHttp;
    bool opened = false, closed = false;  // TCP
    double duration_ms = 0;
    std::uint64_t request_bytes = 0, response_bytes = 0;  // TCP: received, sent
    std::uint64_t request_messages = 0, response_messages = 0;
  };
  // Everything that decides the labels. Views into the record, or into a Waiting that owns copies.
  struct Subject {
    bool source = false;      // reporter
    bool mutual_tls = false;  // downstream, for the destination reporter
    IstioSeries::Kind kind = IstioSeries::Kind::kHttp;
    std::uint16_t code = 0;
    ResponseFlags flags;
    io::IpAddress peer;
    io::IpAddress local_ip;  // our own address for the destination reporter, else where the client meant to go
    std::uint16_t local_port = 0;
    cluster::WorkloadPtr* caller = nullptr;  // of the connection; null for the source reporter
    // These are never null, what they point to may be.
    const std::shared_ptr<const xds::Cluster>* cluster = nullptr;
    const cluster::ClusterPtr* endpoints = nullptr;
    const std::shared_ptr<const cluster::Host>* host = nullptr;
    std::string_view peer_principal;  // of the certificate; empty: none
    std::string_view own_principal;   // of our certificate on this connection
    std::string_view cluster_name;    // as the route has it, also when there is no such cluster (yet)
    std::string_view host_header;     // fallback for the service
    std::string_view grpc_status;
    bool has_services() const noexcept;  // the cluster says which service it is
  };
  struct Cached {  // holds what its key points to, so that an address is not reused under it
    const telemetry::Group* group = nullptr;
    cluster::WorkloadPtr peer;
    cluster::ServicePtr service;
    std::shared_ptr<const xds::Cluster> cluster;
    std::shared_ptr<const cluster::Host> host;
  };
  struct Waiting {
    Waiting(const Subject& of, const Sample& with);
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    std::shared_ptr<const xds::Cluster> cluster;
    cluster::ClusterPtr endpoints;
    std::shared_ptr<const cluster::Host> host;
    std::array<std::string, 5> texts;
    Subject subject;  // points to the above
    Sample sample;
    Pending lookup;
  };

  // Whom a request without a connection was for, beside what the subject says already.
  struct Presumed {
    std::string own_principal;
    const WorkloadLabels* labels = nullptr;  // null: those of the host
  };

  static bool Wanted(const StreamRecord& record) noexcept;
  static Subject SubjectOf(const StreamRecord& record, IstioSeries::Kind kind);
  void Count(const Subject& subject, const Sample& sample);
  void CountForCaller(const Subject& subject, const Sample& sample);
  void CountForNobody(const Subject& subject, const Sample& sample);
  void CountAfterLookup(const Subject& subject, const Sample& sample);
  void CountFor(const Subject& subject, const Sample& sample, const cluster::WorkloadPtr& peer);
  const telemetry::Group* FindGroup(const Subject& of, const cluster::WorkloadPtr& peer);
  cluster::ServicePtr ServiceOf(const Subject& subject, const cluster::WorkloadPtr& peer) const;
  Presumed Presume(Subject& subject, const xds::Service* service);
  void MakeKey(const Subject& subject, const Presumed& presumed, const xds::Workload* peer,
               const xds::Service* service);
  LabelValues Labels(const Subject& subject, const Presumed& presumed, const xds::Workload* peer,
                     const xds::Service* service) const;

  IstioSeries& series_;
  const LocalWorkload local_;
  const cluster::DestinationIndex& index_;
  PeerLookup* lookup_;
  CommonPeers common_;
  std::unordered_map<std::string, Cached, StringHash, std::equal_to<>> cache_;
  std::string key_;  // reused
  std::list<Waiting> waiting_;
};

}  // namespace plait::proxy::record
