#include "control/model/finding_limit.h"

#include <gtest/gtest.h>

#include "control/model/decode.h"

namespace plait::control::model {
namespace {

Finding Of(Severity severity, std::string file, std::string message = "m") {
  return {severity, {.message = std::move(message), .at = {.file = std::move(file)}}};
}

TEST(FindingLimit, LeavesWhatIsAtTheLimitAndTellsOfWhatIsBeyond) {
  Findings findings(FindingLimit::kMost, Of(Severity::kError, "a.yaml"));
  findings.push_back(Of(Severity::kWarning, "a.yaml"));
  findings.push_back(Of(Severity::kError, "b.yaml"));
  const Findings before = findings;
  LimitFindings(findings);
  EXPECT_EQ(findings, before);
  findings.insert(findings.begin(), 2, Of(Severity::kError, "a.yaml", "first"));
  LimitFindings(findings);
  ASSERT_EQ(findings.size(), before.size() + 1);
  EXPECT_EQ(findings.front().diagnostic.message, "first");
  EXPECT_EQ(
      findings.back().ToString(),
      "Error a.yaml: there are more errors in this file than the 100 that are told (and 2 more: see to those that "
      "are told, then others are)");
}

TEST(FindingLimit, CountsFromCallToCallAndLeavesFindingsOfNoFile) {
  FindingLimit limit;
  Findings findings;
  for (int i = 0; i < 3; ++i) {
    findings.insert(findings.end(), 70, Of(Severity::kWarning, "a.yaml"));
    findings.insert(findings.end(), 70, Of(Severity::kWarning, ""));
    limit.Apply(findings);
  }
  limit.TellDropped(findings);
  EXPECT_EQ(findings.size(), FindingLimit::kMost + 210 + 1);
  EXPECT_EQ(findings.back().severity, Severity::kWarning);
  EXPECT_EQ(findings.back().diagnostic.hint, "and 110 more: see to those that are told, then others are");
}

TEST(FindingLimit, OfWhatIsDecodedLosesNoErrorAndNoPolicy) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "apiVersion: nonsense.istio.io/v1\nkind: VirtualService\nmetadata: {}\n---\n";
  for (int i = 0; i < 150; ++i) text += "a\n---\n";
  text += "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: last}\nspec: {rulse: []}\n";
  const Decoded decoded = DecodeText(text, "a.yaml");
  EXPECT_LE(decoded.findings.size(), 2 * (FindingLimit::kMost + 1));
  EXPECT_TRUE(HasErrors(decoded.findings));
  ASSERT_EQ(decoded.objects.size(), 1U);
  const auto* policy = std::get_if<AuthorizationPolicy>(decoded.objects.front().get());
  ASSERT_NE(policy, nullptr);
  EXPECT_TRUE(policy->invalid);
  EXPECT_EQ(policy->meta.name(), "last");
}

}  // namespace
}  // namespace plait::control::model
