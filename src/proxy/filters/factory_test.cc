#include "proxy/filters/factory.h"

#include <gtest/gtest.h>

#include "core/telemetry/registry.h"

namespace plait::proxy::filters {
namespace {

class ChainTest : public testing::Test {
 protected:
  filter::Verdict Run(const std::vector<xds::HttpFilter>& configs, const xds::PerFilterConfig& route = {}) {
    auto chain = CompileChain(configs, "x", registry_).value();
    const filter::FilterOverrides overrides = CompileOverrides({&route}).value();
    record_.connection = &connection_;
    filter::RequestFilters filters(chain);
    return filters.Run({head_, record_, "", loop_, random_}, &overrides, later_);
  }
  telemetry::Registry registry_;
  io::Loop loop_;
  Random random_{7};
  http::RequestHead head_;
  record::ConnectionInfo connection_;
  record::StreamRecord record_;
  filter::Resume later_;
  const xds::HttpFilter deny_{.name = "rbac", .config = xds::RbacFilter{.rules = xds::RbacRules{}}};
  const xds::HttpFilter abort_{.name = "fault",
                               .config = xds::FaultPolicy{.abort = xds::FaultPolicy::Abort{.http_status = 418}}};
  const xds::HttpFilter router_{.name = "router", .config = xds::RouterFilter{}};
};

TEST_F(ChainTest, RunsFiltersInTheirOrder) {
  EXPECT_EQ(std::get<filter::Reply>(Run({deny_, abort_, router_})).status, 403);
  EXPECT_EQ(std::get<filter::Reply>(Run({abort_, deny_, router_})).status, 418);
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(Run({router_})));
}

TEST_F(ChainTest, SwitchesFiltersByRoute) {
  EXPECT_EQ(std::get<filter::Reply>(Run({deny_, abort_}, {{"rbac", xds::FilterSwitch{.disabled = true}}})).status, 418);
  xds::HttpFilter off = deny_;
  off.disabled = true;
  EXPECT_EQ(std::get<filter::Reply>(Run({off, abort_})).status, 418);
  EXPECT_EQ(std::get<filter::Reply>(Run({off, abort_}, {{"rbac", xds::FilterSwitch{}}})).status, 403);
}

TEST_F(ChainTest, GoesOnBehindTheFilterThatPaused) {
  auto chain =
      CompileChain(
          {{.name = "fault",
            .config = xds::FaultPolicy{.delay = xds::FaultPolicy::Delay{.fixed = std::chrono::milliseconds(1)}}},
           deny_},
          "x", registry_)
          .value();
  record_.connection = &connection_;
  filter::RequestFilters filters(chain);
  bool resumed = false;
  later_ = [&](filter::Verdict verdict) { resumed = std::holds_alternative<filter::Continue>(verdict); };
  EXPECT_TRUE(
      std::holds_alternative<filter::Pause>(filters.Run({head_, record_, "", loop_, random_}, nullptr, later_)));
  ASSERT_TRUE(loop_.RunUntil([&] { return resumed; }, std::chrono::seconds(5)));
  EXPECT_TRUE(
      std::holds_alternative<filter::Reply>(filters.Run({head_, record_, "", loop_, random_}, nullptr, later_)));
}

TEST_F(ChainTest, PutsTheFiltersNameInFrontOfAnError) {
  const xds::HttpFilter bad{.name = "my-fault",
                            .config = xds::FaultPolicy{.headers = {{.name = "", .value = xds::PresentMatcher{}}}}};
  const auto chain = CompileChain({bad}, "x", registry_);
  ASSERT_FALSE(chain);
  EXPECT_NE(chain.error().message.find("'my-fault'"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::filters
