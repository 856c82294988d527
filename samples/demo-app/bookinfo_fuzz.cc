// What the roles read of others (answers of the other services and of the book service) and of their variables:
// anything is either understood or refused with a reason, and what is made of it is JSON.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bookinfo.h"
#include "core/base/bytes.h"
#include "database.h"

using namespace plait::demo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = plait::AsText({data, size});
  const auto details = ReadDetails(text);
  const auto reviews = ReadReviews(text);
  const auto volume = DetailsOfVolume(0, text);
  if (details.value.has_value() == !details.error.empty() || reviews.value.has_value() == !reviews.error.empty() ||
      volume.value.has_value() == !volume.error.empty())
    std::abort();
  if (volume.value && !ReadDetails(*volume.value).value) std::abort();
  if (const auto ratings = ReadRatings(text))
    if (!ReadReviews(ReviewsJson({.id = 0, .pod = {}, .cluster = {}, .color = "red", .ratings = ratings})).value)
      std::abort();
  if (const auto posted = PostedRatingsJson(0, text); posted && !nlohmann::json::accept(*posted)) std::abort();
  const auto database = ParseMongoUrl(text);
  if (database ? database->host.empty() || database->port == 0 : database.error().message.empty()) std::abort();
  return 0;
}
