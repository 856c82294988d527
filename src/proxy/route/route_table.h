#pragma once
// Chooses the route of a request: an xds::RouteConfiguration compiled into look-up tables. Immutable after Compile,
// shared by all workers through shared_ptr<const>; a request keeps its table alive through RouteMatch. Mirrors Envoy's
// RouteMatcher: domains first (exact, longest "*.suffix", longest "prefix.*", "*"), then routes in order.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/http/message.h"
#include "core/xds/route.h"
#include "proxy/filter/http_filter.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::route {

class HeaderRules;     // compiled header operations of one level; header_rules.h
struct CompiledRoute;  // compiled.h

// A weighted destination of a route.
struct ClusterChoice {
  const xds::WeightedCluster* config = nullptr;
  filter::FilterOverrides overrides;  // merged: cluster, route, virtual host, configuration
  std::shared_ptr<const HeaderRules> headers;
};

// One route. `config` has what needs no compiling: timeouts, retry policy, mirrors, hash policies, upgrades, status
// codes.
struct RouteEntry {
  const xds::Route* config = nullptr;
  const xds::VirtualHost* virtual_host = nullptr;
  const xds::RouteAction* action = nullptr;       // exactly one of the next three is set,
  const xds::RedirectAction* redirect = nullptr;  // or none: non-forwarding
  const xds::DirectResponse* direct_response = nullptr;
  std::string direct_body;  // of the direct response; files were read when the table was compiled
  // The route's retry policy, else the virtual host's; null: none.
  const xds::RetryPolicy* retry = nullptr;
  Duration timeout = std::chrono::seconds(15);  // of the route; 0 = none
  filter::FilterOverrides overrides;            // when there is no ClusterChoice
  std::vector<ClusterChoice> clusters;
};

class RouteTable;

// The answer. Keeps the table alive. `route` null: no virtual host or no route (404, NR, route_not_found).
struct RouteMatch {
  std::shared_ptr<const RouteTable> table;
  const RouteEntry* route = nullptr;
  const ClusterChoice* choice = nullptr;  // null for redirects, direct responses and cluster_header
  std::string cluster;                    // name of the cluster; empty when there is none to go to
  bool requires_tls_redirect = false;     // require_tls of the virtual host: 301 to https
  explicit operator bool() const noexcept { return route != nullptr || requires_tls_redirect; }
  const filter::FilterOverrides* overrides() const noexcept {
    return choice != nullptr ? &choice->overrides : route != nullptr ? &route->overrides : nullptr;
  }
};

// What matching needs besides the head.
struct MatchInput {
  // Of this request; also decides runtime fractions and weights. The same value gives the same choice.
  std::uint64_t random = 0;
  // Used instead of the authority when not empty (second try with the hostname of the original destination).
  std::string_view host_instead = {};
  std::string_view forwarded_proto = "http";  // x-forwarded-proto, for require_tls
  bool external = false;                      // not internal, for require_tls EXTERNAL_ONLY
  const io::TlsFacts* peer = nullptr;         // tls_context matches
};

// What the redirect of a route means for this request.
struct Redirect {
  std::uint16_t status = 301;
  std::string location;
};

class RouteTable : public std::enable_shared_from_this<RouteTable> {
 public:
  // Errors name the virtual host and route. `config` is kept alive by the table.
  static Outcome<std::shared_ptr<const RouteTable>> Compile(std::shared_ptr<const xds::RouteConfiguration> config);
  ~RouteTable();

  RouteMatch Match(const http::RequestHead& head, const MatchInput& input) const;
  // True when a virtual host other than "*" takes this authority (semantics.md 2: which name to try first).
  bool KnowsHost(std::string_view authority) const;
  const xds::RouteConfiguration& config() const noexcept { return *config_; }
  // Every cluster that a route of this table may choose, sorted, each once (what must be warm, what to subscribe to).
  const std::vector<std::string>& clusters() const noexcept { return clusters_; }
  // Headers that only internal requests may carry (internal_only_headers), lower case.
  const std::vector<std::string>& internal_only_headers() const noexcept { return config_->internal_only_headers; }

  struct Compiled;
  const Compiled& compiled() const noexcept { return *compiled_; }  // for this folder

 private:
  RouteTable() = default;
  std::shared_ptr<const xds::RouteConfiguration> config_;
  std::vector<std::string> clusters_;
  std::unique_ptr<Compiled> compiled_;
};

// Before the first attempt: header operations, path and host rewrite (x-forwarded-host as Envoy; `keep_originals`: what
// is replaced goes on as x-envoy-original-path and x-envoy-original-host). `record.request` is this head; `record.host`
// may be null (HostRewrite::kAuto is applied per attempt with ApplyAutoHost).
void FinalizeRequest(const RouteMatch& match, http::RequestHead& head, const record::StreamRecord& record,
                     bool keep_originals);
// Sets the authority to the upstream host's name when the route says auto_host_rewrite.
void ApplyAutoHost(const RouteMatch& match, std::string_view upstream_hostname, bool keep_original,
                   http::RequestHead& head);
// Before the response goes downstream (also a local reply of a matched route).
void FinalizeResponse(const RouteMatch& match, http::ResponseHead& head, const record::StreamRecord& record);
// For routes with a redirect, or RouteMatch::requires_tls_redirect.
Redirect MakeRedirect(const RouteMatch& match, const http::RequestHead& head);
// The Location of a direct response that is 201 or 3xx: the request's own URL.
std::string DirectLocation(const http::RequestHead& head);
// The hash of the route's hash policies; nullopt when none applies. A cookie that must be made is given in
// `set_cookie`.
std::optional<std::uint64_t> RequestHash(const RouteMatch& match, const http::RequestHead& head,
                                         const record::StreamRecord& record, std::string* set_cookie);

}  // namespace plait::proxy::route
