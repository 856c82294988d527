#include "cli/prometheus_text.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

TEST(PrometheusText, ReadsLabelsWithEscapes) {
  const auto samples = ReadPrometheus("# TYPE a counter\na{x=\"1\",y=\"q\\\"\\\\\\n}\"} 12\nb 0.5\n");
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0], (Sample{.name = "a", .labels = {{"x", "1"}, {"y", "q\"\\\n}"}}, .value = 12}));
  EXPECT_EQ(samples[1], (Sample{.name = "b", .labels = {}, .value = 0.5}));
}

TEST(PrometheusText, LeavesOutWhatIsNoSample) {
  for (const char* text :
       {"", "\n\n", "# a 1", "a", "a{", "a{x=\"", "a{x=\"1\"", "a{x} 1", "a{} b", "{x=\"1\"} 1", "a "})
    EXPECT_TRUE(ReadPrometheus(text).empty()) << text;
}

TEST(PrometheusText, SumsTheSamplesWhoseLabelsMatch) {
  const auto samples = ReadPrometheus(
      "r{reporter=\"source\",code=\"200\"} 3\nr{reporter=\"source\",code=\"503\"} 4\nr{reporter=\"destination\"} 5\ns "
      "9\n");
  EXPECT_EQ(SumOf(samples, "r"), 12);
  EXPECT_EQ(SumOf(samples, "r", {{"reporter", "source"}}), 7);
  EXPECT_EQ(SumOf(samples, "r", {{"reporter", "source"}, {"code", "200"}}), 3);
  EXPECT_EQ(SumOf(samples, "r", {{"reporter", "gateway"}}), 0);
}

}  // namespace
}  // namespace plait::cli
