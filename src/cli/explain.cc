// plait explain FROM TO [METHOD] [URL]: what would become of a request, step by step, as capture and the proxies of
// both sides decide it. Live, or for a directory that nobody runs.
#include <nlohmann/json.hpp>

#include "cli/explain_application.h"
#include "cli/explain_request.h"
#include "cli/explain_source.h"
#include "cli/fetch.h"
#include "cli/json_access.h"
#include "cli/verbs.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

struct ExplainVerb {
  std::string from, directory;
  ExplainWords words;
};

constexpr std::size_t kMostHops = 8;  // sides that are asked: a gateway may lead to a gateway

std::uint16_t PortIn(const Json& place) {
  const Json& port = At(place, "port");
  return port.is_number_unsigned() && port <= 65535 ? port.get<std::uint16_t>() : std::uint16_t{0};
}

// Whether the proxy of the caller shows who it is.
bool IsMutual(const Json& next) { return At(next, "tls") == true && At(next, "mutual") == true; }

// The same request as it arrives: with what the client's proxy has changed of it.
std::string InboundQuery(bool tcp, const Party& from, const Json& next) {
  std::string query = "direction=inbound&port=" + Text(next, {"port"}) + "&source=" + PercentEncode(from.ip);
  const bool tls = At(next, "tls") == true;
  const Json& passed = At(next, "passed");  // TLS that goes on as it came
  const std::string principal = IsMutual(next) ? from.identity : tls ? "" : Text(passed, {"principal"});
  const std::string sni = tls ? Text(next, {"sni"}) : Text(passed, {"sni"});
  if (tls || passed.is_object()) query += "&tls";
  if (!principal.empty()) query += "&principal=" + PercentEncode(principal);
  if (!sni.empty()) query += "&sni=" + PercentEncode(sni);
  const Json& request = At(next, "request");
  const bool inside = tls && passed.is_object();  // who ends the outer TLS cannot read what is in the inner one
  if (tcp || inside || !request.is_object()) return query + "&tcp";
  query += "&method=" + PercentEncode(Text(request, {"method"})) + "&path=" + PercentEncode(Text(request, {"path"})) +
           "&host=" + PercentEncode(Text(request, {"host"}));
  for (const Json& header : At(request, "headers"))
    if (header.is_array() && header.size() == 2)
      query += "&header=" + PercentEncode(Text(header[0]) + ": " + Text(header[1]));
  return query;
}

// Of mode loopback: the other addresses of 127.0.0.0/8 are those of workloads.
bool IsHostsOwn(const io::IpAddress& ip) { return !ip.is_v4() || ip.v4() == 0x7f000001; }

// In place of what an Envoy does not say: nobody knows what its policies make of the request.
Json NotAsked(const Party& server) {
  return AnswerOf("authorization", nullptr, "its proxy is an Envoy, which does not explain; " + server.silent,
                  {{"forwarded", true}});
}

// Follows the request from side to side; what was found is in `found()`.
class Walk {
 public:
  Walk(ExplainSource& source, ExplainRequest request) : source_(source), request_(std::move(request)) {}

  Outcome<> From(const std::string& workload);
  Explained found() && {
    found_.problems = Data(source_.Problems());
    return std::move(found_);
  }

 private:
  void Add(const Party& party, Json answer) { found_.hops.push_back({party.workload, Data(std::move(answer))}); }
  Outcome<> ToItself(const Party& from, const io::IpAddress& loopback);
  Outcome<Json> AskCaller(const Party& from);
  Outcome<> PastProxy(const Party& from, const Capture& capture, const Json& sent);
  Outcome<Json> AskForEndpoint(const Party& from);
  // Where the proxy of `from` sends it: of its answer.
  Outcome<> GoOn(const Party& from, const Json& next, bool by_service);
  // `by_service`: a service led there.
  Outcome<> Arrive(const Party& from, const Party& server, const Arrival& at, bool by_service,
                   const std::string& query);

  ExplainSource& source_;
  ExplainRequest request_;
  Explained found_;
};

Outcome<> Walk::From(const std::string& workload) {
  const Outcome<Party> from = source_.Find(workload);
  if (!from) return std::unexpected(from.error());
  if (!from->has_proxy())
    return Explain(Errc::kNotFound,
                   from->workload + " has no proxy: its connections go where they are sent, in plaintext",
                   "ask from a workload that is in the mesh");
  const std::optional<io::IpAddress> loopback = OwnLoopback(request_.to);
  if (loopback && from->proxy != "gateway" && (!source_.InLoopbackMode() || IsHostsOwn(*loopback)))
    return ToItself(*from, *loopback);
  if (!from->silent.empty())
    return Explain(Errc::kUnavailable, "the proxy of " + from->workload + " is an Envoy, which does not explain",
                   from->silent);
  Outcome<Json> sent = AskCaller(*from);
  if (!sent) return std::unexpected(sent.error());
  const Json& destination = At(*sent, "destination");
  const std::string address = Text(destination, {"address"});
  const io::SocketAddress to{.ip = io::IpAddress::Parse(address).value_or(io::IpAddress()),
                             .port = Port{PortIn(destination)},
                             .unix_path = {}};
  const bool own = Text(destination, {"workload"}) == from->workload;
  const Capture capture = CaptureOut(*from, source_.InLoopbackMode(), to, own);
  // A name without an address: there is no connection that could be captured.
  const bool no_address = address.empty() && Text(*sent, {"verdict", "details"}) == "no_address";
  if (!no_address && capture.kind != Capture::Kind::kTaken) return PastProxy(*from, capture, *sent);
  if (!no_address) PutFirst(capture, *sent);
  const Json next = At(*sent, "next");
  // A gateway has no destination: a host leads to a service.
  const bool by_service = Text(destination, {"workload"}).empty();
  Add(*from, *std::move(sent));
  return GoOn(*from, next, by_service);
}

Outcome<> Walk::GoOn(const Party& from, const Json& next, bool by_service) {
  if (const std::string name = Text(next, {"workload"}); !name.empty()) {
    const Outcome<Party> server = source_.Find(name);
    if (!server) return std::unexpected(server.error());
    if (found_.hops.size() == kMostHops) {
      Add(*server, AnswerOf("endpoint", nullptr, "gateways have passed it on so often that it may go round for ever",
                            {{"forwarded", true}}));
      return {};
    }
    const Arrival at{.port = Port{PortIn(next)},
                     .by_proxy = true,
                     .tls = IsMutual(next) || !Text(next, {"passed", "principal"}).empty(),
                     .own_tls = At(next, "tls") == true && !IsMutual(next),
                     .tcp = request_.tcp || At(next, "passed").is_object()};
    return Arrive(from, *server, at, by_service, InboundQuery(request_.tcp, from, next));
  }
  const std::string outside = Text(next, {"address"});
  if (next.is_object()) found_.note = (outside.empty() ? request_.to : outside) + " is outside the mesh";
  return {};
}

Outcome<> Walk::ToItself(const Party& from, const io::IpAddress& loopback) {
  const Ports ports = source_.PortsOf(from);
  const Outcome<Port> port = request_.port != 0 ? Port{request_.port} : DefaultPort(from, ports);
  if (!port) return std::unexpected(port.error());
  const io::SocketAddress to{.ip = loopback, .port = *port, .unix_path = {}};
  Add(from, source_.InLoopbackMode() ? ToHostLoopback(to) : ToOwnLoopback(from, ports, to, request_.tcp));
  return {};
}

// What the caller's proxy does. A proxy does not know which ports a workload declares, so where TO is one and has no
// port, it is asked again with that.
Outcome<Json> Walk::AskCaller(const Party& from) {
  Outcome<Json> sent = source_.Ask(from, OutboundQuery(request_));
  const std::string workload = sent ? Text(*sent, {"destination", "workload"}) : "";
  if (request_.port != 0 || workload.empty()) return sent;
  const Outcome<Party> server = source_.Find(workload);
  if (!server) return std::unexpected(server.error());
  const Outcome<Port> port = DefaultPort(*server, source_.PortsOf(*server));
  if (!port) return std::unexpected(port.error());
  request_.port = port->value;
  return source_.Ask(from, OutboundQuery(request_));
}

// To the address itself, in plaintext, or not even there.
Outcome<> Walk::PastProxy(const Party& from, const Capture& capture, const Json& sent) {
  if (capture.kind != Capture::Kind::kPast) {
    Json answer = capture.kind == Capture::Kind::kDns       ? ToDns(request_.tcp, /*own=*/false)
                  : capture.kind == Capture::Kind::kRefused ? NotTaken(capture.kind, {})
                                                            : NoAnswer();
    PutFirst(capture, answer);
    Add(from, std::move(answer));
    return {};
  }
  Json destination = At(sent, "destination");
  std::string workload = Text(destination, {"workload"});
  Json steps = Json::array({CaptureStep(capture)});
  for (const Json& step : At(sent, "steps"))
    if (Text(step, {"step"}) == "destination") {
      steps.push_back(step);
      break;
    }
  const bool by_service = workload.empty() && !Text(destination, {"service"}).empty();
  if (by_service) {
    const Outcome<Json> led = AskForEndpoint(from);
    if (!led) return std::unexpected(led.error());
    workload = Text(*led, {"workload"});
    if (!workload.empty()) {
      steps.push_back(LedByService(destination, *led));
      destination = *led;
    }
  }
  Json answer = workload.empty() ? PastCaller(destination) : Json::object();
  for (const Json& step : At(answer, "steps")) steps.push_back(step);
  answer["steps"] = std::move(steps);
  Add(from, std::move(answer));
  if (workload.empty()) return {};
  const Outcome<Party> server = source_.Find(workload);
  if (!server) return std::unexpected(server.error());
  const std::uint16_t port = PortIn(destination);
  return Arrive(from, *server, {.port = Port{port}, .tcp = request_.tcp || !request_.sni.empty()}, by_service,
                PlaintextQuery(request_, port, from.ip));
}

// Whom the address of a service leads to where no route of HTTP is asked: {"workload", "port"}; null: nobody.
Outcome<Json> Walk::AskForEndpoint(const Party& from) {
  ExplainRequest connection = request_;
  connection.tcp = true;
  connection.sni.clear();
  const Outcome<Json> sent = source_.Ask(from, OutboundQuery(connection));
  return sent ? Outcome<Json>(At(*sent, "next")) : std::unexpected(sent.error());
}

Outcome<> Walk::Arrive(const Party& from, const Party& server, const Arrival& at, bool by_service,
                       const std::string& query) {
  Json answer;
  Capture capture{.kind = Capture::Kind::kPast, .text = {}};
  if (!server.has_proxy()) {
    answer = ToBareWorkload(server, at);
  } else {
    const node::Dialler dialler = from.workload != server.workload ? node::Dialler::kOther
                                  : at.by_proxy                    ? node::Dialler::kOwnProxy
                                                                   : node::Dialler::kItself;
    capture = CaptureIn(server, source_.InLoopbackMode(), at.port, dialler);
    if (capture.kind == Capture::Kind::kTaken && !server.silent.empty()) {
      answer = NotAsked(server);
    } else if (capture.kind == Capture::Kind::kTaken) {
      Outcome<Json> arrived = source_.Ask(server, query);
      if (!arrived) return std::unexpected(arrived.error());
      answer = *std::move(arrived);
    } else if (capture.kind == Capture::Kind::kNoRules) {
      answer = NoAnswer();
    } else {
      answer = NotTaken(capture.kind, at);
    }
    PutFirst(capture, answer);
  }
  const Ports ports = source_.PortsOf(server);
  const bool accepted = at.by_proxy || capture.kind == Capture::Kind::kTaken;
  const bool decided = capture.kind == Capture::Kind::kOwnPort ||
                       (!source_.InLoopbackMode() && DecideProxyPort(server, ports, at, accepted, answer));
  if (!decided) DoubtApplication(server, ports, at.port, by_service, answer);
  if (capture.kind == Capture::Kind::kTaken) AnswerOfCallersProxy(at, answer);
  const Json next = At(answer, "next");
  Add(server, std::move(answer));
  // Behind a gateway it goes on; a sidecar's `next` is the application.
  return server.proxy == "gateway" ? GoOn(server, next, /*by_service=*/true) : Outcome<>();
}

int ExplainTo(const MeshOptions& mesh, const ExplainVerb& verb) {
  Outcome<ExplainRequest> request = ReadExplainRequest(verb.words);
  if (!request) return Report(request.error());
  Outcome<std::unique_ptr<ExplainSource>> source =
      verb.directory.empty() ? LiveSource(mesh, ShellWords(verb.from, verb.words)) : DirectorySource(verb.directory);
  if (!source) return Report(source.error());
  Walk walk(**source, *std::move(request));
  if (const Outcome<> walked = walk.From(verb.from); !walked) {
    const Json& problems = (*source)->Problems();
    for (const std::string& problem : ProblemTexts(problems)) Warn(problem);
    const int code = Report(walked.error());
    return HasErrors(problems) ? kBadFile : code;  // what was asked for may stand in that file
  }
  const Outcome<Positions> positions = (*source)->ObjectPositions();
  Output output = ExplainOutput(std::move(walk).found(), positions.value_or(Positions()));
  if (!positions) output.warnings.push_back("the places of policies are not known: " + positions.error().ToString());
  return Show(mesh.format, output);
}

constexpr const char* kDetails =
    "The proxies of both sides answer, with the code and the configuration that serve real requests: "
    "capture, where the destination leads, the route, the endpoint, mutual TLS, authorization. Nothing is "
    "sent. The exit code is 1 when the request would be refused, or when that depends on what nobody here knows: "
    "a name of DNS outside of the mesh, or who listens at a port that no container declares or in a pod that is "
    "not ready. With -f the programs do the same for a directory that nobody runs: its "
    "workloads count as running and ready; when a file of it has an error, that is told and the exit code "
    "is 4.";

}  // namespace

Command ExplainCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<ExplainVerb>();
  return {
      .name = "explain",
      .summary = "what would become of a request, step by step, and who decides it",
      .details = kDetails,
      .examples = {{"explain productpage-v1 reviews GET /reviews/0", "which version, and may it?"},
                   {"explain reviews-v1 details:9080 /details/0 -H 'end-user: jason'", "with a header"},
                   {"explain productpage-v1 https://api.example.com", "by routes that match its server name"},
                   {"explain -f samples/bookinfo productpage-v1 details", "before anything runs"}},
      .options = {{.names = "from",
                   .value = "FROM",
                   .help = "the workload that asks: pod or deployment",
                   .to = &verb->from,
                   .required = true,
                   .offers = Offers::kWorkloads},
                  {.names = "to",
                   .value = "TO",
                   .help = "service, workload, address or host, with :PORT where it has several, or a URL (https: with "
                           "TLS of the caller's own); of a gateway: the host that is asked for",
                   .to = &verb->words.to,
                   .required = true,
                   .offers = Offers::kDestinations},
                  {.names = "method",
                   .value = "METHOD",
                   .help = "of the request",
                   .to = &verb->words.method,
                   .standard = "GET"},
                  {.names = "url",
                   .value = "URL",
                   .help = "a path, or http[s]://HOST:PORT/PATH",
                   .to = &verb->words.url,
                   .standard = "/"},
                  {.names = "-H,--header",
                   .value = "NAME:VALUE",
                   .help = "of the request; Host is the host that it asks for; may be given more than once",
                   .to = &verb->words.headers},
                  {.names = "--sni",
                   .value = "NAME",
                   .help = "server name of TLS that the caller begins itself; without it: the host of https://, and "
                           "where the port declares TLS, or the gateway takes nothing else, that of TO",
                   .to = &verb->words.sni},
                  {.names = "--tcp", .help = "a connection that is no HTTP", .to = &verb->words.tcp},
                  {.names = "-f,--directory",
                   .value = "DIR",
                   .help = "of YAML, instead of a running mesh",
                   .to = &verb->directory,
                   .offers = Offers::kFolders},
                  {.names = "--random",
                   .value = "N",
                   .help = "decides among weighted destinations and endpoints",
                   .to = &verb->words.random,
                   .standard = "0",
                   .range = {0, 1'000'000'000}}},
      .run = [&mesh, verb] { return ExplainTo(mesh, *verb); }};
}

}  // namespace plait::cli
