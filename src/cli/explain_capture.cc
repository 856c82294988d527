#include "cli/explain_capture.h"

#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/proxy_ports.h"

namespace plait::cli {
namespace {

Capture Said(const std::string& what, const node::Ruling& ruling) {
  using enum Capture::Kind;
  using Ruled = node::Ruling::Kind;
  switch (ruling.kind) {
    case Ruled::kToProxy: return {kTaken, what + " is taken to the proxy"};
    case Ruled::kToDns:
      return {kDns, what + " is taken to the DNS of the proxy, as each to port " +
                        std::to_string(proxy_ports::kDnsQuestions.value)};
    case Ruled::kToOwnPort: return {kOwnPort, what + " is not captured: the proxy itself listens there"};
    case Ruled::kPast: return {kPast, what + " goes past the proxy: " + ruling.why};
    case Ruled::kRefused: break;
  }
  return {kRefused, what + " is refused: the port is where capture leads to, and nobody connects to it by its own " +
                        "number; ask for a port of the application (of a Service, that is its targetPort)"};
}

Capture NoRules(const Diagnostic& problem) {
  return {Capture::Kind::kNoRules, "the workload cannot start: " + problem.ToString()};
}

}  // namespace

Capture CaptureOut(const Party& from, bool loopback_mode, const io::SocketAddress& to, bool own) {
  if (from.proxy == "gateway") return {Capture::Kind::kTaken, "a gateway: clients connect to its proxy itself"};
  if (loopback_mode)
    return {Capture::Kind::kTaken,
            "nothing is captured in mode loopback: this is what comes of ${plait.addr.NAME}, where the proxy listens"};
  Outcome<node::CaptureRules> rules = node::RulesFromAnnotations(from.capture);
  if (!rules) return NoRules(rules.error());
  const bool known = !to.ip.is_unspecified();
  if (!known) {
    rules->exclude_outbound_ranges.clear();
    rules->limit_outbound_ranges = false;
  }
  return Said("the connection to " + (known ? to.ToString() : "port " + std::to_string(to.port.value)),
              node::RulingOut(*rules, to, own));
}

Capture CaptureIn(const Party& server, bool loopback_mode, Port port, node::Dialler dialler) {
  if (server.proxy == "gateway") return {Capture::Kind::kTaken, "a gateway: its proxy listens itself"};
  if (loopback_mode)
    return {Capture::Kind::kTaken, "nothing is captured in mode loopback: the proxy listens at the workload's address"};
  const Outcome<node::CaptureRules> rules = node::RulesFromAnnotations(server.capture);
  if (!rules) return NoRules(rules.error());
  return Said("what arrives at port " + std::to_string(port.value), node::RulingIn(*rules, port, dialler));
}

Json CaptureStep(const Capture& capture) {
  using enum Capture::Kind;
  const bool passes = capture.kind != kNoRules && capture.kind != kRefused;
  return {{"step", "capture"}, {"passes", passes}, {"text", capture.text}};
}

Json AnswerOf(const char* step, Json passes, std::string text, Json verdict) {
  return {{"steps", {{{"step", step}, {"passes", std::move(passes)}, {"text", std::move(text)}}}},
          {"verdict", std::move(verdict)}};
}

Json NoConnection(const char* step, std::string text, const char* details) {
  return AnswerOf(step, false, std::move(text),
                  {{"forwarded", false}, {"result", "no connection"}, {"details", details}});
}

Json NoAnswer() { return {{"steps", Json::array()}, {"verdict", {{"forwarded", false}}}}; }

void PutFirst(const Capture& capture, Json& answer) {
  if (Json& steps = answer["steps"]; steps.is_array()) steps.insert(steps.begin(), CaptureStep(capture));
}

Json PastCaller(const Json& destination) {
  const std::string service = Text(destination, {"service"});
  const std::string at = Text(destination, {"address"});
  const std::string why =
      service.empty()
          ? "only the proxies lead out of the mesh: without one nothing answers" + (at.empty() ? "" : " at " + at)
          : at + " is an address of service " + service + ", and it has no endpoint that could be called there";
  return NoConnection("connection", why, "past_the_proxy");
}

Json LedByService(const Json& destination, const Json& endpoint) {
  return {{"step", "endpoint"},
          {"passes", true},
          {"text", "the rules of the workload's network lead it to one of the endpoints of service " +
                       Text(destination, {"service"}) + ", in plaintext: here " + Text(endpoint, {"workload"})}};
}

Json UnreachedVerdict(bool accepted, bool tcp, const char* details) {
  if (!accepted) return {{"forwarded", false}, {"result", "no connection"}, {"details", details}};
  Json verdict = {{"forwarded", false}};
  if (!tcp) verdict["status"] = 503;
  verdict["flag"] = "UF";
  verdict["details"] = details;
  return verdict;
}

Json NotTaken(Capture::Kind kind, const Arrival& at) {
  if (kind == Capture::Kind::kRefused)
    return {{"steps", Json::array()}, {"verdict", UnreachedVerdict(at.by_proxy, at.tcp, "capture_port")}};
  const bool own = kind == Capture::Kind::kOwnPort;
  const std::string who =
      (own ? "the proxy itself on port " : "the application on port ") + std::to_string(at.port.value);
  if (!at.tls && !(own && at.own_tls))
    return AnswerOf("application", true,
                    who + ", in " + (at.own_tls ? "the TLS of the caller's proxy" : "plaintext") +
                        "; no policy of the mesh is asked",
                    {{"forwarded", true}});
  const std::string what = who + " gets the " + (at.tls ? "mutual " : "") + "TLS of the caller's proxy";
  const char* next =
      own ? ", which it does not speak there; ask it past that proxy (excludeOutboundPorts of the caller) "
            "or in its own workload (plait exec)"
          : ", which is for a proxy; let the server's proxy have the port, or turn TLS off for it "
            "(DestinationRule, tls mode DISABLE)";
  return AnswerOf("application", false, what + next,
                  UnreachedVerdict(/*accepted=*/true, at.tcp, "no_mutual_tls_past_the_proxy"));
}

Json ToBareWorkload(const Party& server, const Arrival& at) {
  const std::string who = server.workload + " has no proxy";
  if (!at.tls) return AnswerOf("application", true, who + ": it takes whatever comes", {{"forwarded", true}});
  return AnswerOf("application", nullptr,
                  who +
                      ", and an application seldom speaks the mesh's mutual TLS, which the caller's proxy begins; with "
                      "tls mode DISABLE in the DestinationRule it sends plaintext",
                  {{"forwarded", true}});
}

void AnswerOfCallersProxy(const Arrival& at, Json& answer) {
  Json& verdict = answer["verdict"];
  const bool closed = At(verdict, "forwarded") == false && !verdict.contains("result") &&
                      (!verdict.contains("status") || verdict["status"] == 0);
  if (!closed || !at.by_proxy || at.tcp) return;
  verdict["status"] = 503;
  // Of TLS for the application, it may be the client that refuses the certificate of the server's proxy.
  verdict["flag"] = at.own_tls ? "" : "UC";
  if (Json& steps = answer["steps"]; steps.is_array() && !steps.empty())
    steps.back()["text"] = Text(steps.back(), {"text"}) + "; for that, the proxy of the caller answers 503";
}

}  // namespace plait::cli
