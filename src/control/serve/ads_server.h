#pragma once
// Incremental ADS for all proxies: authenticates each stream, keeps its subscriptions, pushes what changed. One thread.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/ca/authenticate.h"
#include "control/serve/subscription.h"
#include "core/grpc/server.h"

namespace plait::control::serve {

struct AdsOptions {
  std::string trust_domain = "cluster.local";
  std::string identifier = "plaitd";              // control_plane.identifier
  Duration answer_timeout = std::chrono::seconds(60);  // a client that does not answer for so long is dropped
  std::size_t max_names = 50'000;                 // a type; more: the stream is refused
};

// One connected proxy, for /debug/syncz and `plait ps`.
struct ClientStatus {
  std::string proxy;            // "<pod>.<namespace>"
  std::string node_id;
  std::string identity;
  std::string version;          // of the proxy
  std::string remote;
  WallTime connected_at{};
  struct Type {
    std::string type_url;
    bool synced = true;         // nothing is on its way and the last answer was an ACK
    bool stale = false;         // a response waits for its answer
    std::string error;          // of the last NACK
    std::uint64_t sent = 0, resources_sent = 0, rejections = 0;
    std::size_t resources = 0;
    WallTime last_sent{}, last_answered{};
  };
  std::vector<Type> types;
};

struct AdsCounts {
  std::uint64_t streams_opened = 0, streams_refused = 0;
  std::map<std::string, std::uint64_t> pushes;      // by type
  std::map<std::string, std::uint64_t> rejections;  // by type
};

class AdsServer {
 public:
  // Registers the ADS method. All references outlive the server and its streams.
  AdsServer(io::Loop& loop, grpc::Server& server, ResourceProvider& provider, const ca::TokenTable& tokens, AdsOptions options);
  ~AdsServer();

  // The configuration changed: every stream is brought up to date at the end of this round.
  void ConfigChanged();
  std::vector<ClientStatus> clients() const;
  const AdsCounts& counts() const noexcept { return counts_; }
  // Called when a response left or was answered (for `pilot_proxy_convergence_time` and tests); may be empty.
  void OnAnswer(std::function<void(const ClientStatus::Type&, Duration)> observer) { on_answer_ = std::move(observer); }

 private:
  class Stream;
  io::Loop& loop_;
  ResourceProvider& provider_;
  const ca::TokenTable& tokens_;
  const AdsOptions options_;
  bool push_planned_ = false;
  AdsCounts counts_;
  std::function<void(const ClientStatus::Type&, Duration)> on_answer_;
  std::vector<Stream*> streams_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace plait::control::serve
