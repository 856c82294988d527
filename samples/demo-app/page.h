#pragma once
// The productpage as HTML. Pure: everything that it shows is handed in, everything that comes from outside is escaped.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plait::demo {

struct BookDetails {
  std::string author, publisher, language, isbn10, isbn13, type;
  std::int64_t year = 0, pages = 0;
};

struct Review {
  std::string reviewer, text;
  std::optional<int> stars;   // none: this version of reviews shows no rating
  std::string color;          // "black" or "red"
  std::string rating_error;   // why there are no stars although this version asks for them
};

struct Reviews {
  std::string pod;            // which instance answered
  std::vector<Review> list;
};

// A part that could not be had carries the reason instead; the page is shown all the same.
template <class T>
struct Part {
  std::optional<T> value;
  std::string error;
};

struct ProductPage {
  std::string user;           // empty: not signed in
  std::string served_by;      // name of this pod
  Part<BookDetails> details;
  Part<Reviews> reviews;
};

std::string RenderProductPage(const ProductPage& page);
std::string EscapeHtml(std::string_view text);

}  // namespace plait::demo
