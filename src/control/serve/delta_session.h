#pragma once
// The server's side of one incremental ADS stream as a pure state machine: what the client subscribed to, what was
// sent, what it said to that. No clock, no socket: ads_server.h brings requests and takes responses. One thread.
//
// Rules (xDS protocol, "Incremental"; design.md "Delta rules"; semantics.md 6):
//  - a type's first request without names, or "*", is a wildcard; names alone are not;
//  - each subscribed name is answered, with the resource or in removed_resources;
//  - what a reconnecting client already has (initial_resource_versions) is not sent again;
//  - at most one response of changes is unacknowledged a type: what changes meanwhile is compared once, afterwards;
//  - new things go out in the order secrets, clusters, endpoints, listeners, routes, also when an earlier one must wait
//    for an acknowledgement. Clusters and endpoints are removed only when no listener or route change is on its way,
//    and none is refused: what the client has instead may lead to them;
//  - a stock Envoy, which answers 503 for a cluster without endpoints, acknowledges clusters when they are warm:
//    listeners and routes wait for that. It does not ask again for the endpoints of a changed cluster: they follow;
//  - listeners and routes that wait are those of the configuration whose clusters they wait for, and not of a later
//    one: they go out when these clusters are settled, however often the configuration changes meanwhile.
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/difference.h"
#include "control/serve/held_resources.h"
#include "control/serve/resource_provider.h"
#include "control/serve/session.h"
#include "core/xds/discovery.h"

namespace plait::control::serve {

class DeltaSession {
 public:
  using Request = xds::DeltaRequest;
  using Response = xds::SharedDeltaResponse;
  static constexpr std::size_t kMaxUnacknowledged = 64;  // responses a type; further answers wait
  static constexpr std::size_t kMaxTouched = 4096;       // more names are not compared one by one
  // A response is cut after the resource that passes this size, and a client has so many of them to acknowledge before
  // more follows: when all proxies of a large mesh connect at once, each has some kilobytes on its way and not the
  // index.
  static constexpr std::size_t kResponseBytes = 256U << 10;
  static constexpr std::size_t kMostInFlight = 2;

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
  struct Changes {
    std::string version;  // of the configuration
    std::vector<ResourceRef> resources = {};
    std::set<std::string> removed = {};
    std::size_t next = 0;     // of `resources`, to be sent
    std::uint64_t after = 0;  // the change that targets must have settled before
    bool empty() const noexcept { return resources.empty() && removed.empty(); }
  };
  // A response that waits for its answer.
  struct Sent {
    std::string nonce;
    std::string version;  // of the configuration
    std::vector<ResourceRef> brought;
    std::vector<std::string> removed;
    std::vector<std::string_view> Names() const;  // of both; they live as long as this
  };
  struct Type : Subscription {
    bool stale = false;                          // everything that is subscribed must be compared
    bool wildcard_owed = false;                  // asked for and not answered yet, which an empty response does, too
    bool removals_due = false;                   // a comparison held back removals
    std::set<std::string, std::less<>> touched;  // if not stale: these names must be compared
    std::map<std::string, bool> asked;           // names to answer; true: also when it was sent before
    std::set<std::string, std::less<>> absent;   // names that the client was told do not exist
    HeldResources held;                          // by primary name
    std::optional<Changes> waiting;  // found, and not yet sent: for acknowledgements of what was, or targets
    Progress progress;
    std::deque<Sent> unacknowledged;
    // What the client refused and has not acknowledged since; "*" where it did not say which of a response.
    std::set<std::string, std::less<>> refused;
  };

  static void Touch(const std::string& url, Type& type, const Difference& difference);
  static void Refused(Type& type, const Sent& sent, std::string_view error);
  static bool Mended(Type& type, const Sent& sent);
  static bool Wants(const Type& type, const xds::WireResource& resource);
  Reply Acknowledge(Type& type, const xds::DeltaRequest& request);
  void Subscribe(Type& type, const xds::DeltaRequest& request, bool first);
  void Unsubscribe(Type& type, const std::vector<std::string>& names);
  bool RoutesIdle() const noexcept;
  void Advance(const std::string& url, Type& type, const Proxy& proxy) const noexcept;
  // Whether clusters are still to be compared: listeners and routes of now may name some that were never sent.
  bool ClustersDue() const noexcept;
  void RepeatEndpoints(const Response& clusters);
  static void Answer(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy, Changes& out);
  static void Compare(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy, bool remove,
                      Changes& out);
  static void CompareTouched(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                             bool remove, Changes& out);
  // As much as may be on its way, which is `most` responses; the rest waits in `type`.
  void Emit(const std::string& url, Type& type, const Proxy& proxy, Changes changes, std::size_t most,
            std::vector<Response>& out);
  void TakeChanges(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                   std::vector<Response>& out);
  void TakeWaiting(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                   std::vector<Response>& out);
  // The current state, sorted by name; `absent` are subscribed names that nothing answers for.
  static std::vector<ResourceRef> Current(const std::string& url, const Type& type, ResourceProvider& provider,
                                          const Proxy& proxy, std::set<std::string, std::less<>>& absent);

  std::map<std::string, Type, PushOrder> types_;
  std::uint64_t changes_ = 1;                  // of the configuration; the first is what the stream began with
  std::set<std::string, std::less<>> repeat_;  // clusters that were sent before the client asked for endpoints
  std::size_t names_ = 0;                      // subscribed
  std::size_t initial_ = 0;                    // named as held at the start of the stream
  std::uint64_t nonce_ = 0;
};

}  // namespace plait::control::serve
