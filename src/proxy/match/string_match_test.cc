#include "proxy/match/string_match.h"

#include <gtest/gtest.h>

namespace plait::proxy::match {
namespace {
using Kind = xds::StringMatcher::Kind;

bool Text(Kind kind, std::string value, bool ignore_case, std::string_view text) {
  return StringMatch::Compile({.kind = kind, .value = std::move(value), .ignore_case = ignore_case})
      .value()
      .Matches(text);
}

TEST(StringMatch, MatchesEachKind) {
  EXPECT_TRUE(Text(Kind::kExact, "a", false, "a"));
  EXPECT_FALSE(Text(Kind::kExact, "a", false, "A"));
  EXPECT_TRUE(Text(Kind::kExact, "aB", true, "Ab"));
  EXPECT_TRUE(Text(Kind::kPrefix, "/Api", true, "/aPi/x"));
  EXPECT_FALSE(Text(Kind::kPrefix, "/api", false, "/ap"));
  EXPECT_TRUE(Text(Kind::kSuffix, ".com", false, "a.com"));
  EXPECT_FALSE(Text(Kind::kSuffix, ".com", false, "com"));
  EXPECT_TRUE(Text(Kind::kContains, "mid", true, "aMIDb"));
  EXPECT_TRUE(Text(Kind::kRegex, "a+b", false, "aab"));
  EXPECT_FALSE(Text(Kind::kRegex, "a+b", false, "aabc")) << "regex must match the whole text";
}

TEST(StringMatch, RefusesABrokenRegexWithItsText) {
  const auto bad = StringMatch::Compile({.kind = Kind::kRegex, .value = "a("});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("'a('"), std::string::npos);
}

http::RequestHead Head() {
  http::RequestHead head;
  head.method = "GET";
  head.authority = "a.example:80";
  head.path = "/x?y=1";
  return head;
}

bool Header(xds::HeaderMatcher rule, const http::RequestHead& head) {
  return HeaderMatch::Compile(rule).value().Matches(head);
}

TEST(HeaderMatch, SeesPseudoFieldsAndNumbers) {
  http::RequestHead head = Head();
  head.headers.Add("x-b", "2");
  EXPECT_TRUE(Header({.name = ":method", .value = xds::StringMatcher{.value = "GET"}}, head));
  EXPECT_TRUE(Header({.name = "host", .value = xds::StringMatcher{.value = "a.example:80"}}, head));
  EXPECT_TRUE(Header({.name = "x-b", .value = xds::Int64Range{2, 3}}, head));
  EXPECT_FALSE(Header({.name = "x-b", .value = xds::Int64Range{0, 2}}, head));
}

TEST(HeaderMatch, LooksAtEachOfSeveralFieldsByItself) {
  http::RequestHead head = Head();
  head.headers.Add("X-A", "harmless");
  head.headers.Add("x-a", "mallory");
  const auto exact = [&](const char* value, bool invert) {
    return Header({.name = "x-a", .value = xds::StringMatcher{.value = value}, .invert = invert}, head);
  };
  EXPECT_TRUE(exact("mallory", false)) << "a rule that denies it cannot be passed by a line before it";
  EXPECT_TRUE(exact("harmless", false));
  EXPECT_FALSE(exact("harmless,mallory", false));
  EXPECT_FALSE(exact("mallory", true)) << "inverted: none of them may match";
  EXPECT_TRUE(exact("else", true));
  HeaderMatch match = HeaderMatch::Compile({.name = "x-a", .value = xds::StringMatcher{.value = "mallory"}}).value();
  EXPECT_TRUE(match.Matches(head.headers));
}

TEST(HeaderMatch, NeverMatchesAMissingFieldUnlessItCountsAsEmpty) {
  const http::RequestHead head = Head();
  const xds::StringMatcher empty{.value = ""};
  EXPECT_FALSE(Header({.name = "x", .value = empty}, head));
  EXPECT_FALSE(Header({.name = "x", .value = xds::StringMatcher{.value = "1"}, .invert = true}, head));
  EXPECT_TRUE(Header(
      {.name = "x", .value = xds::StringMatcher{.value = "1"}, .invert = true, .treat_missing_as_empty = true}, head));
  EXPECT_TRUE(Header({.name = "x", .value = xds::PresentMatcher{false}}, head));
  EXPECT_TRUE(Header({.name = "x", .value = xds::PresentMatcher{true}, .invert = true}, head));
}

TEST(QueryMatch, TakesTheFirstParameterAsItIsWritten) {
  const auto exact = QueryMatch::Compile({.name = "a", .value = xds::StringMatcher{.value = "1%202"}}).value();
  EXPECT_TRUE(exact.Matches("b=0&a=1%202&a=3"));
  EXPECT_FALSE(exact.Matches("a=3&a=1%202"));
  EXPECT_FALSE(exact.Matches("a=1 2"));
  EXPECT_FALSE(exact.Matches(""));
  const auto present = QueryMatch::Compile({.name = "a", .value = xds::PresentMatcher{}}).value();
  EXPECT_TRUE(present.Matches("a"));
  EXPECT_FALSE(present.Matches("ab=1"));
}

}  // namespace
}  // namespace plait::proxy::match
