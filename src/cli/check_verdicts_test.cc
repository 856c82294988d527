#include "cli/check_verdicts.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

LoadReport Report(std::uint64_t sent, std::uint64_t unavailable = 0) {
  LoadReport report{.sent = sent, .failed = unavailable};
  report.status["200"] = sent - unavailable;
  if (unavailable > 0) report.status["503"] = unavailable;
  return report;
}
LoadReport Refused(std::uint64_t sent) {
  return {.sent = sent, .failed = sent, .failures = {{"connection closed", sent}}};
}
Sample Requests(const char* from, const char* policy, double value, const char* reporter = "destination") {
  return {.name = "istio_requests_total",
          .labels = {{"reporter", reporter},
                     {"source_workload", from},
                     {"source_workload_namespace", "shop"},
                     {"destination_workload", "echo"},
                     {"connection_security_policy", policy}},
          .value = value};
}

TEST(LoadReports, AreReadAndNameWhatFailed) {
  const auto report = ReadLoadReport(
      R"({"sent":12,"ok":9,"failed":3,"status":{"200":9,"503":2},"failures":{"timed out":1},"by":{"v1":9},"p50_ms":1.5})");
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->ok(), 9u);
  EXPECT_EQ(report->answers(), 11u);
  EXPECT_EQ(report->With("v1"), 9u);
  EXPECT_EQ(report->With("v2"), 0u);
  EXPECT_EQ(report->WhatFailed(), "2 x 503, 1 x timed out");
}

TEST(LoadReports, OfAnyOtherShapeAreRefused) {
  for (const char* text : {"", "[]", "{}", R"({"sent":-1,"failed":0})", R"({"sent":1,"failed":2})",
                           R"({"sent":1,"failed":0,"status":{"200":"x"}})", R"({"sent":1,"failed":0,"by":3})"})
    EXPECT_FALSE(ReadLoadReport(text).has_value()) << text;
}

TEST(Mtls, CountsOnlyWhatCameFromWorkloadsOfTheMesh) {
  InMeshTraffic traffic;
  CountInMesh({Requests("client", "mutual_tls", 40), Requests("client", "unknown", 40, "source"),
               Requests("outsider", "none", 7)},
              {"shop/outsider"}, traffic);
  EXPECT_EQ(traffic.all, 40);
  EXPECT_EQ(traffic.mutual, 40);
  const CheckResult result = JudgeMtls(traffic, {.report = Refused(6), .logged = true});
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.detail,
            "40/40 in-mesh requests and TCP connections over mutual TLS; plaintext to echo refused (6 of 6)");
}

TEST(Mtls, FailsForOnePlaintextRequestAndNamesWhoSentIt) {
  InMeshTraffic traffic;
  CountInMesh({Requests("client", "mutual_tls", 40), Requests("web", "none", 1)}, {}, traffic);
  const CheckResult result = JudgeMtls(traffic, {.report = Refused(6), .logged = true});
  EXPECT_FALSE(result.passed);
  EXPECT_NE(result.detail.find("40/41"), std::string::npos);
  EXPECT_NE(result.detail.find("web -> echo"), std::string::npos);
}

TEST(Mtls, FailsWhenPlaintextWasAnsweredOrNeverArrived) {
  const InMeshTraffic traffic{.all = 4, .mutual = 4};
  EXPECT_FALSE(JudgeMtls(traffic, {.report = Report(6), .logged = true}).passed);
  EXPECT_FALSE(JudgeMtls(traffic, {.report = Refused(6), .logged = false}).passed);
  EXPECT_FALSE(JudgeMtls({}, {.report = Refused(6), .logged = true}).passed);
}

struct SplitCase {
  std::uint64_t v1;
  bool passes;
};
class Split : public testing::TestWithParam<SplitCase> {};
TEST_P(Split, IsRightWithinFourPercentagePoints) {
  LoadReport report = Report(2000);
  report.by = {{"v1", GetParam().v1}, {"v2", 2000 - GetParam().v1}};
  EXPECT_EQ(JudgeSplit(report, 80).passed, GetParam().passes);
}
INSTANTIATE_TEST_SUITE_P(Shares, Split,
                         testing::Values(SplitCase{1600, true}, SplitCase{1680, true}, SplitCase{1681, false},
                                         SplitCase{1520, true}, SplitCase{1519, false}, SplitCase{2000, false}));

TEST(Split, FailsForAFailedRequestOrAnAnswerOfNoVersion) {
  LoadReport report = Report(2000, 1);
  report.by = {{"v1", 1600}, {"v2", 399}};
  EXPECT_FALSE(JudgeSplit(report, 80).passed);
  report = Report(2000);
  report.by = {{"v1", 1600}, {"(none)", 400}};
  EXPECT_FALSE(JudgeSplit(report, 80).passed);
  EXPECT_EQ(JudgeSplit(report, 80).detail, "v1 80 %, v2 0 % of 2000 (want 80/20 ±4)");
}

TEST(Authz, ReadsPolicyAndRuleFromTheAccessLog) {
  EXPECT_EQ(PolicyInLog("GET 403 - rbac_access_denied_matched_policy[ns[a]-policy[no-strangers]-rule[2]] - \"-\"\n"),
            "no-strangers rule[2]");
  EXPECT_EQ(PolicyInLog("403 - rbac_access_denied_matched_policy[none] - \"-\" policy[x]-rule[0]"), "");
  EXPECT_EQ(PolicyInLog("rbac_access_denied_matched_policy["), "");
  EXPECT_EQ(PolicyInLog(""), "");
}

TEST(Authz, NeedsTheExactBodyThePolicyAndAnAllowedCaller) {
  const Answer denied{403, "RBAC: access denied"};
  const Answer allowed{200, "x"};
  const CheckResult result = JudgeAuthz(denied, "no-strangers rule[0]", allowed);
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.detail, "stranger→echo 403 by AuthorizationPolicy no-strangers rule[0]; client→echo 200");
  EXPECT_FALSE(JudgeAuthz({403, "RBAC: access denied\n"}, "p rule[0]", allowed).passed);
  EXPECT_FALSE(JudgeAuthz(denied, "", allowed).passed);
  EXPECT_FALSE(JudgeAuthz({}, "p rule[0]", allowed).passed);
  EXPECT_FALSE(JudgeAuthz(denied, "p rule[0]", {503, ""}).passed);
}

TEST(Retries, HideEveryTenthFailureThatIsSeenWithoutThem) {
  const CheckResult result = JudgeRetries(Report(200), Report(200, 20));
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.detail, "every tenth answer a 503, hidden by retry: client success 100 % of 200 (90 % without)");
  EXPECT_FALSE(JudgeRetries(Report(200, 1), Report(200, 20)).passed);
  EXPECT_FALSE(JudgeRetries(Report(200), Report(200)).passed) << "a server that does not fail proves nothing";
  EXPECT_FALSE(JudgeRetries(Report(200), Report(200, 21)).passed);
}

TEST(Metrics, AgreeOnBothSides) {
  EXPECT_TRUE(JudgeMetrics({500, 500, 500}).passed);
  EXPECT_FALSE(JudgeMetrics({500, 500, 499}).passed);
  EXPECT_FALSE(JudgeMetrics({500, 501, 500}).passed);
  EXPECT_FALSE(JudgeMetrics({0, 0, 0}).passed);
  EXPECT_EQ(JudgeMetrics({500, 500, 500}).detail,
            "istio_requests_total agrees with the client's own count (client 500 = source 500 = destination 500)");
}

TEST(Rotation, LosesNoRequestAndReplacesEachCertificate) {
  EXPECT_TRUE(JudgeRotation({.load = Report(900), .renewals = 9, .proxies = 3, .replaced = 3}).passed);
  EXPECT_FALSE(JudgeRotation({.load = Report(900, 1), .renewals = 9, .proxies = 3, .replaced = 3}).passed);
  EXPECT_FALSE(JudgeRotation({.load = Report(900), .renewals = 9, .proxies = 3, .replaced = 2}).passed);
  EXPECT_FALSE(JudgeRotation({.renewals = 9, .proxies = 3, .replaced = 3}).passed);
}

TEST(Hints, AreForTheMeshThatWasTested) {
  EXPECT_EQ(HintFor("plait pc route client.plait-test", " --name shop"),
            "plait pc --name shop route client.plait-test");
  EXPECT_EQ(HintFor("plait exec a -- curl x; plait ps", " --name shop"),
            "plait exec --name shop a -- curl x; plait ps --name shop");
  EXPECT_EQ(HintFor("plait logs a", ""), "plait logs a");
  EXPECT_EQ(HintFor("wait", " --name shop"), "wait");
}

}  // namespace
}  // namespace plait::cli
