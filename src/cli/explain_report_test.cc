#include "cli/explain_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

std::shared_ptr<const Json> Sent() {
  return Data(Json::parse(R"({"steps":[
{"step":"route","passes":true,"text":"to reviews","object":"/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews"}],
"verdict":{"forwarded":true,"status":0,"flag":"","details":""},"next":{"address":"10.244.0.5","port":9080}})"));
}
std::shared_ptr<const Json> Denied() {
  return Data(Json::parse(R"({"steps":[
{"step":"authorization","passes":false,"text":"refused","misses":[{"policy":"ns[default]-policy[viewer]-rule[0]","field":"principal",
 "wants":"spiffe://a","has":"spiffe://b"}]}],
"verdict":{"forwarded":false,"status":403,"flag":"","details":"rbac_access_denied_matched_policy[none]"}})"));
}
const Positions kPositions = {{"VirtualService default/reviews", "routes.yaml:3"},
                              {"AuthorizationPolicy default/viewer", "policies.yaml:7"}};

TEST(ExplainReport, NamesTheObjectThatDecidedAndWhereItStands) {
  const Output output = ExplainOutput({.hops = {{"web-0.default", Sent()}}}, kPositions);
  EXPECT_EQ(output.code, kDone);
  EXPECT_NE(output.text.find("to reviews, by VirtualService default/reviews (routes.yaml:3)"), std::string::npos)
      << output.text;
  EXPECT_NE(output.text.find("result: forwarded"), std::string::npos);
  EXPECT_EQ(output.names, std::vector<std::string>{"verdict/forwarded"});
}

TEST(ExplainReport, TellsADenialWithTheFirstFieldThatDiffersAndSaysNo) {
  const Output output =
      ExplainOutput({.hops = {{"web-0.default", Sent()}, {"reviews-0.default", Denied()}}}, kPositions);
  EXPECT_EQ(output.code, kNo);
  EXPECT_NE(
      output.text.find("AuthorizationPolicy default/viewer (policies.yaml:7) rule[0]: principal must be spiffe://a, "
                       "but is spiffe://b"),
      std::string::npos)
      << output.text;
  EXPECT_NE(output.text.find("result: 403 rbac_access_denied_matched_policy[none]"), std::string::npos);
  EXPECT_EQ((*output.data)["steps"].size(), 2u);
  EXPECT_EQ((*output.data)["forwarded"], false);
}

TEST(ExplainReport, NamesTheObjectOfAPortThatIsStrictBecauseItIsInvalid) {
  const auto refused = Data(Json::parse(R"({"steps":[
{"step":"admission","passes":false,"text":"port 80 is STRICT","policy":"invalid_policy[a/b]-kind[PeerAuthentication]"}],
"verdict":{"forwarded":false,"status":0,"details":"plaintext_refused_by_strict_mutual_tls{invalid_policy[a/b]-kind[PeerAuthentication]}"}})"));
  const Output output =
      ExplainOutput({.hops = {{"web-0.a", refused}}}, {{"PeerAuthentication a/b", "policies.yaml:9"}});
  EXPECT_EQ(output.code, kNo);
  EXPECT_NE(output.text.find("port 80 is STRICT, by PeerAuthentication a/b (policies.yaml:9) (invalid: STRICT)"),
            std::string::npos)
      << output.text;
}

TEST(ExplainReport, TakesAnswersOfAnyShape) {
  for (const char* text : {"{}", "[]", R"({"steps":3})", R"({"steps":[1,{"misses":7}],"verdict":[]})"})
    EXPECT_EQ(ExplainOutput({.hops = {{"a", Data(Json::parse(text))}}}, {}).code, kNo) << text;
}

TEST(ExplainReport, IsNotSureWhereAStepIsUnknown) {
  const auto sent = Data(Json::parse(
      R"({"steps":[{"step":"destination","passes":null,"text":"DNS decides"}],"verdict":{"forwarded":true}})"));
  const Output output = ExplainOutput({.hops = {{"web-0.default", sent}}}, {});
  EXPECT_EQ(output.code, kNo);
  EXPECT_TRUE((*output.data)["forwarded"].is_null());
  EXPECT_TRUE((*output.data)["steps"][0]["passes"].is_null());
  EXPECT_NE(output.text.find("result: unknown: forwarded if step destination passes"), std::string::npos)
      << output.text;
  EXPECT_EQ(output.names, std::vector<std::string>{"verdict/unknown"});
  const Output refused = ExplainOutput({.hops = {{"web-0.default", sent}, {"reviews-0.default", Denied()}}}, {});
  EXPECT_EQ((*refused.data)["forwarded"], false) << "refused in any case";
}

TEST(ExplainReport, TellsWhatIsWrongWithTheFilesAndThatTheAnswerLacksIt) {
  const Json warning =
      Json::parse(R"([{"severity":"warning","text":"Warning a.yaml:1:2: w"},{"severity":"info","text":"i"}])");
  const Output warned = ExplainOutput({.hops = {{"web-0.default", Sent()}}, .problems = Data(warning)}, {});
  EXPECT_EQ(warned.code, kDone);
  EXPECT_EQ(warned.warnings, std::vector<std::string>{"Warning a.yaml:1:2: w"});
  const Json error = Json::parse(R"([{"severity":"error","text":"Error a.yaml:1:2: e"}])");
  const Output broken = ExplainOutput({.hops = {{"web-0.default", Sent()}}, .problems = Data(error)}, {});
  EXPECT_EQ(broken.code, kBadFile);
  EXPECT_EQ((*broken.data)["problems"], error);
}

TEST(ExplainReport, KnowsObjectsByPathAndPoliciesByTheNameOfTheirRule) {
  EXPECT_EQ(ObjectOfPath("/apis/networking.istio.io/v1/namespaces/a/destination-rule/b"), "DestinationRule a/b");
  EXPECT_EQ(ObjectOfPath("nothing"), "");
  EXPECT_EQ(ObjectOfPolicy("ns[a]-policy[b]-rule[2]").object, "AuthorizationPolicy a/b");
  EXPECT_EQ(ObjectOfPolicy("ns[a]-policy[b]-rule[2]").rule, "rule[2]");
  EXPECT_EQ(ObjectOfPolicy("invalid_policy[a/b]").object, "AuthorizationPolicy a/b");
  EXPECT_EQ(ObjectOfPolicy("invalid_policy[a/b]").rule, "(invalid: denies everything)");
  const PolicyName peers = ObjectOfPolicy("invalid_policy[a/b]-kind[PeerAuthentication]");
  EXPECT_EQ(peers.object + " " + peers.rule, "PeerAuthentication a/b (invalid: STRICT)");
  const PolicyName tls = ObjectOfPolicy("invalid_policy[a/b]-kind[DestinationRule]");
  EXPECT_EQ(tls.object + " " + tls.rule, "DestinationRule a/b (invalid TLS: nothing is sent)");
  const PolicyName tokens = ObjectOfPolicy("invalid_policy[a/b]-kind[RequestAuthentication]");
  EXPECT_EQ(tokens.object + " " + tokens.rule, "RequestAuthentication a/b (invalid: denies everything)");
  EXPECT_EQ(ObjectOfPolicy("own").object, "own");
}

TEST(ExplainReport, ReadsPositionsOfBothForms) {
  const Positions live = PositionsOf(
      Json::parse(R"([{"kind":"VirtualService","metadata":{"name":"r","namespace":"a"},"at":"f.yaml:1"}, 3])"));
  EXPECT_EQ(live.at("VirtualService a/r"), "f.yaml:1");
  const Positions saved =
      PositionsOf(Json::parse(R"([{"kind":"VirtualService","name":"r","namespace":"a","at":"f.yaml:1"}])"));
  EXPECT_EQ(saved.at("VirtualService a/r"), "f.yaml:1");
}

TEST(ExplainReport, SaysOfEachRuleWhyItDidNotMatch) {
  const auto text = [](const char* more) {
    Json miss = Json::parse(more);
    miss["policy"] = "ns[default]-policy[viewer]-rule[0]";
    return MissText(miss, kPositions);
  };
  const std::string rule = "AuthorizationPolicy default/viewer (policies.yaml:7)";
  EXPECT_EQ(text(R"({"reason":"differs","field":"method","wants":"POST","has":"GET"})"),
            rule + " rule[0]: method must be POST, but is GET");
  EXPECT_EQ(text(R"({"reason":"unknown","field":"header x-pass","wants":"yes","has":""})"),
            rule + " rule[0]: depends on header x-pass, which must be yes");
  EXPECT_EQ(text(R"({"reason":"no_rule"})"), rule + " has no rule: allows nobody");
  EXPECT_EQ(text(R"({"reason":"only_http"})"),
            rule + " rule[0]: is about HTTP requests, so it matches no TCP connection");
  EXPECT_EQ(text(R"({"field":"method","wants":"POST","has":"GET"})"), text(R"({"reason":"differs","field":"method",
    "wants":"POST","has":"GET"})"))
      << "of a proxy that gives no reason";
}

}  // namespace
}  // namespace plait::cli
