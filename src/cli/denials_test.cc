#include "cli/denials.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/manual_clock.h"

namespace plait::cli {
namespace {

local::WorkloadStatus Pod(const char* name, const char* ip, const char* proxy = "sidecar") {
  local::WorkloadStatus pod;
  pod.name = name;
  pod.ns = "default";
  pod.service_account = std::string("sa-") + name;
  pod.ips = {ip};
  pod.proxy = proxy;
  return pod;
}
local::MeshStatus MeshOf(std::vector<local::WorkloadStatus> pods) {
  local::MeshStatus status;
  status.trust_domain = "td";
  status.directory = "/etc/shop";
  status.workloads = std::move(pods);
  return status;
}
const local::MeshStatus kMesh = MeshOf({Pod("web-0", "10.244.0.3"), Pod("client-0", "10.244.0.6"),
                                        Pod("plain-0", "10.244.0.7", "none"), Pod("gw-0", "10.244.0.8", "gateway")});

AccessLogLine Denied() {
  return {.method = "GET",
          .path = "/details/0?a=b",
          .status = "403",
          .details = "rbac_access_denied_matched_policy[none]",
          .authority = "web:9080",
          .downstream_local = "10.244.0.3:9080",
          .downstream_remote = "10.244.0.6:41000",
          .server_name = "outbound_.9080_._.web.default.svc.cluster.local",
          .user_agent = "curl/7",
          .forwarded_for = ""};
}

TEST(DenialCaller, IsTheWorkloadOfTheAddressWhereTheConnectionWasMutualTls) {
  AccessLogLine line = Denied();
  const Caller caller = CallerOf(kMesh, line, false);
  EXPECT_TRUE(caller.known);
  EXPECT_EQ(caller.principal, "spiffe://td/ns/default/sa/sa-client-0");
  EXPECT_EQ(caller.workload, "client-0.default");
  line.server_name.clear();
  EXPECT_TRUE(CallerOf(kMesh, line, false).known);
  EXPECT_EQ(CallerOf(kMesh, line, false).principal, "") << "plaintext, though it has a proxy";
  line.server_name = "example.com";
  EXPECT_FALSE(CallerOf(kMesh, line, false).known) << "TLS of an application";
}

TEST(DenialCaller, IsNotKnownWhereTheRequestItselfSaysTheAddressOrNobodyHasIt) {
  AccessLogLine line = Denied();
  line.forwarded_for = "10.244.0.6";  // anybody can write that
  EXPECT_FALSE(CallerOf(kMesh, line, false).known);
  EXPECT_EQ(CallerOf(kMesh, line, false).workload, "");
  line.forwarded_for.reset();
  EXPECT_FALSE(CallerOf(kMesh, line, false).known);
  line.method.clear();
  EXPECT_TRUE(CallerOf(kMesh, line, false).known) << "a TCP connection forwards nothing";
  line = Denied();
  line.downstream_remote = "10.244.0.99:1";
  EXPECT_FALSE(CallerOf(kMesh, line, false).known) << "the pod has gone";
  EXPECT_FALSE(CallerOf(kMesh, Denied(), true).known) << "whose TLS a gateway terminates is not the mesh's";
}

TEST(DenialQuestion, HasWhatTheLineHoldsAndSaysWhatItDoesNot) {
  EXPECT_EQ(QuestionAbout(Denied(), {.known = true, .principal = "spiffe://b"}, false),
            "direction=inbound&port=9080&source=10.244.0.6&principal=spiffe%3A%2F%2Fb&"
            "sni=outbound_.9080_._.web.default.svc.cluster.local&method=GET&path=%2Fdetails%2F0%3Fa%3Db"
            "&host=web%3A9080&header=user-agent%3Acurl%2F7&unknown=headers");
  AccessLogLine line = Denied();
  line.server_name.clear();
  line.user_agent.clear();
  line.path = "/";
  line.forwarded_for = "192.0.2.1,192.0.2.2";
  line.downstream_remote = "192.0.2.2:0";
  EXPECT_EQ(QuestionAbout(line, {}, false),
            "direction=inbound&port=9080&source=192.0.2.2&method=GET&path=%2F&host=web%3A9080"
            "&header=x-forwarded-for%3A192.0.2.1%2C192.0.2.2&unknown=principal,direct_ip,headers");
  EXPECT_EQ(QuestionAbout(line, {.known = true}, true),
            "direction=inbound&port=9080&source=192.0.2.2&method=GET&path=%2F&host=web%3A9080"
            "&header=x-forwarded-for%3A192.0.2.1&unknown=headers")
      << "a gateway has added the last one itself";
  line.method.clear();
  EXPECT_EQ(QuestionAbout(line, {.known = true}, false), "direction=inbound&port=9080&source=192.0.2.2&tcp");
}

class DenialsTest : public testing::Test {
 protected:
  DenialsTest()
      : denials_({.status = [this] { return Outcome<local::MeshStatus>(mesh_); },
                  .proxy =
                      [this](const std::string& workload, const std::string& target) {
                        asked_.push_back(workload + target.substr(0, target.find('?')));
                        clock_.Advance(takes_);
                        return answer_;
                      },
                  .positions =
                      [this](const local::MeshStatus&) {
                        ++asked_for_positions_;
                        clock_.Advance(takes_);
                        return positions_;
                      },
                  .named = " --name shop"},
                 clock_) {}
  void Answer(const char* misses, bool forwarded = false) {
    answer_ = Json{{"steps", {{{"step", "authorization"}, {"misses", Json::parse(misses)}}}},
                   {"verdict", {{"forwarded", forwarded}, {"details", "because"}}}};
  }
  std::string Explain(const AccessLogLine& line) { return denials_.Explain("web-0.default", line); }

  ManualClock clock_;
  local::MeshStatus mesh_ = kMesh;
  Outcome<Positions> positions_ = Positions{{"AuthorizationPolicy default/viewer", "policies.yaml:7"}};
  int asked_for_positions_ = 0;
  Duration takes_{};  // each answer
  Outcome<Json> answer_ = Json::object();
  std::vector<std::string> asked_;
  Denials denials_;
};
constexpr const char* kMethod =
    R"([{"policy":"ns[default]-policy[viewer]-rule[0]","reason":"differs","field":"method","wants":"POST","has":"GET"}])";
constexpr const char* kScope = "    plait: denied, since it matches no rule of the ALLOW policies in scope";

TEST_F(DenialsTest, NameThePolicyThatDenied) {
  AccessLogLine line = Denied();
  line.details = "rbac_access_denied_matched_policy[ns[default]-policy[viewer]-rule[1]]";
  EXPECT_EQ(Explain(line), "    plait: denied by AuthorizationPolicy default/viewer rule[1] (policies.yaml:7)\n");
  line.details = "via_upstream";
  EXPECT_EQ(Explain(line), "");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(DenialsTest, TellWhatEachRuleMissed) {
  Answer(kMethod);
  EXPECT_EQ(Explain(Denied()), std::string(kScope) +
                                   ", as they are now:\n    plait:   AuthorizationPolicy default/viewer "
                                   "(policies.yaml:7) rule[0]: method must be POST, but is GET\n");
  EXPECT_EQ(asked_, std::vector<std::string>{"web-0.default/plait/explain"});
}

TEST_F(DenialsTest, GiveTheCommandThatTellsWhatTheLineDoesNotHold) {
  Answer(R"([{"policy":"ns[default]-policy[viewer]-rule[0]","reason":"unknown","field":"header x-pass","wants":"yes"},
             {"policy":"ns[default]-policy[viewer]-rule[1]","reason":"unknown","field":"header x-pass","wants":"no"}])");
  const std::string text = Explain(Denied());
  EXPECT_NE(text.find("rule[0]: depends on header x-pass, which must be yes\n"), std::string::npos) << text;
  EXPECT_NE(text.find("the log does not hold header x-pass; with that, this tells: plait explain --name shop "
                      "client-0.default web-0.default:9080 GET 'http://web:9080/details/0?a=b' -H 'x-pass: VALUE'\n"),
            std::string::npos)
      << text;
}

TEST_F(DenialsTest, GiveNoShellACommandThatACallerWrote) {
  Answer(R"([{"policy":"p","reason":"unknown","field":"header x","wants":"yes"}])");
  AccessLogLine line = Denied();
  line.path = "/a';reboot;'$(id)";
  EXPECT_NE(Explain(line).find("'http://web:9080/a'\\'';reboot;'\\''$(id)' -H"), std::string::npos) << Explain(line);
}

TEST_F(DenialsTest, AskForACallerThatTheLineDoesNotHold) {
  Answer(R"([{"policy":"p","reason":"unknown","field":"principal","wants":"spiffe://a"}])");
  AccessLogLine line = Denied();
  line.forwarded_for = "192.0.2.1";
  EXPECT_NE(Explain(line).find("the log does not hold principal; with that, this tells: plait explain --name shop "
                               "CALLER web-0.default:9080 GET "),
            std::string::npos)
      << Explain(line);
}

TEST_F(DenialsTest, AreOfTheConfigurationInForce) {
  Answer(kMethod);
  const std::string before = Explain(Denied());
  EXPECT_EQ(Explain(Denied()), before);
  EXPECT_EQ(asked_.size(), 1u) << "the same question, at once";
  Answer(R"([{"policy":"ns[default]-policy[viewer]-rule[0]","reason":"no_rule"}])");
  positions_ = Positions{{"AuthorizationPolicy default/viewer", "policies.yaml:9"}};
  denials_.Refresh();
  const std::string edited = "AuthorizationPolicy default/viewer (policies.yaml:9) has no rule: allows nobody\n";
  EXPECT_NE(Explain(Denied()).find(edited), std::string::npos) << Explain(Denied());
  Answer("[]", /*forwarded=*/true);
  clock_.Advance(std::chrono::milliseconds(999));
  EXPECT_NE(Explain(Denied()).find(edited), std::string::npos);
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(Explain(Denied()),
            std::string(kScope) + " then; those in force now let it pass, so they were changed since\n");
}

TEST_F(DenialsTest, HoldAnAnswerForASecondSinceItCameHoweverLongItTook) {
  Answer(kMethod);
  takes_ = std::chrono::seconds(15);
  const std::string before = Explain(Denied());
  EXPECT_EQ(Explain(Denied()), before);
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(asked_for_positions_, 1);
}

TEST_F(DenialsTest, LeaveAControlPlaneThatDoesNotAnswerAloneForAWhile) {
  positions_ = plait::Explain(Errc::kUnavailable, "it does not answer within 2s");
  takes_ = std::chrono::seconds(2);
  AccessLogLine line = Denied();
  line.details = "rbac_access_denied_matched_policy[ns[default]-policy[viewer]-rule[1]]";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Explain(line), "    plait: denied by AuthorizationPolicy default/viewer rule[1]\n");
    denials_.Refresh();  // as each turn of --follow does
  }
  EXPECT_EQ(asked_for_positions_, 1);
  clock_.Advance(std::chrono::seconds(10));
  positions_ = Positions{{"AuthorizationPolicy default/viewer", "policies.yaml:7"}};
  EXPECT_EQ(Explain(line), "    plait: denied by AuthorizationPolicy default/viewer rule[1] (policies.yaml:7)\n");
  EXPECT_EQ(asked_for_positions_, 2);
}

TEST_F(DenialsTest, LeaveAProxyThatDoesNotAnswerAloneForAWhile) {
  answer_ = plait::Explain(Errc::kUnavailable, "the proxy of web-0.default does not answer within 15s");
  takes_ = std::chrono::seconds(15);
  AccessLogLine line = Denied();
  for (const char* path : {"/a", "/b", "/c"}) {
    line.path = path;
    EXPECT_NE(Explain(line).find("cannot be told: the proxy of web-0.default does not answer"), std::string::npos);
  }
  EXPECT_EQ(asked_.size(), 1u);
  clock_.Advance(std::chrono::seconds(10));
  Answer(kMethod);
  EXPECT_NE(Explain(line).find("method must be POST"), std::string::npos);
}

TEST_F(DenialsTest, SayThatAQuestionWithoutHeadersDidNotReachThePolicies) {
  answer_ = Json::parse(R"({"steps":[{"step":"admission","passes":true},{"step":"route","passes":false}],
"verdict":{"forwarded":false,"status":404,"details":"route_not_found"}})");
  EXPECT_EQ(Explain(Denied()), std::string(kScope) +
                                   "; which these are, cannot be told without its headers: it gets "
                                   "route_not_found\n");
  // A route that redirects comes after the policies.
  denials_.Refresh();
  answer_ = Json::parse(R"({"steps":[{"step":"route","passes":true},{"step":"answer","passes":true}],
"verdict":{"forwarded":false,"status":301,"details":""}})");
  EXPECT_EQ(Explain(Denied()), std::string(kScope) + " then; now it gets 301, so they were changed since\n");
}

TEST_F(DenialsTest, DoNotSayThatPoliciesChangedWhereWhatDecidesIsNotKnown) {
  answer_ = Json::parse(R"({"steps":[{"step":"route","passes":true},{"step":"authorization","passes":null}],
"verdict":{"forwarded":true}})");
  EXPECT_EQ(Explain(Denied()), std::string(kScope) + " then; those in force now may let it pass\n");
}

TEST_F(DenialsTest, GiveTheServerNameThatAGatewayOfTlsWants) {
  Answer(R"([{"policy":"p","reason":"unknown","field":"header x-pass","wants":"yes"}])");
  AccessLogLine line = Denied();
  const auto at_gateway = [&] { return denials_.Explain("gw-0.default", line); };
  line.server_name = "shop.example.com";
  EXPECT_TRUE(at_gateway().ends_with(" -H 'x-pass: VALUE' --sni shop.example.com\n")) << at_gateway();
  mesh_.workloads[3].proxy_program = "envoy";
  denials_.Refresh();
  EXPECT_TRUE(at_gateway().ends_with(" --sni shop.example.com\n")) << at_gateway();
  line.server_name.clear();
  EXPECT_NE(at_gateway().find(" gw-0.default web:9080 GET"), std::string::npos) << at_gateway();
}

TEST_F(DenialsTest, SayThatTheProxyCannotTell) {
  answer_ = plait::Explain(Errc::kUnavailable, "web-0.default does not run");
  EXPECT_EQ(Explain(Denied()), std::string(kScope) + "; which these are, cannot be told: web-0.default does not run\n");
  mesh_.workloads[0].proxy_program = "envoy";
  denials_.Refresh();
  EXPECT_NE(Explain(Denied()).find("plait explain -f /etc/shop client-0.default web-0.default:9080 GET"),
            std::string::npos)
      << Explain(Denied());
  EXPECT_EQ(asked_.size(), 1u) << "an Envoy has no such page";
}

}  // namespace
}  // namespace plait::cli
