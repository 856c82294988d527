#pragma once
// A control plane on loopback that answers what it is told to, and the line to it, for tests.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/conn/http_server.h"
#include "core/grpc/server.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"
#include "proxy/worker/control_link.h"
#include "proxy/worker/test_store.h"

namespace plait::proxy::worker {

inline constexpr Duration kAnswerLimit = std::chrono::seconds(5);

// Answers each subscription from what it holds; a name that it lacks comes back as removed.
class FakeControlPlane {
 public:
  explicit FakeControlPlane(io::Loop& loop) : loop_(loop), grpc_(loop) {
    grpc_.AddStreaming(xds::kDeltaAdsMethod, [this](grpc::ServerCall& call) -> std::unique_ptr<grpc::CallHandler> {
      ++streams_;
      if (!refusal.ok()) {
        call.Finish(refusal);
        return nullptr;
      }
      return std::make_unique<Stream>(*this, call);
    });
    Start();
  }
  // Where it was before, if it was stopped.
  void Start() {
    http_.emplace(loop_, conn::HttpServerOptions{}, grpc_);
    conn::HttpServer::MakeStream make;
    if (tls)
      make = [this](io::UniqueFd socket) {
        ++handshakes;
        return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(socket)), tls);
      };
    address_ = *http_->ListenOn(address_, std::move(make));
  }
  void Stop() { http_.reset(); }
  io::SocketAddress address() const { return address_; }
  void Put(std::string_view type, std::string name, std::string bytes) {
    resources_[{std::string(type), name}] = {
        .name = name, .version = std::to_string(++version_), .aliases = {}, .bytes = std::move(bytes)};
  }
  bool Asked(std::string_view type, const std::string& name) const {
    return asked_.contains({std::string(type), name});
  }
  // The text of the last NACK of a type; empty: the last answer to it was an ACK.
  std::string NackOf(std::string_view type) const {
    const auto found = nacks_.find(type);
    return found == nacks_.end() ? std::string() : found->second;
  }
  grpc::Status refusal;                     // of each stream, unless it is OK
  std::shared_ptr<const tls::Context> tls;  // from the next Start on; null: plaintext
  int handshakes = 0;                       // begun
  bool hangs_up = false;                    // after each answer
  std::string identifier = "plaitd";
  std::string tenant;  // of the last stream
  std::string also;    // bytes at the end of each answer: more fields of it
  int streams() const { return streams_; }
  std::size_t acknowledgements() const { return acknowledgements_; }
  std::size_t AcknowledgementsOf(std::string_view type) const {
    const auto found = acknowledged_.find(type);
    return found == acknowledged_.end() ? 0 : found->second;
  }

 private:
  class Stream final : public grpc::CallHandler {
   public:
    Stream(FakeControlPlane& plane, grpc::ServerCall& call) : plane_(plane), call_(call) {
      plane_.tenant = std::string(call.context().metadata.Get("x-tenant").value_or(""));
    }
    void OnMessage(std::string message) override {
      const auto request = xds::DecodeDeltaRequest(message);
      ASSERT_TRUE(request.has_value());
      if (!request->response_nonce.empty()) {
        ++plane_.acknowledgements_;
        ++plane_.acknowledged_[request->type_url];
        plane_.nacks_[request->type_url] = request->error.value_or("");
      }
      if (!request->subscribe.empty()) Answer(*request);
    }
    void OnHalfClose() override {}

   private:
    void Answer(const xds::DeltaRequest& request) {
      xds::DeltaResponse response{.type_url = request.type_url,
                                  .nonce = std::to_string(++plane_.version_),
                                  .system_version = "1",
                                  .control_plane = plane_.identifier,
                                  .resources = {},
                                  .removed = {}};
      for (const std::string& name : request.subscribe) {
        plane_.asked_.emplace(request.type_url, name);
        const auto found = plane_.resources_.find({request.type_url, name});
        if (found != plane_.resources_.end()) response.resources.push_back(found->second);
        if (found == plane_.resources_.end() && name != "*") response.removed.push_back(name);
        if (name != "*") continue;
        for (const auto& [key, resource] : plane_.resources_)
          if (key.first == request.type_url) response.resources.push_back(resource);
      }
      call_.Send(xds::EncodeDeltaResponse(response) + plane_.also);
      if (plane_.hangs_up)
        call_.Finish({.code = grpc::Code::kResourceExhausted, .message = "that is enough", .details = {}});
    }
    FakeControlPlane& plane_;
    grpc::ServerCall& call_;
  };

  io::Loop& loop_;
  grpc::Server grpc_;
  std::optional<conn::HttpServer> http_;
  io::SocketAddress address_ = *io::SocketAddress::Parse("127.0.0.1:0");
  std::map<std::pair<std::string, std::string>, xds::WireResource> resources_;
  std::set<std::pair<std::string, std::string>> asked_;
  std::map<std::string, std::string, std::less<>> nacks_;
  std::size_t acknowledgements_ = 0;
  std::map<std::string, std::size_t, std::less<>> acknowledged_;  // by type
  int version_ = 0;
  int streams_ = 0;
};

inline xds::Bootstrap BootstrapFor(const io::SocketAddress& control, const std::string& kind,
                                   std::optional<xds::TcpKeepAlive> keep_alive = std::nullopt) {
  xds::Bootstrap bootstrap;
  bootstrap.node.id = kind + "~10.0.0.1~a.default~default.svc.cluster.local";
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = "xds-grpc";
  cluster->tcp_keep_alive = keep_alive;
  cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address = control;
  bootstrap.clusters.emplace_back();
  bootstrap.clusters.back().name = cluster->name;
  bootstrap.clusters.back().value = cluster;
  bootstrap.dynamic.ads = xds::GrpcTarget{.cluster = "xds-grpc", .authority = {}, .initial_metadata = {}};
  bootstrap.dynamic.lds = bootstrap.dynamic.cds = true;
  return bootstrap;
}

inline xds::Cluster StaticCluster(const std::string& name) {
  xds::Cluster cluster;
  cluster.name = name;
  cluster.load_assignment.cluster_name = name;
  return cluster;
}

class ControlLinkTest : public StoreTest {
 protected:
  ControlLinkTest() : StoreTest(ManualClock::Start::kRunning, /*warming_limit=*/std::chrono::seconds(1)) {}

  void StartAs(const std::string& kind) {
    bootstrap_ = BootstrapFor(plane_.address(), kind, keep_alive_);
    if (plane_.tls) UseTls();
    link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
    const auto started = link_->Start();
    ASSERT_TRUE(started.has_value()) << started.error().ToString();
  }
  void UseTls() {
    auto cluster = std::make_shared<xds::Cluster>(*bootstrap_.clusters.front().value);
    cluster->tls = xds::UpstreamTlsContext{};
    cluster->tls->sni = "plaitd";
    cluster->tls->common.validation = xds::ValidationContext{};
    cluster->tls->common.validation->trusted_ca = {xds::DataSource::Kind::kInline, ca_.root_pem()};
    bootstrap_.clusters.front().value = cluster;
  }
  bool Until(const std::function<bool()>& done) { return loop_.RunUntil(done, kAnswerLimit); }
  // Whether the cluster came; nullopt: nobody answered.
  std::optional<bool> Need(const std::string& name) {
    std::optional<bool> answer;
    const Pending wait =
        store_.Need(MainDemands::Kind::kCluster, name, kAnswerLimit * 2, [&](bool there) { answer = there; });
    Until([&] { return answer.has_value(); });
    return answer;
  }

  tls::TestCa ca_;
  FakeControlPlane plane_{loop_};
  std::optional<xds::TcpKeepAlive> keep_alive_;
  xds::Bootstrap bootstrap_;
  std::unique_ptr<ControlLink> link_;
};

}  // namespace plait::proxy::worker
