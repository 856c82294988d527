#pragma once
// The proxy's line to its control plane: one delta ADS stream, and the workload's certificate. Main thread.
//
// Both go to static clusters of the bootstrap, over TLS. Until there is a certificate the token authenticates, from
// then on the certificate does (semantics.md 4), until TLS refuses it: a workload that missed a change of the root or
// of the trust domain gets its next certificate by its token. While the control plane is away, everything that was
// received stays in force.
//
// What is subscribed (design.md, "The Plait form of xDS"): listeners by wildcard. When the first response shows plaitd,
// the index by wildcard, and clusters by name as they are used; a gateway, and with another control plane a sidecar
// too, gets clusters by wildcard. Without listeners and clusters (--identity-only): the roots, then the index.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/random.h"
#include "core/identity/grpc_ca_client.h"
#include "core/identity/workload_certificate.h"
#include "core/xds/ads_stream.h"
#include "core/xds/bootstrap.h"
#include "proxy/worker/config_subscriber.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

class ControlLink {
 public:
  // How long the control plane has to be out of reach until the last index answers for addresses that are not in it; a
  // restart takes less. As long as a lookup waits.
  static constexpr Duration kAwayAfter = std::chrono::seconds(5);

  // All outlive it. `bootstrap` has dynamic resources, an identity, or both.
  ControlLink(io::Loop& loop, const xds::Bootstrap& bootstrap, ConfigStore& store, Secrets& secrets);
  ~ControlLink();

  // Runs once, when the index of the mesh has come for the first time.
  void OnIndex(std::function<void()> call) { on_index_ = std::move(call); }
  // Errors: a cluster that the bootstrap names is not a static one with an address.
  Outcome<> Start();
  // A new certificate now (admin POST /plait/renew).
  void Renew(std::move_only_function<void(Outcome<>)> done);

  // The first configuration and, with an identity, the first certificate are there.
  bool ready() const;
  // Why it is not, or what does not work at present; empty: all is well.
  std::string problem() const;
  const ConfigSubscriber::Failures& FailuresOf(std::string_view type_url) const {
    return subscriber_.FailuresOf(type_url);
  }
  // Versions of the newest accepted response of a type, for config_dump.
  std::string VersionOf(std::string_view type_url) const;
  // Brings listener_manager.lds.version and cluster_manager.cds.version up to date.
  void NoteVersions() const;
  bool connected() const noexcept { return stream_ && stream_->connected(); }

 private:
  // Puts the choice of what to subscribe behind the first response.
  class FirstResponse;
  // How the proxy proves who it is: by its certificate where it has one, unless that was refused.
  using Proof = identity::GrpcCaClient::Proof;
  bool HasCertificate() const;
  bool HasToken() const { return bootstrap_.identity && !bootstrap_.identity->token_path.empty(); }
  Outcome<std::unique_ptr<io::Stream>> Dial(const xds::Cluster& cluster, Proof proof, std::size_t turn) const;
  std::string Authorization(Proof proof) const;
  Outcome<xds::AdsStream::Connection> ConnectAds();
  Outcome<identity::GrpcCaClient::Connection> ConnectCa(Proof proof);
  Outcome<> StartIdentity();
  Outcome<> StartStream();
  void OnSecret(const identity::WorkloadSecret& secret);
  void FollowRoots();
  std::string TrustedRoots() const;  // ROOTCA as PEM; empty: there is none
  void CountUpdate(const xds::Update& update, bool rejected);
  void OnStreamChange(bool up);
  void ChooseSubscriptions(std::string_view control_plane);
  void SubscribeToAllClusters();

  io::Loop& loop_;
  const xds::Bootstrap& bootstrap_;
  ConfigStore& store_;
  Secrets& secrets_;
  const bool gateway_;
  const xds::Cluster* ads_cluster_ = nullptr;  // of the bootstrap
  const xds::Cluster* ca_cluster_ = nullptr;
  ConfigSubscriber subscriber_;
  std::function<void()> on_index_;
  std::optional<record::SubscriptionStats> lds_;  // nullopt: not asked for
  std::optional<record::SubscriptionStats> cds_;
  bool dialled_ = false;
  std::size_t ads_turn_ = 0;  // attempts go to the endpoints in turn
  std::size_t ca_turn_ = 0;
  Proof ads_proof_ = Proof::kNewest;  // of the next attempt
  std::unique_ptr<FirstResponse> first_;
  std::unique_ptr<xds::DeltaClient> client_;
  std::unique_ptr<xds::AdsStream> stream_;
  std::shared_ptr<void> counting_;  // of its connection
  std::unique_ptr<identity::GrpcCaClient> ca_;
  std::unique_ptr<identity::WorkloadCertificate> certificate_;
  Random random_;
  io::Timer renewal_;
  io::Timer away_;
};

}  // namespace plait::proxy::worker
