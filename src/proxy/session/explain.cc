#include "proxy/session/explain.h"

#include <algorithm>

#include "core/base/strings.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/session/decisions.h"
#include "proxy/session/failure.h"
#include "proxy/session/request_edge.h"
#include "proxy/upstream/transport.h"

namespace plait::proxy::session {
namespace {

std::string_view DeclaredName(xds::DeclaredProtocol declared) {
  switch (declared) {
    case xds::DeclaredProtocol::kHttp: return "HTTP";
    case xds::DeclaredProtocol::kTcp: return "TCP";
    case xds::DeclaredProtocol::kTls: return "TLS";
    case xds::DeclaredProtocol::kNone: break;
  }
  return "nothing";
}

std::string_view ModeName(xds::MtlsMode mode) {
  return mode == xds::MtlsMode::kStrict ? "STRICT" : mode == xds::MtlsMode::kPermissive ? "PERMISSIVE" : "DISABLE";
}

// "outbound|9080|v2|reviews (80 %), ...": where a route may send.
std::string ClustersText(const xds::RouteAction& action) {
  std::uint64_t total = 0;
  for (const xds::WeightedCluster& one : action.clusters) total += one.weight;
  std::string text;
  for (const xds::WeightedCluster& one : action.clusters) {
    text += (text.empty() ? "" : ", ") + one.name;
    if (action.clusters.size() > 1 && total > 0) text += " (" + std::to_string(one.weight * 100 / total) + " %)";
  }
  return text;
}

// What becomes of a port that the service of the address does not have; empty: it has it.
std::string WithoutPort(const xds::Service& service, std::uint16_t port) {
  if (cluster::HasPort(service, port)) return {};
  std::string known;
  for (const xds::ServicePort& one : service.ports)
    known += (known.empty() ? "" : ", ") + std::to_string(one.port.service_port);
  return ", which has no port " + std::to_string(port) + (known.empty() ? "" : " (there is " + known + ")");
}

// Whether the client's certificate is the one that says which workload it is (by the SDS name of Istio's sidecars).
bool ShowsIdentity(const xds::UpstreamTlsContext& tls) {
  const auto& secrets = tls.common.certificate_secrets;
  return std::any_of(secrets.begin(), secrets.end(), [](const xds::SecretRef& one) { return one.name == "default"; });
}

// The names of which the server's certificate must have one; empty: any will do.
std::vector<std::string> ServerNames(const xds::UpstreamTlsContext& tls, const std::string& identity,
                                     const std::string& expected) {
  if (!identity.empty()) return {identity};
  if (!expected.empty()) return {expected};
  std::vector<std::string> names;
  if (tls.common.validation)
    for (const auto& san : tls.common.validation->subject_alt_names) names.push_back(san.matcher.value);
  return names;
}

// Whether a workload of the mesh is certainly another one than all that the server may be.
bool IsNoneOf(const xds::UpstreamTlsContext& tls, const std::vector<std::string>& servers,
              const std::string& identity) {
  const auto& validation = tls.common.validation;
  const bool exact = !validation || std::ranges::all_of(validation->subject_alt_names, [](const auto& san) {
    return san.matcher.kind == xds::StringMatcher::Kind::kExact;
  });
  return exact && !servers.empty() && std::ranges::find(servers, identity) == servers.end();
}

// "; the server must be a.example; its certificate must be signed by one of /etc/ca.pem".
std::string ServerText(const xds::CommonTlsContext& tls, const std::vector<std::string>& names) {
  std::string text = names.empty() ? "" : "; the server must be " + Join(names, " or ");
  const bool unverified = !tls.validation_secret && (!tls.validation || tls.validation->accept_untrusted);
  if (unverified) return text + "; nobody needs to have signed the server's";
  if (tls.validation && tls.validation->trusted_ca.kind == xds::DataSource::Kind::kFile)
    text += "; its certificate must be signed by one of " + tls.validation->trusted_ca.value;
  return text;
}

class Explainer {
 public:
  Explainer(const ConfigView& config, const Chain& chain, Question question)
      : config_(config), chain_(chain), q_(std::move(question)) {
    if (!q_.principal.empty()) {
      tls_.peer_certificate = true;
      tls_.peer_uri_sans = {q_.principal};
      tls_.peer_identity = q_.principal;
      tls_.local_identity = q_.own_identity;
    }
    if (!q_.principal.empty() || chain_.tls) connection_.tls = &tls_;
    connection_.local = q_.destination;
    connection_.remote = q_.source;
    connection_.server_name = q_.server_name;
    record_.connection = &connection_;
    record_.remote = q_.source;
    record_.request = &q_.head;
    record_.start = config.loop().clock().Wall();
  }

  void operator()(const std::shared_ptr<const OutboundConfig>& outbound);
  void operator()(const std::shared_ptr<const InboundConfig>& inbound);
  void operator()(const std::shared_ptr<const HttpConfig>& http) { Http(*http, {}); }
  void operator()(const std::shared_ptr<const TcpConfig>& tcp) {
    Forward(chain_.sni_cluster ? q_.server_name : ChooseCluster(tcp->xds.clusters, q_.random));
  }

  Explanation Take() { return std::move(out_); }
  // What becomes of TLS that the client of a gateway begins. False when it cannot.
  bool AdmitTls();
  // False when one of them refuses the connection.
  bool Authorize(const NetworkRbacs& rules);

 private:
  ExplainStep& Step(std::string name, std::string text) {
    return out_.steps.emplace_back(ExplainStep{.name = std::move(name), .text = std::move(text)});
  }
  void Need(Missing::Kind kind, std::string name) { out_.missing = Missing{kind, std::move(name)}; }
  void Fail(std::string step, std::string text, Failure failure);
  void Refuse(std::string step, std::string text, std::string details);
  bool TellDestination(const cluster::Destination& destination, const cluster::ServicePtr& owner);
  std::string NamedText() const;
  void PassOn() { passed_ = {q_.server_name, q_.principal}; }
  void OutboundTcp(const OutboundConfig& outbound, const cluster::Destination& destination);
  bool Admit(const xds::InboundPort& port);
  void Http(const HttpConfig& http, const HttpRouting& routing);
  bool PrepareHead(const HttpConfig& http);
  void TellRoute(const route::RouteMatch& match, const std::string& table);
  bool RunFilters(const HttpConfig& http, const route::RouteMatch& match);
  void Forward(const std::string& cluster, const route::RouteMatch* match = nullptr);
  bool TellTransport(const cluster::Cluster& cluster, const cluster::Host& host, NextHop& next);

  const ConfigView& config_;
  const Chain& chain_;
  Question q_;
  std::optional<NextHop::Passed> passed_;
  io::TlsFacts tls_;
  record::ConnectionInfo connection_;
  record::StreamRecord record_;
  Explanation out_;
};

void Explainer::Fail(std::string step, std::string text, Failure failure) {
  Step(std::move(step), std::move(text)).passes = false;
  const FailureFacts& facts = FactsOf(failure);
  out_.status = q_.http ? facts.status : 0;
  out_.flag = record::ShortName(facts.flag);
  out_.details = DetailsOf(failure, {});
}

void Explainer::Refuse(std::string step, std::string text, std::string details) {
  Step(std::move(step), std::move(text)).passes = false;
  out_.details = std::move(details);
}

// False when there is no such destination. `owner`: the service of the address, whatever its ports; null: none.
bool Explainer::TellDestination(const cluster::Destination& destination, const cluster::ServicePtr& owner) {
  const std::string at = q_.destination.ToString();
  Destined& destined = out_.destined.emplace();
  destined.address = q_.destination;
  if (q_.resolves == Question::Resolves::kNothing) {
    Refuse(
        "destination",
        q_.name + " has no address: it is a name of the mesh that nothing has now (plait status shows what there is)",
        "no_address");
    return false;
  }
  if (q_.resolves == Question::Resolves::kElsewhere) {
    Step("destination", q_.name +
                            " is no name of the mesh; whether it has an address, DNS outside decides (getent hosts " +
                            q_.name + "). With one, the outbound policy decides")
        .known = false;
  } else if (destination.service) {
    destined.service = destination.service->hostname;
    Step("destination",
         at + " is service " + destined.service + WithoutPort(*destination.service, q_.destination.port.value));
  } else if (destination.workload) {
    destined.workload = destination.workload->name + "." + destination.workload->name_space;
    Step("destination", at + " is workload " + destined.workload);
  } else if (owner) {
    Step("destination", at + " is an address of service " + owner->hostname +
                            WithoutPort(*owner, q_.destination.port.value) + ": the outbound policy decides");
  } else {
    Step("destination", at + " is not in the mesh: the outbound policy decides");
  }
  return true;
}

void Explainer::operator()(const std::shared_ptr<const OutboundConfig>& outbound) {
  cluster::Destination destination{.known = true};
  if (q_.resolves == Question::Resolves::kHere) destination = config_.index().FindByAddress(q_.destination.ip);
  if (!destination.known && !config_.complete()) return Need(Missing::Kind::kDestination, q_.destination.ip.ToString());
  const cluster::ServicePtr owner = destination.service;
  destination = AtPort(std::move(destination), config_.index(), q_.destination);
  if (!TellDestination(destination, owner)) return;
  const std::uint16_t port = q_.destination.port.value;
  const xds::DeclaredProtocol declared = DeclaredProtocolOf(destination, config_.index(), port);
  if (declared == xds::DeclaredProtocol::kTls && q_.server_name.empty() && !io::IpAddress::Parse(q_.name)) {
    q_.server_name = ToLower(q_.name);
    q_.assumed_name = !q_.name.empty();
  }
  const bool own_tls = !q_.server_name.empty();
  const bool relayed = own_tls || declared == xds::DeclaredProtocol::kTcp || declared == xds::DeclaredProtocol::kTls;
  const std::string says = "port " + std::to_string(port) + " declares " + std::string(DeclaredName(declared));
  if (q_.http && !relayed) {
    Step("protocol", says + ", the request is HTTP");
    return Http(*outbound->http, OutboundHttpRouting(destination, config_.index(), port, outbound->xds));
  }
  Step("protocol",
       says + (own_tls ? ", the client begins TLS" + NamedText() : "") + ": the connection is relayed as it is");
  if (own_tls) PassOn();
  q_.http = false;
  OutboundTcp(*outbound, destination);
}

void Explainer::OutboundTcp(const OutboundConfig& outbound, const cluster::Destination& destination) {
  const auto routes = config_.L4Routes(std::to_string(q_.destination.port.value));
  if (!routes) return Need(Missing::Kind::kL4Routes, std::to_string(q_.destination.port.value));
  const TcpRoute route =
      OutboundTcpRoute(destination, config_.index(), routes->get(),
                       {.local = q_.destination, .server_name = q_.server_name, .random = q_.random}, outbound.xds);
  Step("route",
       (route.name.empty() ? "by the destination's address" : "TCP route " + route.name) + " to " + route.cluster);
  Forward(route.cluster);
}

// Mutual TLS, plaintext, or neither (semantics.md 5).
bool Explainer::Admit(const xds::InboundPort& port) {
  if (q_.unknown.principal) {
    Step("admission", "who the caller is, the one who asks does not know").known = false;
    return true;
  }
  const std::string mode =
      "port " + std::to_string(q_.destination.port.value) + " is " + std::string(ModeName(port.mode));
  if (q_.principal.empty() && (q_.tls || !q_.server_name.empty())) {
    if (JudgeClientHello(port, {}) == InboundVerdict::kTerminate) {
      Refuse("admission", mode + ", and the TLS that the caller begins is its own, without a certificate of the mesh",
             {});
      out_.steps.back().policy = port.strict_by;
      return false;
    }
  } else if (q_.principal.empty()) {
    if (JudgePlaintext(port) == InboundVerdict::kRefusePlaintext) {
      Refuse("admission", mode + ", and the caller does not speak mutual TLS", PlaintextRefusal(port));
      out_.steps.back().policy = port.strict_by;
      return false;
    }
    Step("admission", mode + ": plaintext is admitted, without a principal");
    return true;
  } else if (JudgeClientHello(port, {"istio"}) == InboundVerdict::kTerminate) {
    Step("admission", mode + ": mutual TLS, the caller is " + q_.principal);
    return true;
  }
  connection_.tls = nullptr;
  Step("admission", mode + ": TLS is passed on to the application as it is");
  if (!q_.principal.empty()) {
    out_.steps.back().known = false;
    out_.steps.back().text +=
        ". It is that of the mesh, which an application seldom speaks; with tls mode DISABLE in the "
        "DestinationRule, callers send plaintext";
  }
  q_.http = false;
  return true;
}

// " with server name a.example, which is the host that is asked for ...".
std::string Explainer::NamedText() const {
  if (q_.server_name.empty()) return " without a server name";
  return " with server name " + q_.server_name +
         (q_.assumed_name ? ", that of the host that is asked for (--sni says another)" : "");
}

bool Explainer::AdmitTls() {
  const std::string port = "port " + std::to_string(q_.destination.port.value);
  const bool known = !q_.principal.empty() || q_.unknown.principal;  // or one for whom it may be so
  const bool begun = q_.tls || !q_.server_name.empty() || (known && chain_.tls);
  if (!begun && chain_.tls) {
    Refuse("tls", port + " takes TLS only, and the client does not speak it", {});
    return false;
  }
  if (!begun) return true;
  if (!chain_.tls) {
    const bool passes = std::holds_alternative<std::shared_ptr<const TcpConfig>>(chain_.terminal);
    Step("tls", port + ": TLS" + NamedText() + (passes ? " is passed on as it is" : " is not spoken there"));
    out_.steps.back().passes = passes;
    if (passes) PassOn();
    if (passes) q_.http = false;
    return passes;
  }
  q_.head.scheme = "https";
  Step("tls", port + ": TLS" + NamedText() + " ends here");
  if (chain_.tls->require_client_certificate && q_.principal.empty() && !q_.unknown.principal) {
    out_.steps.back().known = false;
    out_.steps.back().text += "; the client must show a certificate, of which nothing is known here";
  }
  return true;
}

bool Explainer::Authorize(const NetworkRbacs& rules) {
  for (const auto& rule : rules) {
    filter::Forecast forecast = rule->Foresee(connection_, q_.unknown);
    ExplainStep& step = Step("authorization", !forecast.known   ? "depends on what is not known of the connection"
                                              : forecast.passes ? "the connection may pass"
                                                                : "the connection is closed");
    step.passes = forecast.passes;
    step.known = forecast.known;
    step.policy = std::move(forecast.rule);
    step.misses = std::move(forecast.misses);
    if (!forecast.note.empty()) step.text += "; " + forecast.note;
    if (forecast.passes) continue;
    out_.details = std::move(forecast.details);
    return false;
  }
  return true;
}

void Explainer::operator()(const std::shared_ptr<const InboundConfig>& inbound) {
  const xds::InboundPort& port = inbound->PortFor(q_.destination.port.value);
  if (!Admit(port)) return;
  if (port.declared == xds::DeclaredProtocol::kTcp) q_.http = false;
  if (!q_.http) {
    if (Authorize(inbound->rbac)) Forward(port.cluster);
    return;
  }
  HttpRouting routing;
  routing.table = InboundRoutes(*inbound, q_.destination.port.value);
  Http(*inbound->http, routing);
}

bool Explainer::PrepareHead(const HttpConfig& http) {
  const http::Headers given = q_.unknown.headers ? q_.head.headers : http::Headers();
  if (q_.head.authority.empty()) q_.head.authority = q_.destination.ToString();
  const EdgeResult edge = PrepareRequest(http.xds, {q_.source, connection_.tls}, q_.head);
  record_.remote.ip = edge.remote;
  record_.internal = edge.internal;
  if (q_.unknown.headers) {
    // Those that are made from others are as unknown as these; x-forwarded-for is made from itself and the connection.
    const auto forwarded = q_.head.headers.GetJoined("x-forwarded-for");
    q_.head.headers = given;
    if (given.Has("x-forwarded-for") && forwarded) q_.head.headers.Set("x-forwarded-for", *forwarded);
  }
  if (edge.verdict == EdgeVerdict::kContinue) return true;
  Fail("route", "the path " + q_.head.path + " is refused, or redirected to its normal form", Failure::kBadPath);
  return false;
}

void Explainer::TellRoute(const route::RouteMatch& match, const std::string& table) {
  const xds::Route& route = *match.route->config;
  std::string text = "configuration " + table + ", virtual host " + match.route->virtual_host->name + ", route " +
                     (route.name.empty() ? "without a name" : route.name);
  if (match.route->action != nullptr && !match.route->action->clusters.empty())
    text += ": to " + ClustersText(*match.route->action);
  if (match.route->timeout > Duration(0)) text += "; timeout " + FormatDuration(match.route->timeout);
  if (match.route->retry != nullptr) text += "; up to " + std::to_string(match.route->retry->num_retries) + " retries";
  Step("route", std::move(text)).object = route.istio_config;
}

bool Explainer::RunFilters(const HttpConfig& http, const route::RouteMatch& match) {
  Random random(q_.random);
  const filter::RequestView view{q_.head, record_, match.cluster, config_.loop(), random, q_.unknown};
  for (auto& [name, forecast] : filter::ForeseeAll(*http.filters, view, match.overrides())) {
    const bool rbac = !forecast.rule.empty() || !forecast.misses.empty() || forecast.details.starts_with("rbac_");
    ExplainStep& step = Step(rbac || !forecast.known ? "authorization" : "filter",
                             !forecast.known   ? "depends on what is not known of the request"
                             : forecast.passes ? "passes"
                                               : "refused");
    if (!forecast.note.empty()) step.text = forecast.note;
    step.passes = forecast.passes;
    step.known = forecast.known;
    step.policy = std::move(forecast.rule);
    step.misses = std::move(forecast.misses);
    if (forecast.passes) continue;
    out_.status = forecast.status;
    out_.details = std::move(forecast.details);
    return false;
  }
  return true;
}

void Explainer::Http(const HttpConfig& http, const HttpRouting& routing) {
  std::shared_ptr<const route::RouteTable> table = routing.table ? routing.table : http.routes;
  const std::string& name = http.rds_name.empty() ? routing.rds_name : http.rds_name;
  if (table == nullptr) {
    const auto found = config_.Routes(name);
    if (!found) return Need(Missing::Kind::kRoutes, name);
    table = *found;
  }
  if (!PrepareHead(http)) return;
  const route::MatchInput input{
      .random = q_.random, .forwarded_proto = q_.head.scheme, .external = !record_.internal, .peer = connection_.tls};
  const route::RouteMatch match = ChooseRoute(routing, table.get(), q_.head, input, MakeSingleRoute);
  if (match.route == nullptr && !match.requires_tls_redirect)
    return Fail("route",
                "no route of configuration " + name + " takes host " + q_.head.authority + ", path " + q_.head.path,
                Failure::kNoRoute);
  if (match.route != nullptr) TellRoute(match, match.table->config().name);
  if (!RunFilters(http, match)) return;
  if (match.requires_tls_redirect || match.route->redirect != nullptr) {
    const route::Redirect redirect = route::MakeRedirect(match, q_.head);
    out_.status = redirect.status;
    Step("answer", "redirected to " + redirect.location);
    return;
  }
  if (match.route->direct_response != nullptr) {
    out_.status = match.route->direct_response->status;
    out_.details = "direct_response";
    Step("answer", "answered here with " + std::to_string(out_.status));
    return;
  }
  if (match.route->action == nullptr) return Fail("route", "the route leads nowhere", Failure::kNoRoute);
  Forward(match.cluster, &match);
}

void Explainer::Forward(const std::string& name, const route::RouteMatch* match) {
  const auto found = config_.Cluster(name);
  if (!found) return Need(Missing::Kind::kCluster, name);
  if (*found == nullptr) return Fail("endpoint", "there is no cluster " + name, Failure::kNoCluster);
  const cluster::ClusterPtr& cluster = *found;
  if (match != nullptr) route::FinalizeRequest(*match, q_.head, record_, /*keep_originals=*/false);
  std::string identity;
  lb::PickContext pick = PickForDestination(config_.index(), *cluster->config, q_.destination, identity);
  if (match != nullptr) pick.hash = route::RequestHash(*match, q_.head, record_, nullptr);
  cluster::WorkerCluster balancer(cluster, q_.random);
  const cluster::Picked picked = balancer.Pick(pick);
  std::size_t all = 0;
  std::size_t usable = 0;
  for (const cluster::PriorityHosts& priority : cluster->priorities) {
    all += priority.all.size();
    usable += priority.usable.size();
  }
  const std::string health = " (" + std::to_string(usable) + " of " + std::to_string(all) + " healthy)";
  if (const std::string& rule = cluster->config->refused_by; !rule.empty()) {
    Fail("tls", "nothing is sent by cluster " + name + ": the rule asks for TLS that cannot be",
         Failure::kNoHealthyUpstream);
    out_.steps.back().policy = rule;
    out_.details = DetailsOf(Failure::kNoHealthyUpstream, rule);
    return;
  }
  if (picked.host == nullptr)
    return Fail("endpoint", "cluster " + name + " has no healthy endpoint" + health, Failure::kNoHealthyUpstream);
  NextHop next{.cluster = name, .address = picked.host->address(), .head = q_.head, .passed = passed_};
  if (upstream::IsToApplication(*cluster->config)) {
    Step("application", "the application on port " + std::to_string(q_.destination.port.value));
    out_.next = std::move(next);
    return;
  }
  const cluster::WorkloadPtr workload = config_.index().FindWorkload(next.address.ip);
  if (workload != nullptr) next.workload = workload->name + "." + workload->name_space;
  const std::string& named = picked.host->facts().hostname;
  const bool unknown = next.address.ip.is_unspecified() && !named.empty();
  if (unknown) {
    Step("endpoint", "cluster " + name + ", for example " + named + " port " + std::to_string(next.address.port.value) +
                         "; DNS, which is not asked here, decides whether it has an address (getent hosts " + named +
                         ")")
        .known = false;
  } else {
    // A cluster that goes where the client meant to go.
    const std::string example = next.address.ip.is_unspecified() && !q_.name.empty()
                                    ? "to the address of " + q_.name
                                    : "for example " + next.address.ToString();
    Step("endpoint", "cluster " + name + ", " + example + (next.workload.empty() ? "" : " " + next.workload) +
                         (all > 0 ? health : ""));
  }
  out_.steps.back().object = cluster->config->istio_config;
  if (TellTransport(*cluster, *picked.host, next)) out_.next = std::move(next);
}

// False when the server cannot be whom the rule expects.
bool Explainer::TellTransport(const cluster::Cluster& cluster, const cluster::Host& host, NextHop& next) {
  const xds::UpstreamTlsContext* tls = cluster.TlsFor(host);
  next.tls = tls != nullptr;
  if (tls == nullptr) {
    Step("tls", "plaintext");
    return true;
  }
  const std::string server_name = q_.http ? upstream::ServerNameOf(*cluster.config, next.head) : std::string();
  const upstream::TlsNames names =
      upstream::TlsNamesFor(*tls, {.cluster = cluster, .host = host, .server_name = server_name});
  next.mutual = ShowsIdentity(*tls);
  next.identity = host.facts().identity;
  next.server_name = ToLower(names.sni);
  const std::vector<std::string> servers = ServerNames(*tls, next.identity, names.expected);
  std::string text = next.mutual ? "mutual TLS"
                     : tls->common.certificates.empty()
                         ? "TLS without a certificate of the client"
                         : "TLS with a certificate of the rule, which is none of the mesh";
  text += ServerText(tls->common, servers);
  if (!names.sni.empty()) text += "; SNI " + names.sni;
  const cluster::WorkloadPtr workload = config_.index().FindWorkload(host.address().ip);
  // Behind a gateway to another network is somebody else.
  const bool is_itself = workload != nullptr && !host.facts().istio_workload.empty();
  const bool refused =
      next.mutual && next.identity.empty() && is_itself && IsNoneOf(*tls, servers, workload->Identity());
  if (refused)
    Fail("tls", text + "; " + next.workload + " is " + workload->Identity(), Failure::kConnectFailure);
  else
    Step("tls", std::move(text));
  out_.steps.back().object = cluster.config->istio_config;
  return !refused;
}

}  // namespace

Explanation ExplainChain(const ConfigView& config, const Chain& chain, Question question) {
  const bool gateway = std::holds_alternative<std::shared_ptr<const HttpConfig>>(chain.terminal) ||
                       std::holds_alternative<std::shared_ptr<const TcpConfig>>(chain.terminal);
  Explainer explainer(config, chain, std::move(question));
  if ((!gateway || explainer.AdmitTls()) && explainer.Authorize(chain.rbac)) std::visit(explainer, chain.terminal);
  return explainer.Take();
}

}  // namespace plait::proxy::session
