#include "proxy/worker/explain.h"

#include <utility>

#include "core/base/strings.h"
#include "proxy/admin/json.h"
#include "proxy/dns/lookup.h"
#include "proxy/worker/name_service.h"

namespace plait::proxy::worker {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);
constexpr int kMostTries = 16;  // of one explanation: each fetches one resource

bool IsGateway(const xds::Node& node) { return node.id.starts_with("router~"); }

struct Target {
  std::optional<io::IpAddress> ip;  // nullopt: the name has none here
  bool ours = false;                // the name is one of the mesh, never asked for elsewhere
  cluster::ServicePtr service;
};

// As the workload's resolver finds it: the first name of its search list that has an address.
Target FindName(const ExplainScene& scene, const std::string& name) {
  const NodePlace place = PlaceOf(scene.node);
  for (const std::string& full : dns::SearchList(ToLower(name), place.name_space, place.domain)) {
    const dns::Followed found = dns::Follow(scene.names, full);
    if (found.end == dns::Followed::End::kOutside) return {};
    if (!found.answer.addresses.empty()) return {.ip = found.answer.addresses.front(), .ours = true, .service = {}};
  }
  return {.ip = {}, .ours = true, .service = {}};
}

// An address, a name as the workload's DNS knows it, or a workload NAME[.NAMESPACE].
Target FindTarget(const ExplainScene& scene, const session::ConfigView& view, const std::string& to) {
  Target target;
  if (const auto ip = io::IpAddress::Parse(to)) {
    target.ip = *ip;
  } else {
    target = FindName(scene, to);
  }
  if (!target.ip) {
    const auto [name, ns] = SplitOnce(to, '.');
    const std::string name_space(ns ? *ns : std::string_view(PlaceOf(scene.node).name_space));
    const cluster::WorkloadPtr workload = view.index().FindWorkloadNamed(name, name_space);
    if (workload != nullptr && !workload->addresses.empty()) target.ip = workload->addresses.front();
  }
  if (target.ip) target.service = view.index().FindByAddress(*target.ip).service;
  return target;
}

// The service's only port, else its first one that declares HTTP.
Outcome<std::uint16_t> PortOf(const admin::ExplainQuery& query, const Target& target) {
  if (query.port != 0) return query.port;
  if (target.service == nullptr || target.service->ports.empty()) return 80;
  const std::vector<xds::ServicePort>& ports = target.service->ports;
  if (ports.size() == 1) return ports.front().port.service_port;
  std::string known;
  for (const xds::ServicePort& port : ports) {
    if (port.declared == xds::DeclaredProtocol::kHttp) return port.port.service_port;
    known += (known.empty() ? "" : ", ") + std::to_string(port.port.service_port);
  }
  return Explain(Errc::kInvalidInput, target.service->hostname + " has several ports: " + known, "name one of them");
}

Outcome<session::Question> QuestionOf(const ExplainScene& scene, const session::ConfigView& view,
                                      const admin::ExplainQuery& query) {
  session::Question question{.http = !query.tcp, .random = query.random};
  const NodePlace place = PlaceOf(scene.node);
  const io::IpAddress own = io::IpAddress::Parse(place.ip).value_or(io::IpAddress());
  question.source.ip = own;
  if (IsGateway(scene.node)) {
    // What a client sends to the gateway: `to` is the host it asks for.
    const Port first =
        scene.listeners.empty() ? Port{} : scene.listeners.front()->config->addresses.front().address.port;
    question.destination = {.ip = own, .port = query.port == 0 ? first : Port{query.port}, .unix_path = {}};
  } else if (query.inbound) {
    question.destination = {.ip = own, .port = Port{query.port}, .unix_path = {}};
  } else {
    const Target target = FindTarget(scene, view, query.to);
    const Outcome<std::uint16_t> port = PortOf(query, target);
    if (!port) return std::unexpected(port.error());
    using Resolves = session::Question::Resolves;
    question.name = query.to;
    question.resolves = target.ip ? Resolves::kHere : target.ours ? Resolves::kNothing : Resolves::kElsewhere;
    question.destination = {.ip = target.ip.value_or(io::IpAddress()), .port = Port{*port}, .unix_path = {}};
  }
  if (!query.source.empty()) {
    const auto source = io::IpAddress::Parse(query.source);
    if (!source) return Explain(Errc::kInvalidInput, "source=" + query.source + " is no IP address");
    question.source.ip = *source;
  }
  question.principal = query.principal;
  question.server_name = ToLower(query.sni);
  question.tls = query.tls || !query.sni.empty();
  question.unknown = {
      .headers = query.unknown.headers, .principal = query.unknown.principal, .direct_ip = query.unknown.direct_ip};
  question.head.method = query.method;
  question.head.path = query.path;
  question.head.scheme = "http";
  question.head.version = http::Version::kHttp11;
  const std::uint16_t port = question.destination.port.value;
  question.head.authority = !query.host.empty()                          ? query.host
                            : IsGateway(scene.node) && !query.to.empty() ? query.to
                            : query.to.empty()                           ? question.destination.ToString()
                                               : query.to + (port == 80 ? "" : ":" + std::to_string(port));
  for (const auto& [name, value] : query.headers) question.head.headers.Add(name, value);
  return question;
}

struct ChosenChain {
  std::string listener;
  session::ChainPtr chain;   // null: the listener of the port has none for the question
  std::string server_names;  // then: those that it has chains for
};

std::string Listed(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// What the client's TLS offers: that of the mesh's proxies is told apart by it (chains for other networks).
std::vector<std::string_view> ProtocolsOf(const session::Question& question) {
  if (question.principal.empty()) return {"http/1.1"};
  return {"istio-http/1.1", "istio", "istio-h2"};
}

// The Plait form of the direction; else the listener of the port, and the chain that its rules choose.
Outcome<ChosenChain> ChooseChain(const std::vector<listen::ListenerPtr>& listeners, const session::Question& question,
                                 bool inbound) {
  const auto is_form = [&](const session::ChainPtr& chain) {
    if (chain == nullptr) return false;
    return inbound ? std::holds_alternative<std::shared_ptr<const session::InboundConfig>>(chain->terminal)
                   : std::holds_alternative<std::shared_ptr<const session::OutboundConfig>>(chain->terminal);
  };
  for (const listen::ListenerPtr& listener : listeners) {
    if (is_form(listener->default_chain)) return ChosenChain{listener->name(), listener->default_chain};
    for (const session::ChainPtr& chain : listener->chains)
      if (is_form(chain)) return ChosenChain{listener->name(), chain};
  }
  std::set<std::uint16_t> ports;  // one stands at an address of each family
  std::optional<ChosenChain> without;
  for (const listen::ListenerPtr& listener : listeners) {
    for (const xds::ListenerAddress& at : listener->config->addresses) {
      ports.insert(at.address.port.value);
      if (at.address.port != question.destination.port) continue;
      const listen::ConnectionFacts facts{.destination = question.destination,
                                          .source = question.source,
                                          .server_name = question.server_name,
                                          .transport_protocol = question.tls ? "tls" : "raw_buffer",
                                          .application_protocols = ProtocolsOf(question)};
      const auto index = listener->matcher.Match(facts);
      session::ChainPtr chain = index ? listener->chains[*index] : listener->default_chain;
      if (chain != nullptr) return ChosenChain{listener->name(), std::move(chain), {}};
      std::set<std::string> names;
      for (const xds::FilterChain& one : listener->config->filter_chains)
        names.insert(one.match.server_names.begin(), one.match.server_names.end());
      without = ChosenChain{listener->name(), nullptr, Listed(names)};
    }
  }
  if (without) return *std::move(without);
  std::set<std::string> known;
  for (const std::uint16_t port : ports) known.insert(std::to_string(port));
  return Explain(Errc::kNotFound, "no listener takes port " + std::to_string(question.destination.port.value),
                 ports.empty() ? "this proxy has no listener" : "it listens on " + Listed(known));
}

// As ChooseChain; of a gateway's port that takes TLS only, the client is taken to begin it for the host that it asks
// for.
Outcome<ChosenChain> ChooseGatewayChain(const ExplainScene& scene, const admin::ExplainQuery& query,
                                        session::Question& question) {
  Outcome<ChosenChain> plain = ChooseChain(scene.listeners, question, query.inbound);
  if (!plain || !IsGateway(scene.node) || query.inbound || question.tls) return plain;
  if (plain->chain != nullptr && !plain->chain->tls) return plain;
  question.tls = true;
  if (!io::IpAddress::Parse(query.to)) question.server_name = ToLower(query.to);
  question.assumed_name = !question.server_name.empty();
  return ChooseChain(scene.listeners, question, query.inbound);
}

// Why the connection is closed before anything is asked of it; nullopt: it is not.
std::optional<session::Explanation> Closed(const ExplainScene& scene, const ChosenChain& chosen,
                                           const session::Question& question) {
  const std::string port = "port " + std::to_string(question.destination.port.value);
  session::Explanation out;
  if (chosen.chain == nullptr) {
    const std::string what = !question.tls                  ? "connection without TLS"
                             : question.server_name.empty() ? "TLS without a server name"
                                                            : "TLS with server name " + question.server_name;
    out.steps.push_back({.name = "tls",
                         .passes = false,
                         .text = port + " takes no " + what +
                                 (chosen.server_names.empty() ? "" : "; it takes TLS for " + chosen.server_names)});
    out.flag = "NR";
    out.details = "filter_chain_not_found";
    return out;
  }
  for (const std::string& name : session::NeededSecrets(*chosen.chain)) {
    constexpr std::string_view kOfKubernetes = "kubernetes://";
    if (!name.starts_with(kOfKubernetes) || scene.has_secret(name)) continue;
    out.steps.push_back({.name = "tls",
                         .passes = false,
                         .text = port + " ends TLS with the Secret " + name.substr(kOfKubernetes.size()) +
                                 ", which this gateway does not have: it must stand in the gateway's namespace and "
                                 "have what the mode of the server's tls needs"});
    out.details = "no_certificate_yet";
    return out;
  }
  return std::nullopt;
}

std::string_view ReasonName(filter::Forecast::Miss::Reason reason) {
  using Reason = filter::Forecast::Miss::Reason;
  switch (reason) {
    case Reason::kUnknown: return "unknown";
    case Reason::kNoRule: return "no_rule";
    case Reason::kOnlyHttp: return "only_http";
    case Reason::kDiffers: break;
  }
  return "differs";
}

void WriteStep(const session::ExplainStep& step, admin::Json& out) {
  out.Open('{').Key("step").Text(step.name).Key("passes");
  if (step.known)
    out.Bool(step.passes);
  else
    out.Null();
  out.Key("text").Text(step.text);
  if (!step.object.empty()) out.Key("object").Text(step.object);
  if (!step.policy.empty()) out.Key("policy").Text(step.policy);
  if (!step.misses.empty()) {
    out.Key("misses").Open('[');
    for (const filter::Forecast::Miss& miss : step.misses)
      out.Open('{')
          .Key("policy")
          .Text(miss.rule)
          .Key("reason")
          .Text(ReasonName(miss.reason))
          .Key("field")
          .Text(miss.field)
          .Key("wants")
          .Text(miss.wants)
          .Key("has")
          .Text(miss.has)
          .Close('}');
    out.Close(']');
  }
  out.Close('}');
}

void WriteNext(const session::NextHop& next, bool http, admin::Json& out) {
  out.Key("next").Open('{').Key("cluster").Text(next.cluster);
  out.Key("address")
      .Text(next.address.ip.is_unspecified() ? "" : next.address.ip.ToString())
      .Key("port")
      .Number(next.address.port.value);
  out.Key("workload").Text(next.workload).Key("tls").Bool(next.tls).Key("mutual").Bool(next.mutual);
  out.Key("identity").Text(next.identity);
  out.Key("sni").Text(next.server_name);
  if (next.passed)
    out.Key("passed")
        .Open('{')
        .Key("sni")
        .Text(next.passed->server_name)
        .Key("principal")
        .Text(next.passed->principal)
        .Close('}');
  if (http) {
    out.Key("request").Open('{').Key("method").Text(next.head.method).Key("path").Text(next.head.path);
    out.Key("host").Text(next.head.authority).Key("headers").Open('[');
    for (const http::HeaderView field : next.head.headers) out.Open('[').Text(field.name).Text(field.value).Close(']');
    out.Close(']').Close('}');
  }
  out.Close('}');
}

void WriteDestined(const session::Destined& destined, admin::Json& out) {
  out.Key("destination").Open('{').Key("address");
  out.Text(destined.address.ip.is_unspecified() ? "" : destined.address.ip.ToString());
  out.Key("port").Number(destined.address.port.value);
  out.Key("service").Text(destined.service).Key("workload").Text(destined.workload).Close('}');
}

}  // namespace

Outcome<ExplainAnswer> TryExplain(const ExplainScene& scene, const session::ConfigView& view,
                                  const admin::ExplainQuery& query) {
  Outcome<session::Question> question = QuestionOf(scene, view, query);
  if (!question) return std::unexpected(question.error());
  const Outcome<ChosenChain> chosen = ChooseGatewayChain(scene, query, *question);
  if (!chosen) return std::unexpected(chosen.error());
  if (std::optional<session::Explanation> closed = Closed(scene, *chosen, *question))
    return ExplainAnswer{.listener = chosen->listener, .explanation = *std::move(closed)};
  return ExplainAnswer{.listener = chosen->listener,
                       .explanation = session::ExplainChain(view, *chosen->chain, *std::move(question))};
}

std::string ExplainJson(const ExplainAnswer& answer, const admin::ExplainQuery& query) {
  const session::Explanation& explanation = answer.explanation;
  admin::Json out;
  out.Open('{').Key("direction").Text(query.inbound ? "inbound" : "outbound");
  out.Key("listener").Text(answer.listener).Key("steps").Open('[');
  for (const session::ExplainStep& step : explanation.steps) WriteStep(step, out);
  out.Close(']');
  if (explanation.destined) WriteDestined(*explanation.destined, out);
  out.Key("verdict").Open('{').Key("forwarded").Bool(explanation.next.has_value());
  out.Key("status").Number(explanation.status).Key("flag").Text(explanation.flag);
  out.Key("details").Text(explanation.details).Close('}');
  if (explanation.next) WriteNext(*explanation.next, !query.tcp, out);
  return out.Close('}').Take();
}

LiveExplanation::LiveExplanation(ConfigStore& store, ExplainScene scene, admin::ExplainQuery query, Done done)
    : store_(store), scene_(std::move(scene)), query_(std::move(query)), done_(std::move(done)) {
  waiting_ = store_.loop().After(Duration(0), [this] { Try(); });
}

void LiveExplanation::Try() {
  Outcome<ExplainAnswer> answer = TryExplain(scene_, *this, query_);
  if (!answer) return Finish(std::unexpected(answer.error()));
  if (!answer->explanation.missing) return Finish(ExplainJson(*answer, query_));
  const session::Missing& missing = *answer->explanation.missing;
  if (++tries_ > kMostTries)
    return Finish(Explain(Errc::kTimedOut, "the configuration keeps changing: " + missing.name, "ask again"));
  Await(missing);
}

void LiveExplanation::Await(const session::Missing& missing) {
  using Kind = session::Missing::Kind;
  if (missing.kind == Kind::kDestination) {
    waiting_ =
        store_.NeedDestination(*io::IpAddress::Parse(missing.name), kPatience,
                               [this, name = missing.name](Result<cluster::Destination> found) {
                                 if (found && found->known) return Try();
                                 Finish(Explain(Errc::kTimedOut, "the control plane does not say what " + name + " is",
                                                "plait ps shows whether this proxy is in sync"));
                               });
    return;
  }
  const auto kind = missing.kind == Kind::kRoutes     ? MainDemands::Kind::kRoutes
                    : missing.kind == Kind::kL4Routes ? MainDemands::Kind::kL4Routes
                                                      : MainDemands::Kind::kCluster;
  waiting_ = store_.Need(kind, missing.name, kPatience, [this, name = missing.name](bool there) {
    if (!there) absent_.insert(name);
    Try();
  });
}

void LiveExplanation::Finish(Outcome<std::string> answer) { std::exchange(done_, nullptr)(std::move(answer)); }

std::optional<std::shared_ptr<const route::RouteTable>> LiveExplanation::Routes(const std::string& name) const {
  const auto found = store_.FindRoutes(name);
  return found || !absent_.contains(name) ? found : std::shared_ptr<const route::RouteTable>();
}

std::optional<std::shared_ptr<const xds::L4Routes>> LiveExplanation::L4Routes(const std::string& name) const {
  const auto found = store_.FindL4Routes(name);
  return found || !absent_.contains(name) ? found : std::shared_ptr<const xds::L4Routes>();
}

std::optional<cluster::ClusterPtr> LiveExplanation::Cluster(const std::string& name) const {
  cluster::ClusterPtr found = store_.clusters().Find(name);
  if (found != nullptr || absent_.contains(name)) return found;
  return std::nullopt;
}

}  // namespace plait::proxy::worker
