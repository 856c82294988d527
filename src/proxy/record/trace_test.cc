#include "proxy/record/trace.h"

#include <gtest/gtest.h>

namespace plait::proxy::record {
namespace {
constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Trace, SendsAContextOnUnchanged) {
  http::Headers headers{{"Traceparent", kParent}, {"tracestate", "a=1"}};
  Random random(1);
  const TraceContext context = PropagateTrace(headers, 0, random);
  EXPECT_EQ(headers.Get("traceparent"), kParent);
  EXPECT_EQ(headers.Get("tracestate"), "a=1");
  EXPECT_EQ(context.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_TRUE(context.sampled);
  EXPECT_FALSE(context.made_here);
}

TEST(Trace, MakesAContextWhereThereIsNone) {
  Random random(1);
  int sampled = 0;
  for (int i = 0; i < 2000; ++i) {
    http::Headers headers;
    sampled += PropagateTrace(headers, 25, random).sampled ? 1 : 0;
    ASSERT_TRUE(ValidTraceparent(headers.Get("traceparent").value_or("")));
  }
  EXPECT_NEAR(sampled, 500, 80);
}

TEST(Trace, ReplacesABrokenContext) {
  http::Headers headers{{"traceparent", "00-zz"}, {"tracestate", "a=1"}};
  Random random(1);
  EXPECT_TRUE(PropagateTrace(headers, 100, random).made_here);
  EXPECT_TRUE(ValidTraceparent(*headers.Get("traceparent")));
  EXPECT_FALSE(headers.Has("tracestate"));
}

TEST(Trace, LeavesB3Alone) {
  Random random(1);
  http::Headers single{{"b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"}};
  EXPECT_TRUE(PropagateTrace(single, 0, random).sampled);
  EXPECT_FALSE(single.Has("traceparent"));
  http::Headers many{{"X-B3-TraceId", "463ac35c9f6413ad"}, {"X-B3-Sampled", "0"}};
  EXPECT_EQ(PropagateTrace(many, 100, random).trace_id, "463ac35c9f6413ad");
  EXPECT_FALSE(many.Has("traceparent"));
}

TEST(Trace, MakesAContextBesideAB3OneThatHasNoTraceId) {
  Random random(1);
  for (const std::string_view id : {"", "0", "--", "not a trace id", "0000000000000000", "463ac35c9f6413ag", "463ac35c",
                                    "463ac35c9f6413ad463ac35c9f6413ad0"}) {
    for (const char* name : {"b3", "x-b3-traceid"}) {
      http::Headers headers{{name, id}};
      EXPECT_TRUE(PropagateTrace(headers, 0, random).made_here) << name << ": " << id;
      EXPECT_EQ(headers.Get(name), id);
      EXPECT_TRUE(ValidTraceparent(headers.Get("traceparent").value_or("")));
    }
  }
  http::Headers capitals{{"b3", "463AC35C9F6413AD-e457b5a2e4d86bd1"}};
  EXPECT_FALSE(PropagateTrace(capitals, 0, random).made_here);
}

TEST(Trace, KnowsAValidTraceparent) {
  EXPECT_TRUE(ValidTraceparent(kParent));
  EXPECT_TRUE(ValidTraceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  EXPECT_FALSE(ValidTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  EXPECT_FALSE(ValidTraceparent("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_FALSE(ValidTraceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(ValidTraceparent("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"));
}

}  // namespace
}  // namespace plait::proxy::record
