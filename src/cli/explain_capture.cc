#include "cli/explain_capture.h"

#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "node/capture_rules.h"

namespace plait::cli {
namespace {

Capture Ruling(const std::string& what, const std::string& why_not) {
  if (why_not.empty()) return {Capture::Kind::kTaken, what + " is taken to the proxy"};
  return {Capture::Kind::kPast, what + " goes past the proxy: " + why_not};
}

Capture NoRules(const Diagnostic& problem) {
  return {Capture::Kind::kNoRules, "the workload cannot start: " + problem.ToString()};
}

}  // namespace

Capture CaptureOut(const Party& from, bool loopback_mode, const io::SocketAddress& to) {
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
  return Ruling("the connection to " + (known ? to.ToString() : "port " + std::to_string(to.port.value)),
                node::WhyNotCapturedOut(*rules, to));
}

Capture CaptureIn(const Party& server, bool loopback_mode, Port port) {
  if (server.proxy == "gateway") return {Capture::Kind::kTaken, "a gateway: its proxy listens itself"};
  if (loopback_mode)
    return {Capture::Kind::kTaken, "nothing is captured in mode loopback: the proxy listens at the workload's address"};
  const Outcome<node::CaptureRules> rules = node::RulesFromAnnotations(server.capture);
  if (!rules) return NoRules(rules.error());
  return Ruling("what arrives at port " + std::to_string(port.value), node::WhyNotCapturedIn(*rules, port));
}

Json CaptureStep(const Capture& capture) {
  return {{"step", "capture"}, {"passes", capture.kind != Capture::Kind::kNoRules}, {"text", capture.text}};
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
          : at + " is an address of service " + service + ", which only the proxy leads to an endpoint";
  return NoConnection("connection", why, "past_the_proxy");
}

Json PastServer(bool tls, Port port) {
  const std::string application = "the application on port " + std::to_string(port.value);
  if (!tls)
    return AnswerOf("application", true, application + ", in plaintext; no policy of the mesh is asked",
                    {{"forwarded", true}});
  return AnswerOf("application", false,
                  application + " gets the mutual TLS of the caller's proxy, which is for a proxy; let the server's " +
                      "proxy have the port, or turn TLS off for it (DestinationRule, tls mode DISABLE)",
                  {{"forwarded", false}, {"status", 503}, {"flag", "UF"}, {"details", "no_mutual_tls_past_the_proxy"}});
}

}  // namespace plait::cli
