#include "cli/explain_application.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/json_access.h"

namespace plait::cli {
namespace {

Party Pod(const char* unready = "") {
  return {.workload = "web-0.default", .ip = "10.244.0.2", .identity = {}, .proxy = "sidecar", .unready = unready};
}
Ports Declared(std::vector<std::uint16_t> ports) { return ports; }
io::SocketAddress To(const char* text) { return io::SocketAddress::Parse(text).value(); }
Json Reached() {
  return Json::parse(R"({"steps":[{"step":"admission","passes":true,"text":"let in"},
{"step":"application","passes":true,"text":"the application on port 80"}],"verdict":{"forwarded":true}})");
}
const Json& Last(const Json& answer) { return At(answer, "steps").back(); }

TEST(ExplainApplication, ReadsThePortsThatAPodDeclaresFromItsProxysBootstrap) {
  const Ports ports = PortsOfBootstrap(Json::parse(
      R"({"configs":[{"bootstrap":{"node":{"metadata":{"POD_PORTS":
"[{\"name\":\"\",\"containerPort\":9080,\"protocol\":\"TCP\"},{\"containerPort\":99999},{\"containerPort\":\"x\"},3]"}}}}]})"));
  EXPECT_EQ(ports, Declared({9080}));
  const Ports none =
      PortsOfBootstrap(Json::parse(R"({"configs":[3,{"bootstrap":{"node":{"metadata":{"POD_PORTS":"[]"}}}}]})"));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty()) << "none is declared";
  for (const char* text : {"{}", "[]", R"({"configs":[{"bootstrap":{"node":{"metadata":{"POD_PORTS":"{"}}}}]})"})
    EXPECT_FALSE(PortsOfBootstrap(Json::parse(text))) << text;
}

TEST(ExplainApplication, AsksForTheOnlyPortWhereNoneIsGiven) {
  EXPECT_EQ(DefaultPort(Pod(), Declared({9080})), Port{9080});
  EXPECT_EQ(DefaultPort(Pod(), Declared({})), Port{80});
  EXPECT_EQ(DefaultPort(Pod(), std::nullopt), Port{80});
  const auto several = DefaultPort(Pod(), Declared({9080, 9090}));
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, Errc::kInvalidInput);
  EXPECT_EQ(several.error().message, "web-0.default has several ports: 9080, 9090");
}

TEST(ExplainApplication, IsNotSureOfAPortThatNobodyDeclares) {
  Json answer = Reached();
  DoubtApplication(Pod(), Declared({9080}), Port{80}, /*by_service=*/false, answer);
  EXPECT_TRUE(Last(answer)["passes"].is_null());
  EXPECT_EQ(Text(Last(answer), {"text"}),
            "the application on port 80; no container of web-0.default declares port 80 (there is 9080), so perhaps "
            "nobody listens there: ask with :9080 behind TO");
  EXPECT_EQ(answer["steps"][0]["passes"], true) << "the other steps stay as they are";
  Json by_service = Reached();
  DoubtApplication(Pod(), Declared({9080}), Port{80}, /*by_service=*/true, by_service);
  EXPECT_NE(Text(Last(by_service), {"text"}).find("compare the Service's targetPort"), std::string::npos);
  Json nothing = Reached();
  DoubtApplication(Pod(), Declared({}), Port{80}, /*by_service=*/false, nothing);
  EXPECT_NE(Text(Last(nothing), {"text"}).find("declare it as containerPort"), std::string::npos);
}

TEST(ExplainApplication, HasNoDoubtWhereThePortIsDeclaredOrAServiceLeadsThereOrNobodyKnows) {
  const auto same = [](const Ports& ports, bool by_service) {
    Json answer = Reached();
    DoubtApplication(Pod(), ports, Port{80}, by_service, answer);
    return answer == Reached();
  };
  EXPECT_TRUE(same(Declared({9080, 80}), false));
  EXPECT_TRUE(same(Declared({}), true));
  EXPECT_TRUE(same(std::nullopt, false));
}

TEST(ExplainApplication, SaysWhyAPodThatIsNotReadyMayNotAnswer) {
  Json answer = Reached();
  DoubtApplication(Pod("is not ready (app: exit code 1)"), Declared({80}), Port{80}, true, answer);
  EXPECT_TRUE(Last(answer)["passes"].is_null());
  EXPECT_EQ(Text(Last(answer), {"text"}), "the application on port 80; web-0.default is not ready (app: exit code 1)");
  Json refused = Json::parse(R"({"steps":[{"step":"authorization","passes":false}],"verdict":{"forwarded":false}})");
  const Json before = refused;
  DoubtApplication(Pod("is not ready"), std::nullopt, Port{80}, true, refused);
  EXPECT_EQ(refused, before) << "it does not come as far as the application";
  for (const char* text : {"{}", "[]", R"({"steps":3})", R"({"steps":[1]})"}) {
    Json odd = Json::parse(text);
    EXPECT_NO_THROW(DoubtApplication(Pod("is not ready"), std::nullopt, Port{80}, true, odd)) << text;
  }
}

TEST(ExplainApplication, KnowsTheWaysToNameOnesOwnLoopback) {
  EXPECT_EQ(OwnLoopback("127.0.0.1"), io::IpAddress::Parse("127.0.0.1").value());
  EXPECT_EQ(OwnLoopback("127.3.4.5"), io::IpAddress::Parse("127.3.4.5").value());
  EXPECT_EQ(OwnLoopback("::1"), io::IpAddress::Parse("::1").value());
  EXPECT_EQ(OwnLoopback("LocalHost"), io::IpAddress::Parse("127.0.0.1").value());
  for (const char* other : {"10.0.0.1", "localhost.example", "fd00::1", "reviews"})
    EXPECT_FALSE(OwnLoopback(other)) << other;
}

TEST(ExplainApplication, IsReachedAtOnesOwnLoopbackPastTheProxy) {
  for (const char* at : {"127.0.0.1:9080", "[::1]:9080"}) {
    const Json answer = ToOwnLoopback(Pod(), Declared({9080}), To(at), false);
    ASSERT_EQ(answer["steps"].size(), 2u) << at;
    EXPECT_NE(Text(answer["steps"][0], {"text"}).find("goes past the proxy"), std::string::npos);
    EXPECT_NE(Text(Last(answer), {"text"}).find("web-0.default's own application on port 9080"), std::string::npos);
    EXPECT_EQ(Last(answer)["passes"], true);
    EXPECT_EQ(answer["verdict"]["forwarded"], true);
  }
  const Json undeclared = ToOwnLoopback(Pod(), Declared({9080}), To("127.0.0.1:80"), false);
  EXPECT_TRUE(Last(undeclared)["passes"].is_null());
  EXPECT_EQ(ToOwnLoopback(Pod(), Declared({9080}), To("127.0.0.1:15000"), false)["verdict"]["forwarded"], true)
      << "the proxy's admin port";
}

TEST(ExplainApplication, KnowsWhatOfOnesOwnLoopbackIsCapturedOrRefused) {
  for (const char* port : {"127.0.0.1:15001", "[::1]:15006"}) {
    const Json refused = ToOwnLoopback(Pod(), Declared({9080}), To(port), false);
    EXPECT_EQ(refused["verdict"]["forwarded"], false) << port;
    EXPECT_EQ(refused["verdict"]["result"], "no connection");
  }
  const Json http = ToOwnLoopback(Pod(), Declared({53}), To("127.0.0.53:53"), false);
  EXPECT_TRUE(
      Text(http["steps"][0], {"text"}).starts_with("the connection to 127.0.0.53:53 is taken to the DNS of the"));
  EXPECT_EQ(http["verdict"]["forwarded"], false);
  EXPECT_EQ(ToOwnLoopback(Pod(), Declared({53}), To("127.0.0.53:53"), true)["verdict"]["forwarded"], true);
}

TEST(ExplainApplication, IsNotReachedAtPort53OfAnother) {
  const Json http = ToDns(/*tcp=*/false, /*own=*/false);
  EXPECT_EQ(Last(http)["passes"], false);
  EXPECT_EQ(http["verdict"]["result"], "no answer");
  const Json tcp = ToDns(/*tcp=*/true, /*own=*/false);
  EXPECT_EQ(tcp["verdict"]["forwarded"], false);
  EXPECT_EQ(tcp["verdict"]["result"], "answered by the DNS of the proxy");
  EXPECT_NE(Text(Last(tcp), {"text"}).find("let the server have another port than 53"), std::string::npos);
}

TEST(ExplainApplication, IsNobodyAtAPortThatTheProxyHasAtItsLoopbackOnly) {
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{15000, 15053}) {
    Json answer = Reached();
    EXPECT_TRUE(DecideProxyPort(Pod(), Declared({80}), {.port = Port{port}}, /*accepted=*/true, answer));
    EXPECT_EQ(Last(answer)["passes"], false) << port;
    EXPECT_NE(Text(Last(answer), {"text"}).find("plait exec web-0.default -- COMMAND"), std::string::npos);
    EXPECT_EQ(answer["verdict"]["status"], 503) << "its own proxy, or the caller's, says so";
    Json direct = Reached();
    EXPECT_TRUE(DecideProxyPort(Pod(), std::nullopt, {.port = Port{port}}, /*accepted=*/false, direct));
    EXPECT_EQ(direct["verdict"]["result"], "no connection");
  }
  Json declared = Reached();
  EXPECT_FALSE(DecideProxyPort(Pod(), Declared({15000}), {.port = Port{15000}}, true, declared));
  EXPECT_EQ(declared, Reached()) << "an application may listen at the address of the pod";
  EXPECT_FALSE(DecideProxyPort(Pod(), Declared({80}), {.port = Port{80}}, true, declared));
  Party plain = Pod();
  plain.proxy = "none";
  EXPECT_FALSE(DecideProxyPort(plain, Declared({80}), {.port = Port{15000}}, true, declared));
}

TEST(ExplainApplication, IsTheProxyAtItsOpenPorts) {
  Json answer = Reached();
  EXPECT_TRUE(DecideProxyPort(Pod(), Declared({80}), {.port = Port{15021}}, /*accepted=*/true, answer));
  EXPECT_EQ(Text(Last(answer), {"text"}), "port 15021 is its proxy's own");
  EXPECT_EQ(answer["verdict"]["forwarded"], true);
  for (const char* text : {"{}", R"({"steps":3})", R"({"steps":[1]})"}) {
    Json odd = Json::parse(text);
    EXPECT_TRUE(DecideProxyPort(Pod(), Declared({80}), {.port = Port{15000}}, true, odd)) << text;
  }
}

TEST(ExplainApplication, IsUnknownAtTheHostsLoopbackInModeLoopback) {
  const Json answer = ToHostLoopback(To("127.0.0.1:80"));
  EXPECT_TRUE(Last(answer)["passes"].is_null());
  EXPECT_NE(Text(Last(answer), {"text"}).find("on this host"), std::string::npos);
}

}  // namespace
}  // namespace plait::cli
