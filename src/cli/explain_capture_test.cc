#include "cli/explain_capture.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

using Kind = Capture::Kind;

Party Sidecar(const char* annotation = "", const char* value = "") {
  Party party{.workload = "web-0.default", .ip = "10.244.0.2", .identity = {}, .proxy = "sidecar"};
  if (*annotation != 0) party.capture = {{std::string("traffic.sidecar.istio.io/") + annotation, value}};
  return party;
}
io::SocketAddress To(const char* text) { return io::SocketAddress::Parse(text).value(); }

TEST(ExplainCapture, TakesWhatNoAnnotationLeavesOut) {
  const Capture out = CaptureOut(Sidecar(), false, To("10.96.0.7:9080"));
  EXPECT_EQ(out.kind, Kind::kTaken);
  EXPECT_EQ(out.text, "the connection to 10.96.0.7:9080 is taken to the proxy");
  EXPECT_EQ(CaptureIn(Sidecar(), false, Port{9080}).kind, Kind::kTaken);
}

TEST(ExplainCapture, NamesTheAnnotationThatLeavesItOut) {
  const Capture out = CaptureOut(Sidecar("excludeOutboundPorts", "9080"), false, To("10.96.0.7:9080"));
  EXPECT_EQ(out.kind, Kind::kPast);
  EXPECT_NE(out.text.find("port 9080 is one of traffic.sidecar.istio.io/excludeOutboundPorts"), std::string::npos);
  EXPECT_EQ(CaptureOut(Sidecar("excludeOutboundPorts", "9080"), false, To("10.96.0.7:80")).kind, Kind::kTaken);
  EXPECT_EQ(CaptureIn(Sidecar("excludeInboundPorts", "9080"), false, Port{9080}).kind, Kind::kPast);
}

TEST(ExplainCapture, LetsOnlyPortsDecideAboutANameWithoutAnAddress) {
  EXPECT_EQ(CaptureOut(Sidecar("includeOutboundIPRanges", "10.0.0.0/8"), false, To("0.0.0.0:80")).kind, Kind::kTaken);
  EXPECT_EQ(CaptureOut(Sidecar("excludeOutboundPorts", "80"), false, To("0.0.0.0:80")).kind, Kind::kPast);
}

TEST(ExplainCapture, KnowsThatGatewaysAndLoopbackCaptureNothing) {
  Party gateway = Sidecar("excludeOutboundPorts", "80");
  gateway.proxy = "gateway";
  EXPECT_NE(CaptureOut(gateway, false, To("10.0.0.1:80")).text.find("a gateway"), std::string::npos);
  const Capture loopback = CaptureOut(Sidecar("excludeOutboundPorts", "80"), true, To("10.0.0.1:80"));
  EXPECT_EQ(loopback.kind, Kind::kTaken) << "the proxy's own listeners are what is dialled";
  EXPECT_NE(loopback.text.find("${plait.addr.NAME}"), std::string::npos);
}

TEST(ExplainCapture, SaysThatAWorkloadWithUnreadableAnnotationsCannotStart) {
  const Capture out = CaptureOut(Sidecar("excludeOutboundPorts", "http"), false, To("10.0.0.1:80"));
  EXPECT_EQ(out.kind, Kind::kNoRules);
  EXPECT_NE(out.text.find("\"http\" is not a port"), std::string::npos);
}

}  // namespace
}  // namespace plait::cli
