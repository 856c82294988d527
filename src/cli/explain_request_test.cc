#include "cli/explain_request.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

ExplainWords Words(std::string to, std::string method = "", std::string url = "") {
  return {.to = std::move(to), .method = std::move(method), .url = std::move(url), .headers = {}};
}

TEST(ExplainRequest, IsMadeOfHostMethodAndPath) {
  const auto request = ReadExplainRequest(Words("reviews:9080", "POST", "/reviews/0?a=b#c"));
  ASSERT_TRUE(request) << request.error().ToString();
  EXPECT_EQ(request->to, "reviews");
  EXPECT_EQ(request->port, 9080);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->path, "/reviews/0?a=b");
  EXPECT_EQ(OutboundQuery(*request), "to=reviews&random=0&port=9080&method=POST&path=%2Freviews%2F0%3Fa%3Db");
}

TEST(ExplainRequest, TakesAUrlInThePlaceOfHostOrMethod) {
  const auto to = ReadExplainRequest(Words("http://reviews:9080/reviews/0", "HEAD"));
  ASSERT_TRUE(to) << to.error().ToString();
  EXPECT_EQ(to->to, "reviews");
  EXPECT_EQ(to->port, 9080);
  EXPECT_EQ(to->host, "reviews:9080");
  EXPECT_EQ(to->path, "/reviews/0");
  EXPECT_EQ(to->method, "HEAD");
  const auto method = ReadExplainRequest(Words("10.96.0.7", "http://shop.example/cart"));
  ASSERT_TRUE(method) << method.error().ToString();
  EXPECT_EQ(method->to, "10.96.0.7");
  EXPECT_EQ(method->port, 80) << "of the URL";
  EXPECT_EQ(method->host, "shop.example");
  EXPECT_EQ(method->method, "GET");
}

TEST(ExplainRequest, TakesTheHostOfAHeaderInThePlaceOfTo) {
  for (const char* header : {"Host: ratings", "host:ratings", "HOST:  ratings ", ":authority: ratings"}) {
    const auto request =
        ReadExplainRequest({.to = "details", .method = "GET", .url = "/details/0", .headers = {"a: b", header}});
    ASSERT_TRUE(request) << request.error().ToString();
    EXPECT_EQ(request->to, "details") << "where the connection goes";
    EXPECT_EQ(request->host, "ratings") << header;
    EXPECT_EQ(request->headers, std::vector<std::string>{"a: b"}) << header;
    EXPECT_NE(OutboundQuery(*request).find("&host=ratings&"), std::string::npos) << OutboundQuery(*request);
    EXPECT_NE(PlaintextQuery(*request, 9080, "10.0.0.1").find("&host=ratings&"), std::string::npos);
  }
  const auto same =
      ReadExplainRequest({.to = "http://reviews:9080/x", .method = {}, .url = {}, .headers = {"Host: Reviews"}});
  ASSERT_TRUE(same) << "of one host, a client sends that of the header";
  EXPECT_EQ(same->host, "Reviews");
}

TEST(ExplainRequest, SaysOfTwoHostsHowToAskWithOne) {
  const auto two = ReadExplainRequest(
      {.to = "http://details:9080/details/0", .method = {}, .url = {}, .headers = {"Host: ratings"}});
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().message, "-H \"Host: ratings\" names another host than details:9080");
  EXPECT_NE(two.error().hint.find("details:9080 GET /details/0 -H 'Host: ratings'"), std::string::npos)
      << two.error().hint;
}

TEST(ExplainRequest, KnowsAddressesOfBothFamilies) {
  EXPECT_EQ(ReadExplainRequest(Words("fd00::7"))->to, "fd00::7");
  EXPECT_EQ(ReadExplainRequest(Words("[fd00::7]:80"))->to, "fd00::7");
  EXPECT_EQ(ReadExplainRequest(Words("[fd00::7]:80"))->port, 80);
  EXPECT_EQ(ReadExplainRequest(Words("http://[fd00::7]:81/x"))->port, 81);
  EXPECT_EQ(ReadExplainRequest(Words("10.0.0.1:81"))->port, 81);
}

TEST(ExplainRequest, BeginsTlsOfTheCallersOwnForHttpsOrAServerName) {
  const auto url = ReadExplainRequest(Words("https://api.example.com/v1"));
  ASSERT_TRUE(url) << url.error().ToString();
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(OutboundQuery(*url),
            "to=api.example.com&random=0&port=443&method=GET&path=%2Fv1&host=api.example.com&sni=api.example.com");
  EXPECT_NE(PlaintextQuery(*url, 8443, "10.244.0.2").find("&sni=api.example.com"), std::string::npos);
  const auto other = ReadExplainRequest(Words("10.96.0.7", "https://shop.example:8443/cart"));
  ASSERT_TRUE(other) << other.error().ToString();
  EXPECT_EQ(other->to, "10.96.0.7");
  EXPECT_EQ(other->port, 8443);
  EXPECT_EQ(other->sni, "shop.example");
  const auto named =
      ReadExplainRequest({.to = "https://a.example", .method = {}, .url = {}, .headers = {}, .sni = "b.example"});
  ASSERT_TRUE(named) << named.error().ToString();
  EXPECT_EQ(named->sni, "b.example");
  const auto address = ReadExplainRequest(Words("https://10.96.0.7/"));
  ASSERT_TRUE(address) << address.error().ToString();
  EXPECT_EQ(address->sni, "") << "an address is no server name";
  EXPECT_TRUE(address->tcp);
  EXPECT_EQ(ReadExplainRequest(Words("web:443"))->sni, "");
}

struct Wrong {
  ExplainWords words;
  const char* says;
};
class WrongRequest : public testing::TestWithParam<Wrong> {};
TEST_P(WrongRequest, IsNamedWithWhatItMayBe) {
  const auto request = ReadExplainRequest(GetParam().words);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Errc::kInvalidInput);
  EXPECT_NE(request.error().message.find(GetParam().says), std::string::npos) << request.error().message;
  EXPECT_FALSE(request.error().hint.empty());
}
INSTANTIATE_TEST_SUITE_P(
    All, WrongRequest,
    testing::Values(
        Wrong{Words("details:99999"), "TO \"details:99999\" has no port that can be"},
        Wrong{Words("details:0"), "no port that can be: 0"}, Wrong{Words("details:http"), "no port that can be: http"},
        Wrong{Words(""), "is no host"}, Wrong{Words(":80"), "is no host"}, Wrong{Words("[web]:80"), "is no host"},
        Wrong{Words("a b"), "is no host"}, Wrong{Words("/reviews"), "names no host"},
        Wrong{Words("http://"), "has no HOST"}, Wrong{Words("http://a:b/"), "has no HOST or HOST:PORT"},
        Wrong{Words("ftp://web/"), "begins with ftp://"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {}, .sni = "a:443"}, "--sni \"a:443\" is no name"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {}, .sni = "10.0.0.1"}, "is no name of a host"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {}, .sni = "a b"}, "is no name of a host"},
        Wrong{Words("http://web/", "GET", "/x"), "one too many"},
        Wrong{Words("web", "reviews/0"), "METHOD \"reviews/0\" is none"},
        Wrong{Words("web", "GET", "x"), "neither a path nor a URL"}, Wrong{Words("web", "GET", "/a b"), "has a blank"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"bad"}}, "-H \"bad\" is not NAME:VALUE"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"a b: c"}}, "is not NAME:VALUE"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"a: b\nc: d"}}, "line break"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {":path: /x"}}, "is not NAME:VALUE"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"Host:"}}, "has no host that can be"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"Host: a b"}}, "has no host that can be"},
        Wrong{{.to = "web", .method = {}, .url = {}, .headers = {"Host: a", "host: b"}}, "another host than a"},
        Wrong{{.to = "10.0.0.1", .method = {}, .url = "http://shop/", .headers = {"Host: b"}},
              "another host than shop"}));

TEST(ExplainRequest, ArrivesInPlaintextAsItWasSent) {
  const auto request = ReadExplainRequest({.to = "details", .method = {}, .url = "/x", .headers = {"a: b"}});
  ASSERT_TRUE(request);
  EXPECT_EQ(PlaintextQuery(*request, 9080, "10.244.0.2"),
            "direction=inbound&port=9080&source=10.244.0.2&method=GET&path=%2Fx&host=details%3A9080&header=a%3A%20b");
}

TEST(ExplainRequest, IsWrittenForAShellAsItWasAsked) {
  EXPECT_EQ(ShellWords("web-0", Words("details:9080", "GET", "/a?b=c")), "web-0 details:9080 GET '/a?b=c'");
  EXPECT_EQ(
      ShellWords("web-0",
                 {.to = "details", .method = {}, .url = "/it's", .headers = {"end-user: jason", "x: y"}, .random = 7}),
      "web-0 details '/it'\\''s' -H 'end-user: jason' -H 'x: y' --random 7");
  EXPECT_EQ(ShellWords("web", {.to = "db:443", .method = {}, .url = {}, .headers = {}, .sni = "a.b", .tcp = true}),
            "web db:443 --sni a.b --tcp");
  EXPECT_EQ(ShellWords("$(id)", {.to = "db", .method = {}, .url = {}, .headers = {}, .tcp = true}), "'$(id)' db --tcp");
}

}  // namespace
}  // namespace plait::cli
