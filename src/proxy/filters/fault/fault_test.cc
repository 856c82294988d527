#include "proxy/filters/fault/fault.h"

#include <gtest/gtest.h>

namespace plait::proxy::filters {
namespace {

class FaultTest : public testing::Test {
 protected:
  const filter::HttpFilter* Make(xds::FaultPolicy policy) {
    made_.push_back(Fault::Compile(policy, "out", registry_).value());
    return made_.back().get();
  }
  filter::RequestView View() { return {head_, record_, "outbound|80||a", loop_, random_}; }
  telemetry::Registry registry_;
  std::vector<std::unique_ptr<const filter::HttpFilter>> made_;  // outlives the state, as a request's chain does
  io::Loop loop_;
  Random random_{7};
  http::RequestHead head_;
  record::StreamRecord record_;
  filter::FilterState state_;
  std::optional<filter::Verdict> resumed_;
  filter::Resume later_ = [this](filter::Verdict verdict) { resumed_ = std::move(verdict); };
};

TEST_F(FaultTest, AnswersTheAbortedShareWithFlagFi) {
  const auto* filter = Make({.abort = xds::FaultPolicy::Abort{.http_status = 555, .fraction = {250'000}}});
  int aborted = 0;
  for (int i = 0; i < 4000; ++i) {
    const filter::Verdict verdict = filter->OnRequestHead(View(), nullptr, state_, later_);
    if (const auto* reply = std::get_if<filter::Reply>(&verdict)) {
      ++aborted;
      EXPECT_EQ(reply->status, 555);
      EXPECT_EQ(reply->flag, record::ResponseFlag::kFaultInjected);
      EXPECT_EQ(reply->details, "fault_filter_abort");
    }
  }
  EXPECT_NEAR(aborted, 1000, 120);
}

TEST_F(FaultTest, DelaysThenGoesOn) {
  const auto* filter = Make({.delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(20)}});
  const MonotonicTime before = SystemClock().Now();
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, state_, later_)));
  EXPECT_TRUE(record_.flags.Has(record::ResponseFlag::kDelayInjected));
  EXPECT_FALSE(resumed_);
  ASSERT_TRUE(loop_.RunUntil([&] { return resumed_.has_value(); }, std::chrono::seconds(5)));
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(*resumed_));
  EXPECT_GE(SystemClock().Now() - before, std::chrono::milliseconds(20));
}

TEST_F(FaultTest, ForgetsADelayWhoseRequestWent) {
  const auto filter =
      Make({.delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(1)}, .max_active_faults = 1});
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, state_, later_)));
  filter::FilterState second;
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(filter->OnRequestHead(View(), nullptr, second, later_)))
      << "only one fault may be active";
  state_.reset();
  loop_.RunUntil([] { return false; }, std::chrono::milliseconds(10));
  EXPECT_FALSE(resumed_);
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, state_, later_)));
}

TEST_F(FaultTest, CountsADelayAsActiveOnlyWhileItRuns) {
  const auto* filter =
      Make({.delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(1)}, .max_active_faults = 1});
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, state_, later_)));
  ASSERT_TRUE(loop_.RunUntil([&] { return resumed_.has_value(); }, std::chrono::seconds(5)));
  filter::FilterState second;
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, second, later_)))
      << "the first request goes on, but no longer because of a fault";
}

TEST_F(FaultTest, AbortsAfterADelayWithoutASecondPlaceAmongTheActiveFaults) {
  const auto* filter = Make({.abort = xds::FaultPolicy::Abort{.http_status = 555},
                             .delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(1)},
                             .max_active_faults = 1});
  EXPECT_TRUE(std::holds_alternative<filter::Pause>(filter->OnRequestHead(View(), nullptr, state_, later_)));
  ASSERT_TRUE(loop_.RunUntil([&] { return resumed_.has_value(); }, std::chrono::seconds(5)));
  ASSERT_TRUE(std::holds_alternative<filter::Reply>(*resumed_));
  EXPECT_EQ(std::get<filter::Reply>(*resumed_).status, 555);
}

TEST_F(FaultTest, LeavesOtherClustersAndHeadersAlone) {
  const xds::FaultPolicy::Abort abort{.http_status = 500};
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(
      Make({.abort = abort, .upstream_cluster = "outbound|80||b"})->OnRequestHead(View(), nullptr, state_, later_)));
  const auto* filter = Make({.abort = abort, .headers = {{.name = "x-chaos", .value = xds::PresentMatcher{}}}});
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(filter->OnRequestHead(View(), nullptr, state_, later_)));
  head_.headers.Add("X-Chaos", "1");
  EXPECT_TRUE(std::holds_alternative<filter::Reply>(filter->OnRequestHead(View(), nullptr, state_, later_)));
}

TEST_F(FaultTest, TakesARoutesSettingsInsteadOfItsOwn) {
  const auto* filter = Make({.abort = xds::FaultPolicy::Abort{.http_status = 500}});
  const auto route = FaultSettings::Compile({.abort = xds::FaultPolicy::Abort{.grpc_status = 14}}).value();
  const filter::Verdict verdict = filter->OnRequestHead(View(), route.get(), state_, later_);
  EXPECT_EQ(std::get<filter::Reply>(verdict).grpc_status, 14U);
  EXPECT_EQ(std::get<filter::Reply>(verdict).status, 200);
}

}  // namespace
}  // namespace plait::proxy::filters
