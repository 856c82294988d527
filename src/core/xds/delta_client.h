#pragma once
// The client's side of incremental ADS as a pure state machine: what is wanted, what was sent on this stream, what is
// held. No clock, no socket: ads_stream.h brings the bytes. One thread.
//
// Rules (design.md, "Delta rules"; xDS protocol, "Incremental"): an empty first request of a type is a wildcard, so a
// type that is asked for by name sends nothing before it has a name, also after a reconnect; what is held is named in
// initial_resource_versions, and only the new stream's answers remove anything; names that do not exist come back in
// removed_resources and are told as such. A resource with a TTL is told as removed when that ends, also without a
// stream; a heartbeat (its version without its body) renews it ("TTL" there).
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/xds/discovery.h"

namespace plait::xds {

// What a response brought for one type. Views are valid during the call.
struct Update {
  std::string_view type_url;
  const std::vector<WireResource>& added;   // new or changed
  const std::vector<std::string>& removed;  // gone, or asked for and not there
};
// A resource that the subscriber will not use, and why ("listener x: filter_chains[0]: ...").
struct Rejection {
  std::string name;
  std::string reason;
};
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // Takes what is good; the rest is rejected by name, keeps its last accepted form and goes back as a NACK.
  virtual std::vector<Rejection> OnUpdate(const Update& update) = 0;
};

// For status pages and `plait ps`.
struct TypeStatus {
  bool wildcard = false;
  std::size_t names = 0;
  std::size_t held = 0;
  std::uint64_t updates = 0, rejections = 0;
  std::string last_error;  // of the last NACK; empty after an ACK
  std::string system_version;
};

class DeltaClient {
 public:
  DeltaClient(Node node, Subscriber& subscriber) : node_(std::move(node)), subscriber_(subscriber) {}

  void SubscribeAll(std::string_view type_url);
  void Subscribe(std::string_view type_url, std::string_view name);
  void Unsubscribe(std::string_view type_url, std::string_view name);

  // A stream was opened: everything is said anew. It was lost: what is held stays.
  void OnStreamOpen();
  void OnStreamLost();
  // Applies a response; the acknowledgement is in the next TakeRequests. `now`: what its TTLs count from.
  void OnResponse(const DeltaResponse& response, MonotonicTime now = {});
  // When the next TTL ends, and what to call then.
  std::optional<MonotonicTime> NextEnd() const;
  void EndLives(MonotonicTime now);
  // What must be sent now, in order; empty without a stream. The first of a stream carries the node.
  std::vector<DeltaRequest> TakeRequests();

  const std::string& control_plane() const noexcept { return control_plane_; }  // of the first response; empty before
  std::map<std::string, TypeStatus, std::less<>> status() const;

 private:
  struct Type {
    bool wildcard = false;
    bool wildcard_sent = false;
    bool begun = false;                               // something of this type was said on this stream
    std::set<std::string, std::less<>> wanted, sent;  // by name
    std::map<std::string, std::string> held;          // name -> version
    std::map<std::string, MonotonicTime> ends;        // of those with a TTL
    TypeStatus counts;
  };
  Type& TypeOf(std::string_view url);
  void AddChanges(const std::string& url, Type& type);
  static void Renew(Type& type, const DeltaResponse& response, MonotonicTime now);

  Node node_;
  Subscriber& subscriber_;
  bool open_ = false;
  bool node_sent_ = false;
  std::string control_plane_;
  std::vector<std::string> order_;  // types as they were first asked for
  std::map<std::string, Type, std::less<>> types_;
  std::vector<DeltaRequest> acknowledgements_;
};

}  // namespace plait::xds
