#include "proxy/filters/cors/cors.h"

#include <gtest/gtest.h>

namespace plait::proxy::filters {
namespace {

class CorsTest : public testing::Test {
 protected:
  CorsTest() { head_.method = "GET"; }
  void Origin(std::string_view origin) { head_.headers.Set("Origin", origin); }
  void Preflight() {
    head_.method = "OPTIONS";
    head_.headers.Set("Access-Control-Request-Method", "PUT");
  }
  filter::Verdict Run(const xds::CorsPolicy& policy) {
    settings_ = CorsSettings::Compile(policy).value();
    return filter_.OnRequestHead({head_, record_, "", loop_, random_}, settings_.get(), state_, later_);
  }
  std::string AllowedOrigin() {
    http::ResponseHead response;
    filter_.OnResponseHead({head_, record_, "", loop_, random_}, response, settings_.get(), state_);
    return std::string(response.headers.Get("access-control-allow-origin").value_or(""));
  }
  telemetry::Registry registry_;
  Cors filter_{"in", registry_};
  io::Loop loop_;
  Random random_{7};
  http::RequestHead head_;
  record::StreamRecord record_;
  filter::FilterState state_;
  filter::Resume later_;
  std::shared_ptr<const CorsSettings> settings_;
  const xds::CorsPolicy policy_{.allow_origins = {{.value = "https://a.example"}},
                                .allow_methods = "GET,PUT",
                                .max_age = "60",
                                .allow_credentials = true};
};

TEST_F(CorsTest, AnswersThePreflightOfAnAllowedOrigin) {
  Origin("https://a.example");
  Preflight();
  const filter::Verdict verdict = Run(policy_);
  const auto& reply = std::get<filter::Reply>(verdict);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.Get("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(reply.headers.Get("access-control-allow-methods"), "GET,PUT");
  EXPECT_EQ(reply.headers.Get("access-control-allow-credentials"), "true");
  EXPECT_EQ(reply.headers.Get("access-control-max-age"), "60");
}

TEST_F(CorsTest, ForwardsOrAnswersThePreflightOfAnotherOriginAsConfigured) {
  Origin("https://evil.example");
  Preflight();
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(Run(policy_)));
  xds::CorsPolicy strict = policy_;
  strict.forward_not_matching_preflights = false;
  const filter::Verdict verdict = Run(strict);
  EXPECT_TRUE(std::get<filter::Reply>(verdict).headers.empty());
}

TEST_F(CorsTest, AddsTheOriginOnlyToResponsesOfAllowedOrigins) {
  Origin("https://a.example");
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(Run(policy_)));
  EXPECT_EQ(AllowedOrigin(), "https://a.example");
  state_.reset();
  Origin("https://evil.example");
  Run(policy_);
  EXPECT_EQ(AllowedOrigin(), "");
}

}  // namespace
}  // namespace plait::proxy::filters
