// Matchers over a client's text. The input: options, the matcher's value, NUL, the text. Checked: kinds of matches are
// what they are called, case does not count where it is ignored, an inverted header matcher says the opposite, and the
// two readers of query parameters agree.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "core/http/path.h"
#include "proxy/match/string_match.h"

namespace {
using namespace plait;
using proxy::match::StringMatch;
using Kind = xds::StringMatcher::Kind;

bool Expected(Kind kind, std::string_view value, std::string_view text) {
  switch (kind) {
    case Kind::kExact: return text == value;
    case Kind::kPrefix: return text.substr(0, value.size()) == value;
    case Kind::kSuffix: return text.size() >= value.size() && text.substr(text.size() - value.size()) == value;
    default: return text.find(value) != std::string_view::npos;
  }
}

void Text(const xds::StringMatcher& matcher, std::string_view text) {
  const auto match = StringMatch::Compile(matcher);
  if (!match) {
    PLAIT_CHECK(matcher.kind == Kind::kRegex && !match.error().message.empty());
    return;
  }
  const bool matches = match->Matches(text);
  PLAIT_CHECK(matcher.kind == Kind::kRegex || !match->Describe().empty() || matcher.value.empty());
  if (matcher.kind == Kind::kRegex) return;
  const bool expected = matcher.ignore_case ? Expected(matcher.kind, ToLower(matcher.value), ToLower(text))
                                            : Expected(matcher.kind, matcher.value, text);
  PLAIT_CHECK(matches == expected);
}

// Each line of the text is a value of the field.
void Header(xds::HeaderMatcher matcher, std::string_view text) {
  http::Headers headers;
  if (!text.empty())
    for (const std::string_view value : Split(text, '\n')) headers.Add("X-A", value);
  const auto match = proxy::match::HeaderMatch::Compile(matcher);
  if (!match) return;
  matcher.invert = !matcher.invert;
  const auto opposite = proxy::match::HeaderMatch::Compile(matcher);
  const bool there = !headers.empty() || matcher.treat_missing_as_empty;
  // Without the field neither matches, unless it is asked whether it is there.
  if (there || std::holds_alternative<xds::PresentMatcher>(matcher.value))
    PLAIT_CHECK(match->Matches(headers) != opposite->Matches(headers));
  else
    PLAIT_CHECK(!match->Matches(headers) && !opposite->Matches(headers));
  http::RequestHead head;
  head.headers = headers;
  PLAIT_CHECK(match->Matches(head) == match->Matches(headers));
  std::string scratch;
  const auto joined = proxy::match::HeaderValue(head, "x-a", scratch);
  PLAIT_CHECK(joined.has_value() == !headers.empty());
  std::string commas(text);
  std::replace(commas.begin(), commas.end(), '\n', ',');
  if (joined) PLAIT_CHECK(*joined == commas);
}

void Query(const xds::StringMatcher& matcher, std::string_view text) {
  const std::string_view query = text.substr(0, text.find('#'));
  const auto value = proxy::match::QueryParameter(query, "a");
  PLAIT_CHECK(value == http::QueryParameter("/p?" + std::string(query), "a"));
  const auto match = proxy::match::QueryMatch::Compile({.name = "a", .value = matcher});
  if (!match || matcher.kind == Kind::kRegex) return;
  PLAIT_CHECK(match->Matches(query) == (value && StringMatch::Compile(matcher)->Matches(*value)));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4096) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view value = input.substr(0, input.find('\0'));
  const std::string_view text = input.substr(std::min(value.size() + 1, input.size()));
  const std::uint8_t options = data[0];
  xds::StringMatcher matcher{.kind = static_cast<Kind>(options % 5), .value = std::string(value)};
  matcher.ignore_case = (options & 8) != 0 && matcher.kind != Kind::kRegex;
  Text(matcher, text);
  xds::HeaderMatcher header;
  header.name = "X-a";
  header.invert = (options & 16) != 0;
  header.treat_missing_as_empty = (options & 32) != 0;
  header.value = matcher;
  if ((options & 192) == 64) header.value = xds::PresentMatcher{.present = value != "0"};
  if ((options & 192) == 128) header.value = xds::Int64Range{.start = ParseInt(value).value_or(-5), .end = 100};
  Header(header, text);
  Query(matcher, text);
  return 0;
}
