#pragma once
// Authorization rules, compiled: a flat array of nodes that is walked without allocation. Immutable, shared by workers.
// Mirrors envoy.config.rbac.v3. Used by the HTTP and the network filter.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/http/message.h"
#include "core/io/address.h"
#include "core/xds/rbac.h"
#include "proxy/filter/http_filter.h"
#include "proxy/match/string_match.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::filters {

// Who asks for what. `head` is null for a TCP connection.
struct RbacSubject {
  const record::ConnectionInfo& connection;
  const io::IpAddress& remote;  // x-forwarded-for applied; a connection's own remote for TCP
  const http::RequestHead* head = nullptr;
  filter::UnknownFacts unknown = {};  // for Foresee and Misses
};

struct RbacResult {
  bool allowed = true;
  const std::string* policy = nullptr;  // the one that matched; null: none
  friend bool operator==(const RbacResult&, const RbacResult&) = default;
};

class RbacEngine {
 public:
  // `with_requests`: false for the network filter; a rule that looks at a request is an error then.
  static Outcome<std::shared_ptr<const RbacEngine>> Compile(const xds::RbacRules& rules, bool with_requests);
  bool allows() const noexcept { return action_ == xds::RbacRules::Action::kAllow; }
  RbacResult Check(const RbacSubject& subject) const;
  // As Check; nullopt: it depends on what is not known of the subject (explain.cc).
  std::optional<RbacResult> Foresee(const RbacSubject& subject) const;
  // For a subject that no policy is known to match: of each policy the first field that certainly differs, or else the
  // fields that are not known.
  std::vector<filter::Forecast::Miss> Misses(const RbacSubject& subject) const;

 private:
  // What a node asks; principals and permissions share it.
  enum class Ask : std::uint8_t {
    kAny,
    kAll,
    kOneOf,
    kNot,
    kAuthenticated,
    kPeerName,
    kDirectIp,
    kRemoteIp,
    kHeader,
    kPath,
    kDestinationIp,
    kDestinationPort,
    kServerName,
  };
  struct Node {
    Ask ask = Ask::kAny;
    std::uint32_t first = 0;  // kAll, kOneOf, kNot: children are links_[first, first + count)
    std::uint32_t count = 0;
    std::uint32_t at = 0;  // index into texts_, cidrs_ or headers_; ports: [at, count)
  };
  struct Policy {
    std::string name;
    std::uint32_t permissions = 0;  // a kOneOf node
    std::uint32_t principals = 0;
  };

  RbacEngine() = default;
  Outcome<std::uint32_t> Add(const xds::Principal& principal, bool with_requests, int depth);
  Outcome<std::uint32_t> Add(const xds::Permission& permission, bool with_requests, int depth);
  template <class Rule>
  Outcome<std::uint32_t> AddBranch(Ask ask, const std::vector<Rule>& children, bool with_requests, int depth);
  Outcome<std::uint32_t> AddText(Ask ask, const xds::StringMatcher& text);
  Outcome<std::uint32_t> AddHeader(const xds::HeaderMatcher& header);
  std::uint32_t AddCidr(Ask ask, const io::Cidr& cidr);
  std::uint32_t Push(Node node);
  bool Holds(const Node& node, const RbacSubject& subject) const;
  enum class Truth : std::uint8_t { kNo, kUnknown, kYes };
  Truth TruthOf(const Node& node, const RbacSubject& subject) const;
  bool Never(const Node& node) const;
  filter::Forecast::Miss LeafMiss(const Node& node, const RbacSubject& subject) const;
  void AddUnknowns(const Node& node, const RbacSubject& subject, std::vector<filter::Forecast::Miss>& all) const;
  filter::Forecast::Miss MissOf(const Node& node, const RbacSubject& subject) const;
  std::string WantedBy(const Node& node) const;
  bool PeerNameMatches(const match::StringMatch& text, const record::ConnectionInfo& connection) const;

  xds::RbacRules::Action action_ = xds::RbacRules::Action::kAllow;
  std::vector<Policy> policies_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> links_;
  std::vector<match::StringMatch> texts_;
  std::vector<io::Cidr> cidrs_;
  std::vector<match::HeaderMatch> headers_;
};

// The verdict of a filter with these rules (either may be null) and why; counts nothing.
filter::Forecast ForeseeRbac(const RbacEngine* rules, const RbacEngine* shadow, const RbacSubject& subject);

// In the log, at debug.
void LogDryRun(const RbacResult& result, const RbacSubject& subject);

// "rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]"; [none] without a policy.
std::string DeniedDetails(const std::string* policy);

}  // namespace plait::proxy::filters
