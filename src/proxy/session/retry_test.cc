#include "proxy/session/retry.h"

#include <gtest/gtest.h>

namespace plait::proxy::session {
namespace {

http::ResponseHead Response(std::uint16_t status, http::Headers headers = {}) {
  http::ResponseHead head;
  head.status = status;
  head.headers = std::move(headers);
  return head;
}

xds::RetryPolicy Rules(std::uint32_t on, std::uint32_t most = 1) { return {.retry_on = on, .num_retries = most}; }

TEST(RetryState, RetriesOnlyTheConfiguredResponses) {
  const xds::RetryPolicy rules = Rules(xds::kRetryGatewayError | xds::kRetryRetriable4xx);
  const RetryState state(rules, {});
  EXPECT_TRUE(state.WantsRetry(Response(503)));
  EXPECT_TRUE(state.WantsRetry(Response(409)));
  EXPECT_FALSE(state.WantsRetry(Response(500)));
  EXPECT_FALSE(state.WantsRetry(Response(200)));
}

TEST(RetryState, NeverRetriesOurOwnOverflow) {
  const xds::RetryPolicy rules = Rules(xds::kRetry5xx | xds::kRetryReset);
  EXPECT_FALSE(RetryState(rules, {}).WantsRetry(AttemptFailure::kOverflow, false));
}

TEST(RetryState, RetriesAConnectFailureButNotAResetWhenOnlyThatIsAsked) {
  const xds::RetryPolicy rules = Rules(xds::kRetryConnectFailure);
  const RetryState state(rules, {});
  EXPECT_TRUE(state.WantsRetry(AttemptFailure::kConnectFailure, false));
  EXPECT_TRUE(state.WantsRetry(AttemptFailure::kConnectTimeout, false));
  EXPECT_FALSE(state.WantsRetry(AttemptFailure::kReset, true));
}

TEST(RetryState, RetriesAResetBeforeTheRequestWasSentOnly) {
  const xds::RetryPolicy rules = Rules(xds::kRetryResetBeforeRequest);
  const RetryState state(rules, {});
  EXPECT_TRUE(state.WantsRetry(AttemptFailure::kReset, false));
  EXPECT_FALSE(state.WantsRetry(AttemptFailure::kReset, true));
}

TEST(RetryState, ReadsGrpcStatusOfATrailersOnlyResponse) {
  const xds::RetryPolicy rules = Rules(xds::kRetryGrpcUnavailable);
  const RetryState state(rules, {});
  EXPECT_TRUE(state.WantsRetry(Response(200, {{"grpc-status", "14"}})));
  EXPECT_FALSE(state.WantsRetry(Response(200, {{"grpc-status", "13"}})));
}

TEST(RetryState, EndsWhenAllRetriesAreTaken) {
  const xds::RetryPolicy rules = Rules(xds::kRetry5xx, 2);
  RetryState state(rules, {});
  Random random(1);
  state.Take(random);
  EXPECT_TRUE(state.WantsRetry(Response(500)));
  state.Take(random);
  EXPECT_FALSE(state.WantsRetry(Response(500)));
}

TEST(RetryState, HonoursTheRequestsOwnConditions) {
  const xds::RetryPolicy rules;
  const http::RequestHead request{.headers = {{"x-envoy-retry-on", "5xx"}, {"x-envoy-max-retries", "3"}}};
  const RetryState state(rules, request);
  EXPECT_EQ(state.left(), 3u);
  EXPECT_TRUE(state.WantsRetry(Response(500)));
}

TEST(RetryState, PassesOverWordsOfTheRequestThatItDoesNotKnow) {
  const xds::RetryPolicy rules;
  for (const char* words : {"bogus,5xx", "5xx, bogus", "gateway-error,retriable_4xx"}) {
    const http::RequestHead request{.headers = {{"x-envoy-retry-on", words}}};
    EXPECT_TRUE(RetryState(rules, request).WantsRetry(Response(503))) << words;
  }
  const http::RequestHead request{.headers = {{"x-envoy-retry-grpc-on", "bogus,unavailable"}}};
  EXPECT_TRUE(RetryState(rules, request).WantsRetry(Response(200, {{"grpc-status", "14"}})));
  // Each field has words of its own.
  const http::RequestHead other{.headers = {{"x-envoy-retry-on", "unavailable"}, {"x-envoy-retry-grpc-on", "5xx"}}};
  EXPECT_FALSE(RetryState(rules, other).WantsRetry(Response(503, {{"grpc-status", "14"}})));
}

TEST(RetryState, DoublesTheIntervalUpToItsMaximum) {
  xds::RetryPolicy rules = Rules(xds::kRetry5xx, 10);
  rules.back_off_base = std::chrono::milliseconds(10);
  rules.back_off_max = std::chrono::milliseconds(20);
  RetryState state(rules, {});
  Random random(7);
  EXPECT_LT(state.Take(random), std::chrono::milliseconds(10));
  for (int i = 0; i < 5; ++i) EXPECT_LT(state.Take(random), std::chrono::milliseconds(20));
}

TEST(RetryState, TakesTheLongestIntervalsThereAre) {
  xds::RetryPolicy rules = Rules(xds::kRetry5xx, 3);
  rules.back_off_base = Duration::max() / 3;
  RetryState state(rules, {});
  Random random(1);
  for (int i = 0; i < 3; ++i) EXPECT_GE(state.Take(random), Duration(0));
}

}  // namespace
}  // namespace plait::proxy::session
