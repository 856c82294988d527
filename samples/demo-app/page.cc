#include "page.h"

#include <fmt/format.h>

namespace plait::demo {
namespace {

constexpr std::string_view kStyle = R"css(
:root{--ink:#1d2430;--soft:#5d6778;--line:#dfe4ec;--paper:#fff;--back:#f3f5f9;--accent:#3a5bd9;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--soft:#9aa6ba;--line:#2d3545;--paper:#181d27;--back:#10141c;--accent:#8aa4ff;--bad:#ff8a80}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header{display:flex;gap:1rem;align-items:center;padding:.8rem 1.5rem;background:var(--paper);border-bottom:1px solid var(--line)}
header b{font-size:1.1rem}header form,header span{margin-left:auto;display:flex;gap:.5rem;align-items:center}
input,button{font:inherit;padding:.3rem .7rem;border:1px solid var(--line);border-radius:.5rem;background:var(--paper);color:var(--ink)}
button{background:var(--accent);border-color:var(--accent);color:var(--paper);cursor:pointer}
main{max-width:64rem;margin:2rem auto;padding:0 1.5rem;display:grid;gap:1.5rem;grid-template-columns:15rem 1fr}
@media(max-width:44rem){main{grid-template-columns:minmax(0,1fr)}header{flex-wrap:wrap}header form{margin-left:0;width:100%}
header input{min-width:0;flex:1}header button{white-space:nowrap}}
section{background:var(--paper);border:1px solid var(--line);border-radius:.9rem;padding:1.3rem 1.5rem}
h1{margin:0 0 .4rem;font-size:1.7rem}h2{margin:0 0 .8rem;font-size:1.1rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:0}dt{color:var(--soft)}dd{margin:0}
.cover{padding:0;overflow:hidden;border:0}.cover svg{display:block;width:100%;height:auto;border-radius:.9rem}
.review{border-top:1px solid var(--line);padding:.9rem 0}.review:first-of-type{border-top:0}
.stars{font-size:1.3rem;letter-spacing:.12em}.stars.red{color:#d93025}.stars .off{opacity:.2}
.by,.chip{color:var(--soft);font-size:.85rem}.chip{border:1px solid var(--line);border-radius:1rem;padding:.1rem .6rem;display:inline-block}
.error{color:var(--bad)}.wide{grid-column:1/-1}
)css";

constexpr std::string_view kCover = R"svg(<svg viewBox="0 0 240 340" role="img" aria-label="Book cover">
<rect width="240" height="340" fill="#24387f"/><rect x="14" y="14" width="212" height="312" fill="none" stroke="#c8d3ff" stroke-width="2"/>
<text x="120" y="84" fill="#fff" font-family="serif" font-size="27" text-anchor="middle">The Comedy</text>
<text x="120" y="116" fill="#fff" font-family="serif" font-size="27" text-anchor="middle">of Errors</text>
<g fill="none" stroke="#ffd166" stroke-width="5" stroke-linecap="round"><path d="M78 176q-28 62 20 78q46-18 18-78q-20 10-38 0z"/>
<path d="M94 204h4M112 204h4M94 226q11 12 22 0"/><path d="M136 196q-28 62 20 78q46-18 18-78q-20 10-38 0z" stroke="#9fb4ff"/>
<path d="M152 224h4M170 224h4M152 252q11-12 22 0" stroke="#9fb4ff"/></g></svg>)svg";

std::string Stars(const Review& review) {
  if (!review.rating_error.empty()) return fmt::format("<div class=\"error\">{}</div>", EscapeHtml(review.rating_error));
  if (!review.stars) return "";
  std::string out = fmt::format("<div class=\"stars {}\" aria-label=\"{} of 5 stars\">", review.color == "red" ? "red" : "black", *review.stars);
  for (int i = 0; i < 5; ++i) out += i < *review.stars ? "<span>\xe2\x98\x85</span>" : "<span class=\"off\">\xe2\x98\x85</span>";
  return out + "</div>";
}

std::string ReviewsSection(const Part<Reviews>& part) {
  if (!part.value) return fmt::format("<p class=\"error\">No reviews: {}</p>", EscapeHtml(part.error));
  std::string out;
  for (const Review& review : part.value->list) {
    out += fmt::format("<div class=\"review\">{}<p>{}</p><div class=\"by\">{}</div></div>", Stars(review), EscapeHtml(review.text),
                       EscapeHtml(review.reviewer));
  }
  return out + fmt::format("<p class=\"chip\" id=\"reviews-pod\">answered by {}</p>", EscapeHtml(part.value->pod));
}

std::string DetailsSection(const Part<BookDetails>& part) {
  if (!part.value) return fmt::format("<p class=\"error\">No details: {}</p>", EscapeHtml(part.error));
  const BookDetails& d = *part.value;
  return fmt::format(
      "<dl><dt>Author</dt><dd>{}</dd><dt>Year</dt><dd>{}</dd><dt>Type</dt><dd>{}</dd><dt>Pages</dt><dd>{}</dd><dt>Publisher</dt><dd>{}</dd>"
      "<dt>Language</dt><dd>{}</dd><dt>ISBN-10</dt><dd>{}</dd><dt>ISBN-13</dt><dd>{}</dd></dl>",
      EscapeHtml(d.author), d.year, EscapeHtml(d.type), d.pages, EscapeHtml(d.publisher), EscapeHtml(d.language), EscapeHtml(d.isbn10),
      EscapeHtml(d.isbn13));
}

std::string SignIn(const std::string& user) {
  if (user.empty())
    return "<form method=\"post\" action=\"/login\"><input name=\"username\" placeholder=\"user, e.g. jason\" aria-label=\"User\" required>"
           "<input name=\"passwd\" type=\"password\" placeholder=\"any password\" aria-label=\"Password\"><button>Sign in</button></form>";
  return fmt::format("<span>signed in as <b id=\"user\">{}</b> <a href=\"/logout\">sign out</a></span>", EscapeHtml(user));
}

// Browsers ask for an icon of every page; this one comes with it.
constexpr std::string_view kIcon =
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' "
    "fill='%2324387f'/%3E%3Cpath d='M4 4h8v8H4z' fill='none' stroke='%23ffd166'/%3E%3C/svg%3E";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string RenderProductPage(const ProductPage& page) {
  return fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
      "<title>Bookinfo</title><link rel=\"icon\" href=\"{}\"><style>{}</style></head><body><header><b>Bookinfo</b>{}</header><main><section class=\"cover\">{}</section>"
      "<section><h1>The Comedy of Errors</h1><p>Two pairs of twins, separated at sea, meet in one town on one day, and nobody is taken for "
      "who he is.</p><h2>Book details</h2>{}</section><section class=\"wide\"><h2>Reviews</h2>{}</section>"
      "<p class=\"wide by\">page made by {}</p></main></body></html>",
      kIcon, kStyle, SignIn(page.user), kCover, DetailsSection(page.details), ReviewsSection(page.reviews), EscapeHtml(page.served_by));
}

}  // namespace plait::demo
