#include <networking/v1alpha3/virtual_service.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/http_checks.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"
#include "core/xds/route.h"

namespace plait::control::model {
namespace {
namespace net = istio::networking::v1alpha3;

StringMatch ToStringMatch(const net::StringMatch& from) {
  switch (from.match_type_case()) {
    case net::StringMatch::kExact: return {StringMatch::Kind::kExact, from.exact()};
    case net::StringMatch::kPrefix: return {StringMatch::Kind::kPrefix, from.prefix()};
    case net::StringMatch::kRegex: return {StringMatch::Kind::kRegex, from.regex()};
    default: return {};
  }
}

// "mesh" or "<namespace>/<name>". As Istio: a bare name and "./<name>" are of `own` namespace, and in the older form
// "<name>.<namespace>[.svc.<domain>]" the namespace comes second.
std::string GatewayName(std::string_view text, const std::string& own) {
  if (text == "mesh") return std::string(text);
  if (text.starts_with("./")) return own + std::string(text.substr(1));
  if (text.find('/') != std::string_view::npos) return std::string(text);
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return own + "/" + std::string(text);
  const std::string_view name_space = text.substr(dot + 1);
  return std::string(name_space.substr(0, name_space.find('.'))) + "/" + std::string(text.substr(0, dot));
}

// One rule of a VirtualService; every Read reports what is wrong and says whether the rule may be in force.
class RuleReader {
 public:
  RuleReader(ObjectReader& reader, std::string path, const VirtualService& service)
      : reader_(reader), path_(std::move(path)), service_(service) {}
  bool ReadHttp(const net::HTTPRoute& from, HttpRule& to);
  bool ReadTls(const net::TLSRoute& from, L4Rule& to);
  bool ReadTcp(const net::TCPRoute& from, L4Rule& to);

 private:
  std::string Sub(std::string_view field) const { return Dotted(path_, field); }
  bool Match(const net::StringMatch& from, const std::string& path, StringMatch& to) {
    to = ToStringMatch(from);
    if (to.value.empty() && (to.kind == StringMatch::Kind::kPrefix || to.kind == StringMatch::Kind::kRegex)) {
      reader_.Error(path,
                    to.kind == StringMatch::Kind::kPrefix ? "the prefix is empty" : "the regular expression is empty",
                    "leave the match out where everything matches");
      return false;
    }
    return to.kind != StringMatch::Kind::kRegex || CheckRegex(reader_, path + ".regex", to.value);
  }
  bool Optional(bool present, const net::StringMatch& from, const std::string& path, std::optional<StringMatch>& to) {
    return !present || Match(from, path, to.emplace());
  }
  template <class Map>
  bool Matches(const Map& from, const std::string& path, std::map<std::string, StringMatch>& to, bool headers) {
    bool good = true;
    for (const auto& [name, match] : from) {
      std::string at = path;
      at.append("[\"").append(name).append("\"]");
      const bool nameless = name.empty() && !headers;
      if (nameless) reader_.Error(at, "the name is empty", "name a query parameter");
      good &= !nameless;
      good &= (!headers || name.starts_with(':') || CheckFieldName(reader_, at, name)) &&
              Match(match, at, to[headers ? ToLower(name) : name]);
    }
    return good;
  }
  bool ReadMatch(const net::HTTPMatchRequest& from, const std::string& path, HttpMatch& to);
  template <class Source>
  bool ReadSource(const Source& from, const std::string& path, SourceMatch& to);
  bool ReadDestination(const net::Destination& from, const std::string& path, Destination& to);
  template <class Route>
  bool ReadDestinations(const Route& routes, std::vector<WeightedDestination>& to, bool http);
  bool ReadAction(const net::HTTPRoute& from, HttpRule& to);
  bool ReadRedirect(const net::HTTPRedirect& from, HttpRedirect& to);
  bool ReadRewrite(const net::HTTPRewrite& from, HttpRewrite& to);
  bool ReadRetry(const net::HTTPRetry& from, HttpRetry& to);
  bool ReadFault(const net::HTTPFaultInjection& from, HttpFault& to);
  void WarnOfIdleFault(const char* kind);
  bool ReadMirrors(const net::HTTPRoute& from, HttpRule& to);
  bool ReadCors(const net::CorsPolicy& from, CorsPolicy& to);
  bool ReadEdits(const net::Headers& from, const std::string& path, MessageEdits& to);

  ObjectReader& reader_;
  std::string path_;
  const VirtualService& service_;  // without its rules
};

template <class Source>
bool RuleReader::ReadSource(const Source& from, const std::string& path, SourceMatch& to) {
  to.labels.insert(from.source_labels().begin(), from.source_labels().end());
  to.name_space = from.source_namespace();
  for (const std::string& written : from.gateways()) {
    const std::string gateway = GatewayName(written, reader_.meta().name_space());
    const bool on = gateway == "mesh" ? service_.OnMesh()
                                      : std::find(service_.gateways.begin(), service_.gateways.end(), gateway) !=
                                            service_.gateways.end();
    if (!on && !service_.hosts.empty())  // one without hosts has the gateways of those that delegate to it
      reader_.Warning(Indexed(path + ".gateways", to.gateways.size()),
                      "the gateway \"" + gateway + "\" is not among spec.gateways, so nothing comes from it",
                      "add it there");
    to.gateways.push_back(gateway);
  }
  if (from.port() != 0 && !CheckPort(reader_, path + ".port", from.port())) return false;
  to.port = static_cast<std::uint16_t>(from.port());
  return true;
}

bool RuleReader::ReadMatch(const net::HTTPMatchRequest& from, const std::string& path, HttpMatch& to) {
  bool good = ReadSource(from, path, to.source);
  good &= Optional(from.has_uri(), from.uri(), path + ".uri", to.uri);
  good &= Optional(from.has_scheme(), from.scheme(), path + ".scheme", to.scheme);
  good &= Optional(from.has_method(), from.method(), path + ".method", to.method);
  good &= Optional(from.has_authority(), from.authority(), path + ".authority", to.authority);
  good &= Matches(from.headers(), path + ".headers", to.headers, true);
  good &= Matches(from.without_headers(), path + ".withoutHeaders", to.without_headers, true);
  good &= Matches(from.query_params(), path + ".queryParams", to.query, false);
  to.ignore_uri_case = from.ignore_uri_case();
  to.name = from.name();
  if (to.ignore_uri_case && to.uri && to.uri->kind == StringMatch::Kind::kRegex)
    reader_.Warning(path + ".ignoreUriCase", "ignoreUriCase has no effect on a regex", "begin the regex with (?i)");
  return good;
}

bool RuleReader::ReadDestination(const net::Destination& from, const std::string& path, Destination& to) {
  to = {.host = from.host(), .subset = from.subset(), .at = reader_.At(path)};
  if (!CheckHost(reader_, path + ".host", from.host(), false)) return false;
  if (!from.has_port()) return true;
  to.port = static_cast<std::uint16_t>(from.port().number());
  return CheckPort(reader_, path + ".port.number", from.port().number());
}

template <class Routes>
bool RuleReader::ReadDestinations(const Routes& routes, std::vector<WeightedDestination>& to, bool http) {
  for (int i = 0; i < routes.size(); ++i) {
    const std::string path = Indexed(Sub("route"), static_cast<std::size_t>(i));
    WeightedDestination destination;
    if (!ReadDestination(routes.Get(i).destination(), path + ".destination", destination.destination)) return false;
    const auto weight = routes.Get(i).weight();
    if (weight < 0) {
      reader_.Error(path + ".weight", "the weight " + std::to_string(weight) + " is negative",
                    "weights are shares of their sum, e.g. 80 and 20");
      return false;
    }
    destination.weight = static_cast<std::uint32_t>(weight);
    if constexpr (requires { routes.Get(i).headers(); })
      if (!ReadEdits(routes.Get(i).headers(), path + ".headers", destination.headers)) return false;
    to.push_back(std::move(destination));
  }
  if (!CheckWeights(reader_, Sub("route"), to)) return false;
  if (to.size() == 1) to[0].weight = std::max(to[0].weight, 1U);
  if (http || !to.empty()) return true;
  reader_.Error(path_, "a tcp or tls rule needs a route", "add route with a destination");
  return false;
}

bool RuleReader::ReadRedirect(const net::HTTPRedirect& from, HttpRedirect& to) {
  to = {.uri = from.uri(),
        .prefix_rewrite = from.prefix_rewrite(),
        .authority = from.authority(),
        .scheme = from.scheme()};
  if (from.redirect_port_case() == net::HTTPRedirect::kPort) {
    if (!CheckPort(reader_, Sub("redirect.port"), from.port())) return false;
    to.port = static_cast<std::uint16_t>(from.port());
  }
  to.port_of_request = from.derive_port() == net::HTTPRedirect::FROM_REQUEST_PORT;
  to.code = static_cast<std::uint16_t>(from.redirect_code() == 0 ? 301 : from.redirect_code());
  for (unsigned code : {301U, 302U, 303U, 307U, 308U})
    if (from.redirect_code() == 0 || from.redirect_code() == code)
      return CheckTarget(reader_, Sub("redirect.uri"), to.uri + to.prefix_rewrite) &&
             CheckTarget(reader_, Sub("redirect.authority"), to.authority) &&
             CheckTarget(reader_, Sub("redirect.scheme"), to.scheme);
  reader_.Error(Sub("redirect.redirectCode"), "the status " + std::to_string(from.redirect_code()) + " is no redirect",
                "301, 302, 303, 307 or 308");
  return false;
}

bool RuleReader::ReadRewrite(const net::HTTPRewrite& from, HttpRewrite& to) {
  to = {from.uri(), from.authority(), from.uri_regex_rewrite().match(), from.uri_regex_rewrite().rewrite()};
  if (!to.regex.empty() && !to.uri.empty()) {
    reader_.Error(Sub("rewrite"), "uri and uriRegexRewrite exclude each other", "keep one of them");
    return false;
  }
  if (!CheckTarget(reader_, Sub("rewrite.uri"), to.uri) ||
      !CheckTarget(reader_, Sub("rewrite.authority"), to.authority))
    return false;
  return to.regex.empty() ||
         (CheckRegex(reader_, Sub("rewrite.uriRegexRewrite.match"), to.regex) &&
          CheckSubstitution(reader_, Sub("rewrite.uriRegexRewrite.rewrite"), to.regex, to.substitution));
}

bool RuleReader::ReadRetry(const net::HTTPRetry& from, HttpRetry& to) {
  if (from.attempts() < 0) {
    reader_.Error(Sub("retries.attempts"), "the number of attempts is negative", "0 turns retries off");
    return false;
  }
  to.attempts = static_cast<std::uint32_t>(from.attempts());
  to.retry_on = from.retry_on();
  if (from.has_per_try_timeout()) to.per_try_timeout = ToDuration(from.per_try_timeout());
  if (from.has_backoff()) to.backoff = ToDuration(from.backoff());
  if (to.backoff == Duration::zero()) {
    reader_.Error(Sub("retries.backoff"), "the backoff is 0", "e.g. 25ms; without it retries have Istio's default");
    return false;
  }
  for (std::string_view word : Split(to.retry_on, ','))
    if (word = Trim(word); !ParseUint(word) && !xds::ParseRetryOn(word))
      reader_.Warning(Sub("retries.retryOn"),
                      "\"" + std::string(word) + "\" is no condition of a retry: it has no effect",
                      "e.g. 5xx, connect-failure, reset, retriable-status-codes or the number of a status");
  if (from.has_retry_ignore_previous_hosts()) to.ignore_previous_hosts = from.retry_ignore_previous_hosts().value();
  return CheckNotNegative(reader_, Sub("retries.perTryTimeout"), to.per_try_timeout.value_or(Duration{})) &&
         CheckNotNegative(reader_, Sub("retries.backoff"), to.backoff.value_or(Duration{}));
}

// Words of grpc-status, or its number.
std::optional<std::uint32_t> GrpcStatus(std::string_view text) {
  constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  for (std::uint32_t i = 0; i < std::size(kNames); ++i)
    if (EqualsIgnoreCase(kNames[i], text)) return i;
  const auto number = ParseUint(text);
  return number && *number < std::size(kNames) ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

void RuleReader::WarnOfIdleFault(const char* kind) {
  reader_.Warning(Sub(std::string("fault.") + kind),
                  std::string("the ") + kind + " hits no request: it has no percentage",
                  "percentage: {value: 100} is every request");
}

bool RuleReader::ReadFault(const net::HTTPFaultInjection& from, HttpFault& to) {
  if (from.has_delay()) {
    const auto& delay = from.delay();
    to.delay = ToDuration(delay.fixed_delay());
    if (delay.has_percentage())
      to.delay_percent = delay.percentage().value();
    else if (delay.percent() > 0)
      to.delay_percent = delay.percent();
    if (!delay.has_fixed_delay()) to.delay.reset();
    if (to.delay && !CheckNotNegative(reader_, Sub("fault.delay.fixedDelay"), *to.delay)) return false;
    // Envoy refuses such a delay, with the routes of all hosts of the port.
    if (to.delay && *to.delay == Duration::zero()) {
      reader_.Warning(Sub("fault.delay.fixedDelay"), "a delay of 0s delays nothing", "take it out, or write e.g. 5s");
      to.delay.reset();
    }
    if (to.delay && !delay.has_percentage() && delay.percent() == 0) WarnOfIdleFault("delay");
  }
  if (from.has_abort()) {
    const auto& abort = from.abort();
    if (abort.has_percentage()) to.abort_percent = abort.percentage().value();
    if (abort.error_type_case() == net::HTTPFaultInjection::Abort::kGrpcStatus) {
      to.abort_grpc_status = GrpcStatus(abort.grpc_status());
      if (!to.abort_grpc_status)
        reader_.Error(Sub("fault.abort.grpcStatus"), "\"" + abort.grpc_status() + "\" is not a gRPC status",
                      "e.g. UNAVAILABLE");
      if (!to.abort_grpc_status) return false;
    } else if (abort.error_type_case() == net::HTTPFaultInjection::Abort::kHttpStatus) {
      if (abort.http_status() < 200 || abort.http_status() > 599) {
        reader_.Error(Sub("fault.abort.httpStatus"),
                      "the status " + std::to_string(abort.http_status()) + " is outside 200..599");
        return false;
      }
      to.abort_status = static_cast<std::uint16_t>(abort.http_status());
    }
    if ((to.abort_status != 0 || to.abort_grpc_status) && !abort.has_percentage()) WarnOfIdleFault("abort");
  }
  return CheckPercent(reader_, Sub("fault.delay.percentage"), to.delay_percent) &&
         CheckPercent(reader_, Sub("fault.abort.percentage"), to.abort_percent);
}

bool RuleReader::ReadMirrors(const net::HTTPRoute& from, HttpRule& to) {
  const auto add = [&](const net::Destination& destination, double percent, const std::string& path) {
    HttpMirror mirror{.percent = percent};
    if (!ReadDestination(destination, path, mirror.destination) || !CheckPercent(reader_, path, percent)) return false;
    to.mirrors.push_back(std::move(mirror));
    return true;
  };
  if (from.has_mirror()) {
    double percent = 100;
    if (from.has_mirror_percentage())
      percent = from.mirror_percentage().value();
    else if (from.has_mirror_percent())
      percent = from.mirror_percent().value();
    if (!add(from.mirror(), percent, Sub("mirror"))) return false;
  }
  for (int i = 0; i < from.mirrors_size(); ++i) {
    const auto& mirror = from.mirrors(i);
    const double percent = mirror.has_percentage() ? mirror.percentage().value() : 100;
    if (!add(mirror.destination(), percent, Indexed(Sub("mirrors"), static_cast<std::size_t>(i)) + ".destination"))
      return false;
  }
  return true;
}

bool RuleReader::ReadCors(const net::CorsPolicy& from, CorsPolicy& to) {
  for (const std::string& origin : from.allow_origin())
    to.allow_origins.push_back(origin == "*" ? StringMatch{StringMatch::Kind::kRegex, ".*"}
                                             : StringMatch{StringMatch::Kind::kExact, origin});
  for (int i = 0; i < from.allow_origins_size(); ++i)
    if (!Match(from.allow_origins(i), Indexed(Sub("corsPolicy.allowOrigins"), static_cast<std::size_t>(i)),
               to.allow_origins.emplace_back()))
      return false;
  to.allow_methods.assign(from.allow_methods().begin(), from.allow_methods().end());
  to.allow_headers.assign(from.allow_headers().begin(), from.allow_headers().end());
  to.expose_headers.assign(from.expose_headers().begin(), from.expose_headers().end());
  if (from.has_max_age()) to.max_age = ToDuration(from.max_age());
  to.allow_credentials = from.allow_credentials().value();
  to.forward_unmatched_preflights = from.unmatched_preflights() != net::CorsPolicy::IGNORE;
  return CheckNotNegative(reader_, Sub("corsPolicy.maxAge"), to.max_age.value_or(Duration{}));
}

bool RuleReader::ReadEdits(const net::Headers& from, const std::string& path, MessageEdits& to) {
  const auto read = [](const net::Headers::HeaderOperations& edits, HeaderEdits& out) {
    out.set.insert(edits.set().begin(), edits.set().end());
    out.add.insert(edits.add().begin(), edits.add().end());
    out.remove.assign(edits.remove().begin(), edits.remove().end());
  };
  read(from.request(), to.request);
  read(from.response(), to.response);
  return CheckEdits(reader_, path, to);
}

bool RuleReader::ReadAction(const net::HTTPRoute& from, HttpRule& to) {
  const int actions = (from.route_size() > 0 ? 1 : 0) + (from.has_redirect() ? 1 : 0) +
                      (from.has_direct_response() ? 1 : 0) + (from.has_delegate() ? 1 : 0);
  if (actions != 1) {
    reader_.Error(
        path_,
        actions == 0 ? "the rule does nothing" : "route, redirect, directResponse and delegate exclude each other",
        "give it exactly one of route, redirect, directResponse and delegate");
    return false;
  }
  if (from.has_delegate()) {
    to.delegate = {.name = from.delegate().name(),
                   .name_space = from.delegate().namespace_(),
                   .at = {reader_.At(Sub("delegate.name"))}};
    if (!to.delegate->name.empty()) return true;
    reader_.Error(Sub("delegate"), "the delegate has no name", "name a VirtualService without hosts");
    return false;
  }
  if (from.has_redirect()) return ReadRedirect(from.redirect(), to.redirect.emplace());
  if (from.has_direct_response()) {
    const auto& response = from.direct_response();
    const bool bytes = response.body().specifier_case() == net::HTTPBody::kBytes;
    to.direct_response = {static_cast<std::uint16_t>(response.status()),
                          bytes ? response.body().bytes() : response.body().string()};
    if (response.status() < 200 || response.status() > 599) {
      reader_.Error(Sub("directResponse.status"),
                    "the status " + std::to_string(response.status()) + " is outside 200..599");
      return false;
    }
    if (to.direct_response->body.size() <= kMaxDirectResponseBody) return true;
    reader_.Error(Sub("directResponse.body"), "the body is larger than 1 MiB", "serve it by an application");
    return false;
  }
  return ReadDestinations(from.route(), to.destinations, true);
}

bool RuleReader::ReadHttp(const net::HTTPRoute& from, HttpRule& to) {
  to.name = from.name();
  to.at = reader_.At(path_);
  for (int i = 0; i < from.match_size(); ++i)
    if (!ReadMatch(from.match(i), Indexed(Sub("match"), static_cast<std::size_t>(i)), to.matches.emplace_back()))
      return false;
  if (!ReadAction(from, to)) return false;
  if (from.has_rewrite() && !ReadRewrite(from.rewrite(), to.rewrite)) return false;
  if (from.has_timeout()) to.timeout = ToDuration(from.timeout());
  if (!CheckNotNegative(reader_, Sub("timeout"), to.timeout.value_or(Duration{}))) return false;
  if (from.has_retries() && !ReadRetry(from.retries(), to.retries.emplace())) return false;
  if (from.has_fault() && !ReadFault(from.fault(), to.fault.emplace())) return false;
  if (from.has_cors_policy() && !ReadCors(from.cors_policy(), to.cors.emplace())) return false;
  return ReadMirrors(from, to) && ReadEdits(from.headers(), Sub("headers"), to.headers);
}

bool RuleReader::ReadTls(const net::TLSRoute& from, L4Rule& to) {
  to.tls = true;
  to.at = reader_.At(path_);
  if (from.match_size() == 0) {
    reader_.Error(path_, "a tls rule needs match with sniHosts", "for every TLS connection: sniHosts: [\"*\"]");
    return false;
  }
  for (int i = 0; i < from.match_size(); ++i) {
    const std::string path = Indexed(Sub("match"), static_cast<std::size_t>(i));
    L4Match match;
    if (!ReadSource(from.match(i), path, match.source)) return false;
    for (const std::string& host : from.match(i).sni_hosts()) {
      if (!CheckHost(reader_, path + ".sniHosts", host, true)) return false;
      match.sni_hosts.push_back(ToLower(host));
    }
    for (const std::string& subnet : from.match(i).destination_subnets())
      if (!CheckCidr(reader_, path + ".destinationSubnets", subnet, &match.destination_subnets.emplace_back()))
        return false;
    to.matches.push_back(std::move(match));
  }
  return ReadDestinations(from.route(), to.destinations, false);
}

bool RuleReader::ReadTcp(const net::TCPRoute& from, L4Rule& to) {
  to.at = reader_.At(path_);
  for (int i = 0; i < from.match_size(); ++i) {
    const std::string path = Indexed(Sub("match"), static_cast<std::size_t>(i));
    L4Match match;
    if (!ReadSource(from.match(i), path, match.source)) return false;
    for (const std::string& subnet : from.match(i).destination_subnets())
      if (!CheckCidr(reader_, path + ".destinationSubnets", subnet, &match.destination_subnets.emplace_back()))
        return false;
    to.matches.push_back(std::move(match));
  }
  return ReadDestinations(from.route(), to.destinations, false);
}

// Who delegates to a VirtualService without hosts gives it gateways, and only http rules are delegated.
void CheckDelegate(ObjectReader& reader, VirtualService& service) {
  if (!service.hosts.empty()) return;
  if (!service.gateways.empty())
    reader.Warning("spec.gateways", "a VirtualService without hosts has the gateways of those that delegate to it",
                   "remove them, or name its hosts");
  service.gateways.clear();
  service.gateways_at.clear();
  if (service.l4.empty()) return;
  reader.Warning("spec", "tls and tcp rules need hosts; only http rules can be delegated to", "name its hosts");
  service.l4.clear();
}

// Rules are decoded one by one, so that an invalid one is left out and the others keep their meaning.
template <class Message, class Rule>
void ReadRules(ObjectReader& reader, const char* list, bool (RuleReader::*read)(const Message&, Rule&),
               const VirtualService& service, std::vector<Rule>& out) {
  const yaml::Node* rules = reader.Spec().Find(list);
  if (!rules || rules->is_null()) return;
  if (!rules->is_sequence())
    return reader.Error(std::string("spec.") + list, "a list is expected, not " + yaml::Describe(*rules));
  for (std::size_t i = 0; i < rules->items.size(); ++i) {
    const std::string path = Indexed(std::string("spec.") + list, i);
    Message message;
    Rule rule;
    if (!ReadMessage(reader, rules->items[i], message)) continue;
    ReportUnhonoured(reader, message, path, Severity::kWarning);
    if ((RuleReader(reader, path, service).*read)(message, rule)) out.push_back(std::move(rule));
  }
}

void CheckOrder(ObjectReader& reader, const VirtualService& service) {
  for (std::size_t i = 0; i + 1 < service.http.size(); ++i) {
    const HttpRule& rule = service.http[i];
    if (!rule.matches.empty()) continue;
    reader.Warning(
        Indexed("spec.http", i + 1),
        "VirtualService rule " + std::to_string(i + 1) + " not used: rule " + std::to_string(i) + " matches everything",
        "move the rule without match to the end", "IST0130");
    return;
  }
}
}  // namespace

bool VirtualService::OnMesh() const noexcept {
  if (gateways.empty()) return true;
  for (const std::string& gateway : gateways)
    if (gateway == "mesh") return true;
  return false;
}

void DecodeVirtualService(ObjectReader& reader, Decoded& out) {
  // Everything but the rules first: they are read one by one.
  yaml::Node rest = reader.Spec();
  std::erase_if(rest.entries, [](const yaml::Entry& entry) {
    return entry.key == "http" || entry.key == "tls" || entry.key == "tcp";
  });
  net::VirtualService message;
  VirtualService service{.meta = reader.meta()};
  if (!ReadMessage(reader, rest, message)) return;
  for (int i = 0; i < message.hosts_size(); ++i) {
    if (!CheckHost(reader, Indexed("spec.hosts", static_cast<std::size_t>(i)), message.hosts(i), true)) continue;
    service.hosts.push_back(message.hosts(i));
  }
  for (const std::string& gateway : message.gateways()) {
    service.gateways.push_back(GatewayName(gateway, service.meta.name_space()));
    service.gateways_at.push_back({reader.At(Indexed("spec.gateways", service.gateways_at.size()))});
  }
  service.export_to.assign(message.export_to().begin(), message.export_to().end());
  if (!CheckExportTo(reader, service.export_to)) return;
  ReadRules<net::HTTPRoute>(reader, "http", &RuleReader::ReadHttp, service, service.http);
  ReadRules<net::TLSRoute>(reader, "tls", &RuleReader::ReadTls, service, service.l4);
  ReadRules<net::TCPRoute>(reader, "tcp", &RuleReader::ReadTcp, service, service.l4);
  if (service.http.empty() && service.l4.empty() && reader.errors() == 0)
    reader.Error("spec", "there is no http, tls or tcp rule", "add at least one");
  CheckOrder(reader, service);
  CheckDelegate(reader, service);
  // Without a valid rule the object would take its hosts' traffic and answer 404. One whose hosts are all invalid must
  // not become a delegate.
  if ((!service.hosts.empty() || message.hosts_size() == 0) && (!service.http.empty() || !service.l4.empty()))
    Keep(out, std::move(service));
}

}  // namespace plait::control::model
