#include "control/model/http_checks.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

struct Case {
  const char* name;
  std::string rule;  // of `http`
  std::string said;
};

class HttpChecks : public ::testing::TestWithParam<Case> {};

std::string VirtualServiceWith(const std::string& rule) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec:\n  hosts: [web]\n  "
         "http:\n"
         "  - {name: good, match: [{uri: {exact: /}}], route: [{destination: {host: web}}]}\n  - {" +
         rule + "}\n";
}
std::string Routed(const std::string& more) { return "route: [{destination: {host: web}}], " + more; }

TEST_P(HttpChecks, LeaveOutTheRuleThatProxiesWouldRefuse) {
  const Decoded decoded = DecodeText(VirtualServiceWith(GetParam().rule), "f.yaml");
  ASSERT_EQ(decoded.objects.size(), 1U);
  const auto& rules = std::get<VirtualService>(*decoded.objects[0]).http;
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].name, "good");
  const std::string said = testing::Said(decoded.findings);
  EXPECT_NE(said.find(GetParam().said), std::string::npos) << said;
  EXPECT_NE(said.find("f.yaml:8:"), std::string::npos) << said;
}

const Case kCases[] = {
    {"a pseudo field of the request", Routed("headers: {request: {set: {':path': /other}}}"),
     "the header \":path\" cannot be written (use rewrite"},
    {"a pseudo field of the response", Routed("headers: {response: {add: {':status': '200'}}}"),
     "the header \":status\" cannot be written"},
    {"Host of the response", Routed("headers: {response: {set: {Host: a}}}"), "the header \"Host\" cannot be written"},
    {"a header of a destination", "route: [{destination: {host: web}, headers: {request: {set: {':path': /}}}}]",
     "the header \":path\" cannot be written"},
    {"a name with a blank", Routed("headers: {request: {set: {'x y': v}}}"), "this is no name of a header"},
    {"no name", Routed("headers: {request: {add: {'': v}}}"), "a header without a name"},
    {"a line break in a value", Routed("headers: {request: {set: {x: \"a\\r\\ny: b\"}}}"), "a line break"},
    {"NUL in a value", Routed("headers: {response: {set: {x: \"a\\0b\"}}}"), "another control character"},
    {"an operator that is not known", Routed("headers: {request: {set: {x: '%FOO%'}}}"), "(write a percent sign as %%"},
    {"a percent sign", Routed("headers: {response: {add: {x: '50% off'}}}"), "(write a percent sign as %%"},
    {"an authority in two lines", Routed("headers: {request: {set: {Host: \"a\\r\\ny: b\"}}}"), "a control character"},
    {"a field that each request has", Routed("headers: {request: {remove: [Host]}}"),
     "the header \"Host\" cannot be removed"},
    {"a field that cannot be there", Routed("headers: {request: {remove: ['a b']}}"), "this is no name of a header"},
    {"a target with a blank", Routed("rewrite: {uri: '/a b'}"), "a blank or a control character (write a blank as %20"},
    {"a target in two lines", Routed("rewrite: {uri: \"/a\\r\\nx: y\"}"), "a control character"},
    {"a rewritten authority in two lines", Routed("rewrite: {authority: \"a\\r\\nz: q\"}"), "a control character"},
    {"a group that is not there", Routed("rewrite: {uriRegexRewrite: {match: '/(a)', rewrite: '/\\2'}}"),
     "the rewrite cannot be: "},
    {"a substitution with a blank", Routed("rewrite: {uriRegexRewrite: {match: '/(a)', rewrite: '/\\1 b'}}"),
     "a blank"},
    {"a redirect in two lines", "redirect: {uri: \"/a\\r\\nx: y\"}", "a control character"},
    {"a redirect to two lines", "redirect: {authority: \"a\\r\\nx: y\"}", "a control character"},
    {"a body of more than a mebibyte",
     "directResponse: {status: 200, body: {string: " + std::string(kMaxDirectResponseBody + 1, 'a') + "}}",
     "the body is larger than 1 MiB"},
    {"a header without a name to match", Routed("match: [{headers: {'': {exact: a}}}]"), "a header without a name"},
    {"a prefix that is empty", Routed("match: [{uri: {prefix: ''}}]"), "the prefix is empty"},
    {"an expression that is empty", Routed("match: [{headers: {x: {regex: ''}}}]"), "the regular expression is empty"},
    {"an origin that is empty", Routed("corsPolicy: {allowOrigins: [{prefix: ''}]}"), "the prefix is empty"},
    {"no time between retries", Routed("retries: {attempts: 2, backoff: 0s}"), "the backoff is 0"},
};
INSTANTIATE_TEST_SUITE_P(Kinds, HttpChecks, ::testing::ValuesIn(kCases), [](const auto& one) {
  std::string name;
  for (const char c : std::string_view(one.param.name)) name += c == ' ' ? '_' : c;
  return name;
});

TEST(HttpChecksTest, LetStandWhatHttpLetsStand) {
  const std::string body =
      "directResponse: {status: 200, body: {string: " + std::string(kMaxDirectResponseBody, 'a') + "}}";
  for (const std::string& rule :
       {Routed("headers: {request: {set: {Host: other, x-a: 'a\tb ü %REQ(x-b)% 5%%'}, add: {':authority': other}, "
               "remove: [x-b]}}"),
        Routed("rewrite: {uri: /a%20b, authority: 'other:80'}"), Routed("match: [{headers: {':path': {exact: /}}}]"),
        Routed("rewrite: {uriRegexRewrite: {match: '/(a)', rewrite: '/\\1/\\0'}}"), body}) {
    const Decoded decoded = DecodeText(VirtualServiceWith(rule), "f.yaml");
    EXPECT_EQ(testing::Said(decoded.findings), "") << rule.substr(0, 200);
  }
}

TEST(HttpChecksTest, TellsAWordThatIsNoConditionOfARetry) {
  const Decoded decoded =
      DecodeText(VirtualServiceWith(Routed("retries: {attempts: 2, retryOn: '5xx,gateway-eror, 503'}")), "f.yaml");
  const std::string said = testing::Said(decoded.findings);
  EXPECT_NE(said.find("Warning [IST0133] f.yaml:8:"), std::string::npos) << said;
  EXPECT_NE(said.find("\"gateway-eror\" is no condition of a retry: it has no effect"), std::string::npos) << said;
  EXPECT_EQ(std::get<VirtualService>(*decoded.objects[0]).http.size(), 2U);
}

}  // namespace
}  // namespace plait::control::model
