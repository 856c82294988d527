#include "bookinfo.h"

#include <nlohmann/json.hpp>

#include "core/base/strings.h"

namespace plait::demo {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::string_view kTitle = "The Comedy of Errors";

// Third-party exceptions end here: a discarded value stands for anything that is not JSON.
Json Read(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

std::string Text(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* key, std::int64_t otherwise = 0) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<std::int64_t>() : otherwise;
}

// A number, or the year that a date begins with.
std::int64_t Year(const Json& object) {
  const std::string date = Text(object, "year");
  return date.empty() ? Number(object, "year")
                      : static_cast<std::int64_t>(ParseUint(std::string_view(date).substr(0, 4)).value_or(0));
}

std::string ErrorOf(const Json& object, const char* otherwise) {
  const std::string said = object.is_object() ? Text(object, "error") : std::string();
  return said.empty() ? otherwise : said;
}
}  // namespace

std::string DetailsJson(int id) {
  return Json{{"id", id},
              {"author", "William Shakespeare"},
              {"year", 1595},
              {"type", "paperback"},
              {"pages", 200},
              {"publisher", "PublisherA"},
              {"language", "English"},
              {"ISBN-10", "1234567890"},
              {"ISBN-13", "123-1234567890"}}
      .dump();
}

Part<std::string> DetailsOfVolume(int id, std::string_view json) {
  const Json answer = Read(json);
  const auto items = answer.is_object() ? answer.find("items") : answer.end();
  const bool has = items != answer.end() && items->is_array() && !items->empty() && items->front().is_object() &&
                   items->front().contains("volumeInfo") && items->front()["volumeInfo"].is_object();
  if (!has) return {.value = {}, .error = "its answer has no volume"};
  const Json& book = items->front()["volumeInfo"];
  const auto list = [&](const char* key) {
    return book.contains(key) && book[key].is_array() ? book[key] : Json::array();
  };
  const auto isbn = [&](std::string_view type) {
    for (const Json& entry : list("industryIdentifiers"))
      if (entry.is_object() && Text(entry, "type") == type) return Text(entry, "identifier");
    return std::string();
  };
  const Json authors = list("authors");
  const std::string author =
      !authors.empty() && authors.front().is_string() ? authors.front().get<std::string>() : std::string();
  return {
      .value = Json{{"id", id},
                    {"author", author},
                    {"year",
                     Text(book, "publishedDate")},  // as upstream: what the service says, with or without month and day
                    {"type", Text(book, "printType") == "BOOK" ? "paperback" : "unknown"},
                    {"pages", Number(book, "pageCount")},
                    {"publisher", Text(book, "publisher")},
                    {"language", Text(book, "language") == "en" ? "English" : "unknown"},
                    {"ISBN-10", isbn("ISBN_10")},
                    {"ISBN-13", isbn("ISBN_13")}}
                   .dump(-1, ' ', false, Json::error_handler_t::replace),
      .error = {}};
}

Part<BookDetails> ReadDetails(std::string_view json) {
  const Json object = Read(json);
  if (!object.is_object() || object.contains("error"))
    return {.value = {}, .error = ErrorOf(object, "the details service gave no JSON object")};
  return {.value = BookDetails{.author = Text(object, "author"),
                               .publisher = Text(object, "publisher"),
                               .language = Text(object, "language"),
                               .isbn10 = Text(object, "ISBN-10"),
                               .isbn13 = Text(object, "ISBN-13"),
                               .type = Text(object, "type"),
                               .year = Year(object),
                               .pages = Number(object, "pages")},
          .error = {}};
}

std::string RatingsJson(int id, Ratings ratings) {
  return Json{{"id", id}, {"ratings", {{"Reviewer1", ratings.reviewer1}, {"Reviewer2", ratings.reviewer2}}}}.dump();
}

std::optional<Ratings> ReadRatings(std::string_view json) {
  const Json object = Read(json);
  if (!object.is_object() || !object.contains("ratings") || !object["ratings"].is_object()) return std::nullopt;
  const Json& ratings = object["ratings"];
  return Ratings{.reviewer1 = static_cast<int>(Number(ratings, "Reviewer1", -1)),
                 .reviewer2 = static_cast<int>(Number(ratings, "Reviewer2", -1))};
}

std::optional<std::string> PostedRatingsJson(int id, std::string_view ratings) {
  Json posted = Read(ratings);
  if (posted.is_discarded()) return std::nullopt;
  return Json{{"id", id}, {"ratings", std::move(posted)}}.dump();
}

std::string ReviewsJson(const ReviewsAnswer& answer) {
  const auto review = [&](const char* who, const char* text, int Ratings::* stars) {
    Json out{{"reviewer", who}, {"text", text}};
    if (answer.color.empty()) return out;
    if (answer.ratings && (*answer.ratings).*stars != -1)
      out["rating"] = Json{{"stars", (*answer.ratings).*stars}, {"color", answer.color}};
    else
      out["rating"] = Json{{"error", "Ratings service is currently unavailable"}};
    return out;
  };
  return Json{
      {"id", std::to_string(answer.id)},
      {"podname", answer.pod},
      {"clustername", answer.cluster.empty() ? "null" : answer.cluster},
      {"reviews",
       {review("Reviewer1",
               "Pure delight: doors, letters and purses go astray until the very last scene, and I laughed at each.",
               &Ratings::reviewer1),
        review("Reviewer2", "Great fun on stage. On paper one should keep a list of who is whose twin.",
               &Ratings::reviewer2)}}}
      .dump();
}

Part<Reviews> ReadReviews(std::string_view json) {
  const Json object = Read(json);
  if (!object.is_object() || !object.contains("reviews") || !object["reviews"].is_array())
    return {.value = {}, .error = ErrorOf(object, "the reviews service gave no list of reviews")};
  Reviews out{.pod = Text(object, "podname"), .list = {}};
  for (const Json& entry : object["reviews"]) {
    if (!entry.is_object()) continue;
    Review review{
        .reviewer = Text(entry, "reviewer"), .text = Text(entry, "text"), .stars = {}, .color = {}, .rating_error = {}};
    if (const auto rating = entry.find("rating"); rating != entry.end() && rating->is_object()) {
      review.rating_error = Text(*rating, "error");
      review.color = Text(*rating, "color");
      if (rating->contains("stars")) review.stars = static_cast<int>(Number(*rating, "stars"));
    }
    out.list.push_back(std::move(review));
  }
  return {.value = std::move(out), .error = {}};
}

std::string ProductsJson() {
  return Json::array(
             {Json{
                 {"id", 0}, {"title", kTitle}, {"descriptionHtml", "Two pairs of twins meet in one town on one day."}}})
      .dump();
}

std::string ProductJson(const Part<BookDetails>& details) {
  if (!details.value) return ErrorJson(details.error);
  const BookDetails& d = *details.value;
  return Json{{"id", 0},
              {"author", d.author},
              {"year", d.year},
              {"type", d.type},
              {"pages", d.pages},
              {"publisher", d.publisher},
              {"language", d.language},
              {"ISBN-10", d.isbn10},
              {"ISBN-13", d.isbn13}}
      .dump();
}

std::string ErrorJson(std::string_view text) { return Json{{"error", text}}.dump(); }

}  // namespace plait::demo
