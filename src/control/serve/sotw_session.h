#pragma once
// The server's side of one state-of-the-world ADS stream, for clients that ask for it (stock Envoy, gRPC), as a pure
// state machine. No clock, no socket: ads_server.h brings requests and takes responses. One thread.
//
// Rules (xDS protocol, "SotW"; semantics.md 6):
//  - a request names everything that the client wants of its type. No names, as long as none was ever given on this
//    stream, is the wildcard for listeners, clusters and addresses, and nothing for other types; "*" is the wildcard;
//  - a request counts only with the nonce of the newest response of its type: on an older one a newer response is on
//  its
//    way, and the answer to that says everything again. A stream's first request of a type needs none;
//  - listeners, clusters and addresses are sent whole, so that what is missing is gone; of the other types only what is
//    new or changed is sent, since its absence says nothing;
//  - a request that repeats itself, without acknowledging anything, wants everything again: Envoy warms a thing anew;
//  - after clusters all endpoints follow, since Envoy warms each changed cluster until it hears of its endpoints;
//  - at most one response a type is unacknowledged: what changes meanwhile is compared once, afterwards;
//  - clusters that nobody needs any more stay in the answer until no listener or route change is on its way, and none
//    is refused: what the client has instead may lead to them;
//  - a change of listeners and routes waits until clusters and endpoints that changed with it were sent, and until an
//    Envoy has acknowledged the clusters: when they are warm. Until then it would answer 503 for them. What waits is of
//    the configuration whose clusters it waits for, and goes out however often the configuration changes meanwhile.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/difference.h"
#include "control/serve/resource_provider.h"
#include "control/serve/session.h"
#include "core/xds/discovery.h"

namespace plait::control::serve {

class SotwSession {
 public:
  using Request = xds::DiscoveryRequest;
  using Response = xds::DiscoveryResponse;

  // Errors end the stream: kLimit.
  Result<Reply> OnRequest(const Request& request);
  // The configuration changed for this proxy.
  void OnConfigChanged(const Difference& difference, const Proxy& proxy);
  // What may be sent now, in order. Call it again after each request and change.
  std::vector<Response> Take(ResourceProvider& provider, const Proxy& proxy);

  bool has_unacknowledged() const noexcept;
  std::string error(const std::string& type_url) const;  // SentStatus::last_error
  std::map<std::string, SentStatus> status() const;
  std::vector<std::string> Names(std::string_view type_url) const;  // subscribed; "*" first where it is
  // Names and versions of what the client holds of a type.
  std::map<std::string, std::string> Held(std::string_view type_url) const;

 private:
  using Resources = std::map<std::string, ResourceRef, std::less<>>;  // by name
  // What a configuration has of what a type's client wants.
  struct Version {
    std::string version;
    std::uint64_t change = 0;
    Resources resources;
  };
  struct Type : Subscription {
    bool named = false;         // names were given once: none does not mean the wildcard any more
    bool stale = false;         // what is subscribed must be compared with what was sent
    bool asked = false;         // names were added: they are answered, whatever a change waits for
    bool again = false;         // all of it must be sent, changed or not
    bool removals_due = false;  // the last answer held what is gone
    bool unacknowledged = false;
    Resources held;
    std::optional<Version> pinned;  // to be sent when its targets are settled
    Progress progress;
  };
  static Reply Acknowledge(Type& type, const Request& request);
  // Whether something was added.
  static bool Subscribe(Type& type, const Request& request);
  Version Wanted(std::string_view url, const Type& type, ResourceProvider& provider, const Proxy& proxy) const;
  bool RoutesIdle() const noexcept;
  void Advance(const std::string& url, Type& type, const Proxy& proxy) const noexcept;
  // Whether clusters are still to be compared: listeners and routes of now may name some that were never sent.
  bool ClustersDue() const noexcept;
  // kKept: what is gone stays in the answer. kAdded: so does what has changed; only names that were added are answered.
  enum class Extent : std::uint8_t { kAll, kKept, kAdded };
  void Update(const std::string& url, Type& type, Version version, Extent extent, std::vector<Response>& out);
  void TakeChanges(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                   std::vector<Response>& out);

  std::map<std::string, Type, PushOrder> types_;
  std::uint64_t changes_ = 1;  // of the configuration; the first is what the stream began with
  std::size_t names_ = 0;
  std::uint64_t nonce_ = 0;
};

}  // namespace plait::control::serve
