#include "cli/explain_capture.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/json_access.h"

namespace plait::cli {
namespace {

using Kind = Capture::Kind;

Party Sidecar(const char* annotation = "", const char* value = "") {
  Party party{.workload = "web-0.default", .ip = "10.244.0.2", .identity = {}, .proxy = "sidecar"};
  if (*annotation != 0) party.capture = {{std::string("traffic.sidecar.istio.io/") + annotation, value}};
  return party;
}
io::SocketAddress To(const char* text) { return io::SocketAddress::Parse(text).value(); }

Capture Out(const Party& from, bool loopback_mode, const char* to, bool own = false) {
  return CaptureOut(from, loopback_mode, To(to), own);
}
Capture In(const Party& server, std::uint16_t port, node::Dialler dialler = node::Dialler::kOther) {
  return CaptureIn(server, /*loopback_mode=*/false, Port{port}, dialler);
}

TEST(ExplainCapture, TakesWhatNoAnnotationLeavesOut) {
  const Capture out = Out(Sidecar(), false, "10.96.0.7:9080");
  EXPECT_EQ(out.kind, Kind::kTaken);
  EXPECT_EQ(out.text, "the connection to 10.96.0.7:9080 is taken to the proxy");
  EXPECT_EQ(In(Sidecar(), 9080).kind, Kind::kTaken);
}

TEST(ExplainCapture, NamesTheAnnotationThatLeavesItOut) {
  const Capture out = Out(Sidecar("excludeOutboundPorts", "9080"), false, "10.96.0.7:9080");
  EXPECT_EQ(out.kind, Kind::kPast);
  EXPECT_NE(out.text.find("port 9080 is one of traffic.sidecar.istio.io/excludeOutboundPorts"), std::string::npos);
  EXPECT_EQ(Out(Sidecar("excludeOutboundPorts", "9080"), false, "10.96.0.7:80").kind, Kind::kTaken);
  EXPECT_EQ(In(Sidecar("excludeInboundPorts", "9080"), 9080).kind, Kind::kPast);
}

TEST(ExplainCapture, LetsOnlyPortsDecideAboutANameWithoutAnAddress) {
  EXPECT_EQ(Out(Sidecar("includeOutboundIPRanges", "10.0.0.0/8"), false, "0.0.0.0:80").kind, Kind::kTaken);
  EXPECT_EQ(Out(Sidecar("excludeOutboundPorts", "80"), false, "0.0.0.0:80").kind, Kind::kPast);
}

TEST(ExplainCapture, KnowsThatGatewaysAndLoopbackCaptureNothing) {
  Party gateway = Sidecar("excludeOutboundPorts", "80");
  gateway.proxy = "gateway";
  EXPECT_NE(Out(gateway, false, "10.0.0.1:80").text.find("a gateway"), std::string::npos);
  const Capture loopback = Out(Sidecar("excludeOutboundPorts", "80"), true, "10.0.0.1:80");
  EXPECT_EQ(loopback.kind, Kind::kTaken) << "the proxy's own listeners are what is dialled";
  EXPECT_NE(loopback.text.find("${plait.addr.NAME}"), std::string::npos);
}

TEST(ExplainCapture, SaysThatAWorkloadWithUnreadableAnnotationsCannotStart) {
  const Capture out = Out(Sidecar("excludeOutboundPorts", "http"), false, "10.0.0.1:80");
  EXPECT_EQ(out.kind, Kind::kNoRules);
  EXPECT_NE(out.text.find("\"http\" is not a port"), std::string::npos);
}

TEST(ExplainCapture, TakesWhatIsForPort53ToTheDnsOfTheProxyWhereverItIsFor) {
  for (const Party& from : {Sidecar(), Sidecar("excludeOutboundPorts", "53")}) {
    const Capture out = Out(from, false, "10.96.0.7:53");
    EXPECT_EQ(out.kind, Kind::kDns);
    EXPECT_EQ(out.text, "the connection to 10.96.0.7:53 is taken to the DNS of the proxy, as each to port 53");
    EXPECT_EQ(CaptureStep(out)["passes"], true);
    EXPECT_EQ(Out(from, false, "0.0.0.0:53").kind, Kind::kDns) << "of a name without an address";
  }
  EXPECT_EQ(Out(Sidecar(), true, "10.96.0.7:53").kind, Kind::kTaken) << "nothing is captured in mode loopback";
  EXPECT_EQ(In(Sidecar(), 53).kind, Kind::kTaken) << "from another workload";
}

TEST(ExplainCapture, RefusesWhatIsForAPortThatCaptureLeadsTo) {
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{15001, 15006}) {
    const Capture in = In(Sidecar("excludeInboundPorts", "15006"), port);
    EXPECT_EQ(in.kind, Kind::kRefused) << port;
    EXPECT_EQ(CaptureStep(in)["passes"], false);
    EXPECT_NE(in.text.find("ask for a port of the application"), std::string::npos) << in.text;
  }
  EXPECT_EQ(Out(Sidecar(), false, "10.244.0.2:15006", /*own=*/true).kind, Kind::kRefused);
  EXPECT_EQ(Out(Sidecar(), false, "10.244.0.3:15006").kind, Kind::kTaken) << "of another workload";

  const auto verdict = [](const Arrival& at) { return NotTaken(Kind::kRefused, at)["verdict"]; };
  const Json http = verdict({.port = Port{15006}, .by_proxy = true, .tls = true});
  EXPECT_EQ(http, Json({{"forwarded", false}, {"status", 503}, {"flag", "UF"}, {"details", "capture_port"}}));
  const Json tcp = verdict({.port = Port{15006}, .by_proxy = true, .tls = true, .tcp = true});
  EXPECT_EQ(tcp, Json({{"forwarded", false}, {"flag", "UF"}, {"details", "capture_port"}}));
  const Json direct = verdict({.port = Port{15006}});
  EXPECT_EQ(direct, Json({{"forwarded", false}, {"result", "no connection"}, {"details", "capture_port"}}));
}

TEST(ExplainCapture, LeavesTheProxyWhatItServesItself) {
  const Capture in = In(Sidecar(), 15021);
  EXPECT_EQ(in.kind, Kind::kOwnPort);
  EXPECT_EQ(in.text, "what arrives at port 15021 is not captured: the proxy itself listens there");
  EXPECT_EQ(In(Sidecar(), 15021, node::Dialler::kOwnProxy).kind, Kind::kTaken);
  const Json plaintext = NotTaken(in.kind, {.port = Port{15021}});
  EXPECT_EQ(plaintext["verdict"]["forwarded"], true);
  EXPECT_TRUE(Text(plaintext["steps"][0], {"text"}).starts_with("the proxy itself on port 15021, in plaintext"));
  const Json tls = NotTaken(in.kind, {.port = Port{15021}, .by_proxy = true, .tls = true});
  EXPECT_EQ(tls["verdict"]["status"], 503);
  EXPECT_NE(Text(tls["steps"][0], {"text"}).find("excludeOutboundPorts"), std::string::npos);
}

TEST(ExplainCapture, LetsAWorkloadsOwnProxyInWhateverIsExcluded) {
  const Party server = Sidecar("excludeInboundPorts", "80");
  EXPECT_EQ(In(server, 80, node::Dialler::kOwnProxy).kind, Kind::kTaken);
  EXPECT_EQ(In(Sidecar(), 80, node::Dialler::kItself).kind, Kind::kPast);
}

TEST(ExplainCapture, ClosesAConnectionWhoseMutualTlsNobodyEndsAndAnswersARequest) {
  const Json http = NotTaken(Kind::kPast, {.port = Port{80}, .by_proxy = true, .tls = true});
  EXPECT_EQ(http["verdict"]["status"], 503);
  const Json tcp = NotTaken(Kind::kPast, {.port = Port{80}, .by_proxy = true, .tls = true, .tcp = true});
  EXPECT_FALSE(tcp["verdict"].contains("status"));
  EXPECT_EQ(NotTaken(Kind::kPast, {.port = Port{80}})["verdict"]["forwarded"], true);
}

TEST(ExplainCapture, GivesAnApplicationTheTlsThatIsMeantForIt) {
  const Json past = NotTaken(Kind::kPast, {.port = Port{80}, .by_proxy = true, .own_tls = true});
  EXPECT_EQ(past["verdict"]["forwarded"], true);
  EXPECT_NE(Text(past["steps"][0], {"text"}).find("in the TLS of the caller's proxy"), std::string::npos);
  const Json own = NotTaken(Kind::kOwnPort, {.port = Port{15021}, .by_proxy = true, .own_tls = true});
  EXPECT_EQ(own["verdict"]["forwarded"], false) << "the proxy speaks none there";
  const Party bare{.workload = "bare-0.default", .proxy = "none"};
  const auto application = [&](const Arrival& at) { return ToBareWorkload(bare, at)["steps"][0]["passes"]; };
  EXPECT_EQ(application({.port = Port{80}, .by_proxy = true, .own_tls = true}), true);
  EXPECT_EQ(application({.port = Port{80}, .by_proxy = true, .tls = true}), nullptr) << "that of the mesh";
}

TEST(ExplainCapture, LetsTheCallersProxyAnswerTheRequestWhoseConnectionIsClosed) {
  const auto verdict = [](const Arrival& at, Json said) {
    Json answer = AnswerOf("admission", said["forwarded"], "STRICT", said);
    AnswerOfCallersProxy(at, answer);
    return answer["verdict"];
  };
  const Json closed = {{"forwarded", false}, {"status", 0}, {"flag", ""}, {"details", "why"}};
  EXPECT_EQ(verdict({.by_proxy = true}, closed),
            Json({{"forwarded", false}, {"status", 503}, {"flag", "UC"}, {"details", "why"}}));
  EXPECT_EQ(verdict({.by_proxy = true, .own_tls = true}, closed)["flag"], "") << "it may be the client that refuses";
  EXPECT_EQ(verdict({.by_proxy = true, .tcp = true}, closed), closed);
  EXPECT_EQ(verdict({}, closed), closed) << "nobody answers for it";
  const Json denied = {{"forwarded", false}, {"status", 403}};
  EXPECT_EQ(verdict({.by_proxy = true}, denied), denied);
  const Json forwarded = {{"forwarded", true}, {"status", 0}};
  EXPECT_EQ(verdict({.by_proxy = true}, forwarded), forwarded);
}

}  // namespace
}  // namespace plait::cli
