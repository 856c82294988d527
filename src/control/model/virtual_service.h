#pragma once
// Istio's VirtualService. Hosts of destinations are as written; Snapshot resolves them (hosts.h).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/model/meta.h"
#include "core/base/time.h"
#include "core/io/address.h"
#include "core/yaml/node.h"

namespace plait::control::model {

struct StringMatch {
  enum class Kind : std::uint8_t { kPresent, kExact, kPrefix, kRegex };  // kPresent: `{}`
  Kind kind = Kind::kPresent;
  std::string value = {};
  friend bool operator==(const StringMatch&, const StringMatch&) = default;
};

struct HeaderEdits {
  std::map<std::string, std::string> set = {};
  std::map<std::string, std::string> add = {};
  std::vector<std::string> remove = {};
  friend bool operator==(const HeaderEdits&, const HeaderEdits&) = default;
};
struct MessageEdits {
  HeaderEdits request = {};
  HeaderEdits response = {};
  friend bool operator==(const MessageEdits&, const MessageEdits&) = default;
};

struct Destination {
  std::string host = {};
  std::string subset = {};
  std::uint16_t port = 0;  // 0: the service's only port, or the port of the request
  yaml::Mark at = {};
  friend bool operator==(const Destination&, const Destination&) = default;
};
struct WeightedDestination {
  Destination destination = {};
  std::uint32_t weight = 0;
  MessageEdits headers = {};
  friend bool operator==(const WeightedDestination&, const WeightedDestination&) = default;
};

// Who may use a match: fields that are decided for a proxy, not for a request.
struct SourceMatch {
  Labels labels = {};
  std::string name_space = {};
  std::vector<std::string> gateways = {};  // empty: those of the VirtualService
  std::uint16_t port = 0;
  friend bool operator==(const SourceMatch&, const SourceMatch&) = default;
};

struct HttpMatch {
  SourceMatch source = {};
  std::optional<StringMatch> uri = {};
  std::optional<StringMatch> scheme = {};
  std::optional<StringMatch> method = {};
  std::optional<StringMatch> authority = {};
  std::map<std::string, StringMatch> headers = {};
  std::map<std::string, StringMatch> without_headers = {};
  std::map<std::string, StringMatch> query = {};
  bool ignore_uri_case = false;
  std::string name = {};
  friend bool operator==(const HttpMatch&, const HttpMatch&) = default;
};

struct HttpRedirect {
  std::string uri = {};  // a path, or a prefix rewrite when `uri` is empty
  std::string prefix_rewrite = {};
  std::string authority = {};
  std::string scheme = {};
  std::uint16_t port = 0;
  bool port_of_request = false;  // derivePort: FROM_REQUEST_PORT
  std::uint16_t code = 301;
  friend bool operator==(const HttpRedirect&, const HttpRedirect&) = default;
};

struct HttpRewrite {
  std::string uri = {};
  std::string authority = {};
  std::string regex = {};
  std::string substitution = {};
  friend bool operator==(const HttpRewrite&, const HttpRewrite&) = default;
};

struct HttpRetry {
  std::uint32_t attempts = 2;
  std::optional<Duration> per_try_timeout = {};
  std::string retry_on = {};  // as written; empty: the default
  bool ignore_previous_hosts = true;
  std::optional<Duration> backoff = {};
  friend bool operator==(const HttpRetry&, const HttpRetry&) = default;
};

// As in Istio a fault that does not say how many requests it hits, hits none.
struct HttpFault {
  std::optional<Duration> delay = {};
  double delay_percent = 0;
  std::uint16_t abort_status = 0;
  std::optional<std::uint32_t> abort_grpc_status = {};
  double abort_percent = 0;
  friend bool operator==(const HttpFault&, const HttpFault&) = default;
};

struct HttpMirror {
  Destination destination = {};
  double percent = 100;
  friend bool operator==(const HttpMirror&, const HttpMirror&) = default;
};

struct CorsPolicy {
  std::vector<StringMatch> allow_origins = {};
  std::vector<std::string> allow_methods = {};
  std::vector<std::string> allow_headers = {};
  std::vector<std::string> expose_headers = {};
  std::optional<Duration> max_age = {};
  bool allow_credentials = false;
  bool forward_unmatched_preflights = true;
  friend bool operator==(const CorsPolicy&, const CorsPolicy&) = default;
};

inline constexpr std::uint32_t kMaxDirectResponseBody = 1U << 20;  // bytes, as Istio's
struct DirectResponse {
  std::uint16_t status = 200;
  std::string body = {};
  friend bool operator==(const DirectResponse&, const DirectResponse&) = default;
};

// A VirtualService without hosts whose rules stand in place of the one that names it (delegates.h).
struct Delegate {
  std::string name = {};
  std::string name_space = {};  // empty: of the VirtualService that names it
  Place at = {};                // of the name
  friend bool operator==(const Delegate&, const Delegate&) = default;
};

struct HttpRule {
  std::string name = {};
  std::vector<HttpMatch> matches = {};                 // any of them; empty: always
  std::vector<WeightedDestination> destinations = {};  // exactly one of these four
  std::optional<HttpRedirect> redirect = {};
  std::optional<DirectResponse> direct_response = {};
  std::optional<Delegate> delegate = {};
  HttpRewrite rewrite = {};
  std::optional<Duration> timeout = {};   // none: no time-out
  std::optional<HttpRetry> retries = {};  // none: the mesh's default
  std::optional<HttpFault> fault = {};
  std::vector<HttpMirror> mirrors = {};
  std::optional<CorsPolicy> cors = {};
  MessageEdits headers = {};
  yaml::Mark at = {};
  friend bool operator==(const HttpRule&, const HttpRule&) = default;
};

struct L4Match {
  SourceMatch source = {};
  std::vector<io::Cidr> destination_subnets = {};
  std::vector<std::string> sni_hosts = {};  // tls rules only
  friend bool operator==(const L4Match&, const L4Match&) = default;
};
struct L4Rule {
  std::vector<L4Match> matches = {};
  std::vector<WeightedDestination> destinations = {};
  bool tls = false;
  yaml::Mark at = {};
  friend bool operator==(const L4Rule&, const L4Rule&) = default;
};

struct VirtualService {
  Meta meta = {};
  std::vector<std::string> hosts = {};     // none: it is for others to delegate to
  std::vector<std::string> gateways = {};  // "mesh" or "namespace/name"; empty as written = mesh
  std::vector<Place> gateways_at = {};     // of each
  std::vector<HttpRule> http = {};
  std::vector<L4Rule> l4 = {};              // tls rules, then tcp rules
  std::vector<std::string> export_to = {};  // empty: the mesh's default
  friend bool operator==(const VirtualService&, const VirtualService&) = default;
  bool OnMesh() const noexcept;
};

}  // namespace plait::control::model
