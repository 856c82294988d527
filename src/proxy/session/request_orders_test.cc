#include "proxy/session/request_orders.h"

#include <gtest/gtest.h>

namespace plait::proxy::session {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RequestOrders, ReadsMillisecondsAndNothingElse) {
  const http::Headers headers{{"a", "250"}, {"b", "x"}, {"c", "-1"}, {"d", "99999999999999"}};
  EXPECT_EQ(MillisecondsOf(headers, "a"), milliseconds(250));
  EXPECT_EQ(MillisecondsOf(headers, "b"), std::nullopt);
  EXPECT_EQ(MillisecondsOf(headers, "c"), std::nullopt);
  EXPECT_EQ(MillisecondsOf(headers, "d"), milliseconds(1U << 31));
  EXPECT_EQ(MillisecondsOf(headers, "e"), std::nullopt);
}

TEST(RequestOrders, ReadsTheDeadlineOfACallInEachUnit) {
  const auto deadline = [](const char* text) { return GrpcTimeoutOf({{"grpc-timeout", text}}); };
  EXPECT_EQ(deadline("5S"), seconds(5));
  EXPECT_EQ(deadline("100m"), milliseconds(100));
  EXPECT_EQ(deadline("2M"), seconds(120));
  EXPECT_EQ(deadline("5000u"), milliseconds(5));
  EXPECT_GT(deadline("99999999H"), std::chrono::hours(100));
  for (const char* broken : {"", "5", "S", "5x", "100000000S", "-5S"})
    EXPECT_EQ(deadline(broken), std::nullopt) << broken;
}

TEST(RequestOrders, GoNoFurther) {
  http::Headers headers{{"x-envoy-retry-on", "5xx"}, {"x-envoy-max-retries", "3"}, {"x-envoy-internal", "true"}};
  RemoveOrders(headers);
  EXPECT_EQ(headers.size(), 1U);
  EXPECT_TRUE(headers.Has("x-envoy-internal"));
}

}  // namespace
}  // namespace plait::proxy::session
