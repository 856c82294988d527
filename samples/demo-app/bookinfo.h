#pragma once
// What the bookinfo services say to each other: the JSON of their HTTP interface, made and read. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "page.h"

namespace plait::demo {

// GET /details/ID
std::string DetailsJson(int id);
Part<BookDetails> ReadDetails(std::string_view json);
// The same of the first volume of an answer of the public book service (its v1 "volumes"); or why it has none.
Part<std::string> DetailsOfVolume(int id, std::string_view json);

// GET /ratings/ID: {"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}
struct Ratings {
  int reviewer1 = 0, reviewer2 = 0;  // -1: none of this reviewer
  friend bool operator==(const Ratings&, const Ratings&) = default;
};
inline constexpr Ratings kFirstRatings = {.reviewer1 = 5, .reviewer2 = 4};  // what upstream's ratings begin with
std::string RatingsJson(int id, Ratings ratings = kFirstRatings);
std::optional<Ratings> ReadRatings(std::string_view json);
// POST /ratings/ID: the answer, and that to each GET from then on. As upstream's, whatever is JSON counts for ratings;
// nullopt: it is none.
std::optional<std::string> PostedRatingsJson(int id, std::string_view ratings);

// GET /reviews/ID. `color` is empty for v1, which has no ratings; else `ratings` or the reason why there are none.
struct ReviewsAnswer {
  int id = 0;
  std::string pod;
  std::string cluster;
  std::string color;
  std::optional<Ratings> ratings;
};
std::string ReviewsJson(const ReviewsAnswer& answer);
Part<Reviews> ReadReviews(std::string_view json);

// GET /api/v1/products and /api/v1/products/0
std::string ProductsJson();
std::string ProductJson(const Part<BookDetails>& details);

// {"error": text}
std::string ErrorJson(std::string_view text);
}  // namespace plait::demo
