#pragma once
// ADS for all proxies, incremental and state of the world: authenticates each stream, keeps its subscriptions, pushes
// what changed. One thread.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/ca/authenticate.h"
#include "control/serve/difference.h"
#include "control/serve/metrics.h"
#include "control/serve/resource_provider.h"
#include "control/serve/session.h"
#include "core/grpc/server.h"

namespace plait::control::serve {

struct AdsOptions {
  std::string trust_domain = "cluster.local";
  std::string identifier = "plaitd";                   // control_plane.identifier
  Duration answer_timeout = std::chrono::seconds(60);  // a client that takes or answers nothing for so long is dropped
};

// One connected proxy, for /debug/syncz and `plait ps`.
struct ClientStatus {
  std::uint64_t number = 0;      // of the stream, from 1 in the order in which they came
  const Proxy* proxy = nullptr;  // valid until the loop goes on
  std::string remote;
  WallTime connected_at{};
  std::string_view form;  // of the protocol: "delta" or "sotw"
  std::map<std::string, SentStatus> types;
  // Of each type: when it was last sent something, and when it last answered that (ACK or NACK).
  struct Times {
    std::optional<WallTime> sent, answered;
  };
  std::map<std::string, Times> times;
};

class AdsServer {
 public:
  // Registers the two ADS methods. All references outlive the server. Streams that are open when it goes end;
  // the gRPC server must take no new ones afterwards.
  AdsServer(io::Loop& loop, grpc::Server& server, ResourceProvider& provider, const ca::TokenTable& tokens,
            Metrics& metrics, AdsOptions options);
  ~AdsServer();
  AdsServer(const AdsServer&) = delete;
  AdsServer& operator=(const AdsServer&) = delete;

  // Streams get no answer before this was called once: a proxy that connects while the configuration is still being
  // read must not be told that nothing exists.
  void Ready();
  // The configuration changed: every stream that it matters to is brought up to date, some a round.
  void ConfigChanged(const Difference& difference = {});

  // Whether every connected client has answered all that there is to say, and `call` when that has become so.
  bool CaughtUp() const;
  std::set<std::string> Connected() const;  // Proxy::Key of every client
  void OnCaughtUp(std::function<void()> call) { on_caught_up_ = std::move(call); }
  // `call`: what clients refuse of what was sent (SentStatus::last_error) is not what it was.
  void OnRefusals(std::function<void()> call) { on_refusals_ = std::move(call); }

  std::vector<ClientStatus> clients() const;
  // Names that a client of clients() subscribes to; "*" for the wildcard.
  std::vector<std::string> SubscribedBy(const Proxy& proxy, std::string_view type_url) const;
  // The resources of a type that the client with this key ("<pod>.<namespace>") holds, as they are now; nullopt when no
  // such client is connected.
  std::optional<std::vector<ResourceRef>> ResourcesOf(std::string_view key, std::string_view type_url) const;

 private:
  class Stream;
  template <class Session>
  class StreamOf;
  template <class Kind>
  std::unique_ptr<grpc::CallHandler> Open(grpc::ServerCall& call, std::string_view form);
  void CountStreams(std::string_view form);
  void PlanPush();
  void PushSome();

  io::Loop& loop_;
  ResourceProvider& provider_;
  const ca::TokenTable& tokens_;
  Metrics& metrics_;
  const AdsOptions options_;
  bool ready_ = false;
  bool push_planned_ = false;
  std::function<void()> on_caught_up_;
  std::function<void()> on_refusals_;
  std::uint64_t streams_so_far_ = 0;
  std::vector<Stream*> streams_;
  std::vector<Stream*> to_push_;  // in the order of their connections; those at the back come next
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace plait::control::serve
