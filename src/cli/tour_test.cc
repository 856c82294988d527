#include "cli/tour.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

TEST(Stars, HaveTheColourOfTheFirstReviewThatIsRated) {
  EXPECT_EQ(StarsIn(R"({"reviews": [{"text": "x"}, {"rating": {"stars": 4, "color": "red"}}]})"), "red");
}

TEST(Stars, AreNoneInAnAnswerWithoutRatings) {
  for (const char* answer : {R"({"reviews": [{"text": "x"}]})", R"({"reviews": [{"rating": {"error": "down"}}]})",
                             R"({"error": "x"})", "[]", "not JSON", ""})
    EXPECT_EQ(StarsIn(answer), "") << answer;
}

TEST(TourOutput, SucceedsWhenEveryStepSawItsEffect) {
  const std::vector<TourStep> steps = {{.title = "a", .passed = true, .seconds = 0.25}, {.title = "b", .passed = true}};
  const Output output = TourOutput(steps, 2);
  EXPECT_EQ(output.code, kDone);
  EXPECT_EQ((*output.data)["success"], true);
  EXPECT_EQ((*output.data)["steps"][0]["seconds"], 0.25);
  EXPECT_FALSE((*output.data)["steps"][1].contains("seconds")) << "there was nothing to wait for";
  EXPECT_EQ(output.names, (std::vector<std::string>{"step/a", "step/b"}));
}

TEST(TourOutput, FailsWhenAStepFailedAndTheOthersWereNotReached) {
  const Output output =
      TourOutput({{.title = "a", .passed = true}, {.title = "b", .detail = "not seen", .hint = "x"}}, 6);
  EXPECT_EQ(output.code, kNo);
  EXPECT_EQ((*output.data)["success"], false);
  EXPECT_NE(output.text.find("1 of 6 steps"), std::string::npos) << output.text;
}

}  // namespace
}  // namespace plait::cli
