#include "bookinfo.h"

#include <gtest/gtest.h>

namespace plait::demo {
namespace {

TEST(Bookinfo, ReviewsOfVersionOneCarryNoRating) {
  const Part<Reviews> reviews = ReadReviews(ReviewsJson({.id = 0, .pod = "reviews-v1-0", .cluster = {}, .color = {}, .ratings = {}}));
  ASSERT_TRUE(reviews.value);
  EXPECT_EQ(reviews.value->pod, "reviews-v1-0");
  ASSERT_EQ(reviews.value->list.size(), 2u);
  EXPECT_FALSE(reviews.value->list[0].stars);
}

TEST(Bookinfo, ReviewsCarryStarsAndColorOfTheirVersion) {
  const Part<Reviews> reviews = ReadReviews(ReviewsJson({.id = 0, .pod = "p", .cluster = {}, .color = "red", .ratings = ReadRatings(RatingsJson(0))}));
  ASSERT_TRUE(reviews.value);
  EXPECT_EQ(reviews.value->list[0].stars, 5);
  EXPECT_EQ(reviews.value->list[1].stars, 4);
  EXPECT_EQ(reviews.value->list[1].color, "red");
}

TEST(Bookinfo, ReviewsWithoutRatingsSayWhy) {
  const Part<Reviews> reviews = ReadReviews(ReviewsJson({.id = 0, .pod = "p", .cluster = {}, .color = "black", .ratings = {}}));
  ASSERT_TRUE(reviews.value);
  EXPECT_EQ(reviews.value->list[0].rating_error, "Ratings service is currently unavailable");
}

TEST(Bookinfo, AnythingButTheExpectedJsonIsAReasonAndNoCrash) {
  for (const char* bad : {"", "RBAC: access denied", "[]", "{}", "{\"reviews\":3}", "\xff\xfe", "{\"error\":\"broken\"}"}) {
    EXPECT_FALSE(ReadReviews(bad).value) << bad;
    EXPECT_FALSE(ReadReviews(bad).error.empty()) << bad;
    EXPECT_FALSE(ReadRatings(bad)) << bad;
  }
  EXPECT_EQ(ReadDetails("{\"error\":\"broken\"}").error, "broken");
}

TEST(Page, EscapesWhatComesFromOutside) {
  ProductPage page{.user = "<script>", .served_by = "pod", .details = ReadDetails(DetailsJson(0)), .reviews = {.value = {}, .error = "<b>"}};
  const std::string html = RenderProductPage(page);
  EXPECT_EQ(html.find("<script>"), std::string::npos);
  EXPECT_EQ(html.find("<b>reviews"), std::string::npos);
  EXPECT_NE(html.find("signed in as"), std::string::npos);
  EXPECT_NE(html.find("William Shakespeare"), std::string::npos);
}

}  // namespace
}  // namespace plait::demo
