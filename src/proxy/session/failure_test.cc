#include "proxy/session/failure.h"

#include <gtest/gtest.h>

namespace plait::proxy::session {
namespace {

TEST(Failure, TellsAConnectFailureInEnvoysWords) {
  EXPECT_EQ(BodyOf(Failure::kConnectFailure, false),
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure");
  EXPECT_EQ(
      DetailsOf(Failure::kConnectFailure, "delayed connect error: Connection refused"),
      "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}");
}

TEST(Failure, SaysThatItWasARetry) {
  EXPECT_EQ(
      BodyOf(Failure::kUpstreamClosed, true),
      "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection "
      "termination");
}

TEST(Failure, AnswersAProtocolErrorWith502) {
  EXPECT_EQ(FactsOf(FailureOfReset(http::ResetReason::kProtocol)).status, 502);
  EXPECT_EQ(FactsOf(FailureOfReset(http::ResetReason::kProtocol)).flag, record::ResponseFlag::kUpstreamProtocolError);
}

// ENHANCE_YOUR_CALM of an upstream is no limit of ours, of which Failure::kOverflow tells, and may be tried again.
TEST(Failure, IsTheUpstreamsResetAlsoWhenThatHasTooMuchToDo) {
  EXPECT_EQ(FailureOfReset(http::ResetReason::kOverflow), Failure::kUpstreamReset);
}

TEST(Failure, NamesTheRuleByWhichThereIsNobodyToSendTo) {
  EXPECT_EQ(DetailsOf(Failure::kNoHealthyUpstream, ""), "no_healthy_upstream");
  EXPECT_EQ(DetailsOf(Failure::kNoHealthyUpstream, "invalid_policy[a/b]-kind[DestinationRule]"),
            "no_healthy_upstream{invalid_policy[a/b]-kind[DestinationRule]}");
  EXPECT_EQ(DetailsOf(Failure::kNoCluster, "anything"), "cluster_not_found");
}

TEST(Failure, HasFactsForEveryFailure) {
  for (int i = 0; i <= static_cast<int>(Failure::kLast); ++i) {
    const FailureFacts& facts = FactsOf(static_cast<Failure>(i));
    EXPECT_GE(facts.status, 400) << i;
    EXPECT_FALSE(facts.details.empty()) << i;
  }
}

}  // namespace
}  // namespace plait::proxy::session
