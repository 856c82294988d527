#pragma once
// The server's side of one incremental ADS stream as a pure state machine: what the client subscribed to, what was
// sent, what it said to that. No clock, no socket: ads_server.h brings requests and takes responses. One thread.
//
// Rules (xDS protocol, "Incremental"; design.md "Delta rules"; semantics.md 6):
//  - a type's first request without names, or "*", is a wildcard; names alone are not;
//  - each subscribed name is answered, with the resource or in removed_resources;
//  - what a reconnecting client already has (initial_resource_versions) is not sent again;
//  - at most one response of changes is unacknowledged a type: what changes meanwhile is compared once, afterwards;
//  - new things go out in the order secrets, clusters, endpoints, listeners, routes; clusters and endpoints are removed
//    only when no listener or route change is on its way.
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/resource_provider.h"
#include "core/xds/discovery.h"

namespace plait::control::serve {

// For status pages and `plait ps`.
struct SentStatus {
  bool wildcard = false;
  std::size_t names = 0;                          // subscribed by name
  std::size_t resources = 0;                      // sent and still held by the client
  std::string sent_nonce, acked_nonce;            // of the newest response, and of the newest that was acknowledged
  std::string sent_version, acked_version;        // of the configurations that they came from
  std::uint64_t sent = 0, acked = 0, nacked = 0;  // responses
  std::string last_error;                         // of the last NACK; empty after an ACK
  std::size_t unacknowledged = 0;
  bool synced() const noexcept { return unacknowledged == 0 && last_error.empty(); }
};

class DeltaSession {
 public:
  static constexpr std::size_t kMaxNames = 50'000;  // subscribed by one stream, all types together
  static constexpr std::size_t kMaxTypes = 32;
  static constexpr std::size_t kMaxUnacknowledged = 64;    // responses a type; further answers wait
  static constexpr std::size_t kResponseBytes = 1U << 20;  // a response is cut after the resource that passes it

  enum class Reply : std::uint8_t { kNone, kAck, kNack, kExpiredNonce };
  // Errors end the stream: kLimit.
  Result<Reply> OnRequest(const xds::DeltaRequest& request);
  // The configuration changed: `changed(type_url)` says for which types it may matter.
  template <class Predicate>
  void OnConfigChanged(Predicate changed) {
    for (auto& [url, type] : types_)
      if (changed(std::string_view(url))) type.stale = true;
  }
  // What may be sent now, in order. Call it again after each request and change.
  std::vector<xds::DeltaResponse> Take(ResourceProvider& provider, const Proxy& proxy);

  bool has_unacknowledged() const noexcept;
  std::map<std::string, SentStatus> status() const;
  // Names and versions of what the client holds of a type.
  std::map<std::string, std::string> Held(std::string_view type_url) const;

 private:
  struct Type {
    bool wildcard = false;
    bool stale = false;         // everything that is subscribed must be compared
    bool removals_due = false;  // a comparison held back removals
    std::set<std::string, std::less<>> names;
    std::map<std::string, bool> asked;          // names to answer; true: also when it was sent before
    std::set<std::string, std::less<>> absent;  // names that the client was told do not exist
    std::map<std::string, std::string> held;    // primary name -> version
    std::deque<std::pair<std::string, std::string>> unacknowledged;  // nonce, version of the configuration
    SentStatus counts;
  };
  struct Changes {
    std::vector<ResourceRef> resources;
    std::set<std::string> removed;
    bool empty() const noexcept { return resources.empty() && removed.empty(); }
  };

  Reply Acknowledge(Type& type, const xds::DeltaRequest& request);
  void Subscribe(Type& type, const xds::DeltaRequest& request, bool first);
  void Unsubscribe(Type& type, const std::vector<std::string>& names);
  bool RoutesIdle() const noexcept;
  static void Answer(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy, Changes& out);
  static void Compare(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy, bool remove,
                      Changes& out);
  void Emit(const std::string& url, Type& type, const std::string& version, Changes changes,
            std::vector<xds::DeltaResponse>& out);

  // In the order in which new things go out.
  struct PushOrder {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept;
  };
  std::map<std::string, Type, PushOrder> types_;
  std::size_t names_ = 0;
  std::uint64_t nonce_ = 0;
};

}  // namespace plait::control::serve
