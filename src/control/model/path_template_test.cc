#include "control/model/path_template.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "control/model/decode.h"

namespace plait::control::model {
namespace {

bool Matches(const char* path_template, const char* path) {
  return RE2::FullMatch(path, PathTemplateRegex(path_template));
}

TEST(PathTemplate, HasSegmentsOfOneAndOfMany) {
  EXPECT_TRUE(Matches("/foo/{*}", "/foo/bar"));
  EXPECT_FALSE(Matches("/foo/{*}", "/foo/bar/baz"));
  EXPECT_TRUE(Matches("/foo/{*}/bar/{**}", "/foo/buzz/bar/"));
  EXPECT_TRUE(Matches("/foo/{*}/bar/{**}", "/foo/buzz/bar/baz"));
}

TEST(PathTemplate, MayGoOnAfterManySegments) {
  EXPECT_TRUE(Matches("/foo/{**}/", "/foo/bar/"));
  EXPECT_TRUE(Matches("/foo/{**}/", "/foo//"));
  EXPECT_FALSE(Matches("/foo/{**}/", "/foo/bar"));
  EXPECT_TRUE(Matches("/store/{**}/cart", "/store/a/b/cart"));
  EXPECT_FALSE(Matches("/store/{**}/cart", "/store/a/b/basket"));
}

TEST(PathTemplate, IsRefusedWhereItsOperatorsStandWrong) {
  const auto is_invalid = [](const std::string& path) {
    const Decoded read = DecodeText(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: default}\nspec:\n"
        "  rules:\n  - to: [{operation: {paths: ['" +
            path + "']}}]\n",
        "f.yaml");
    return std::get<AuthorizationPolicy>(*read.objects.at(0)).invalid;
  };
  for (const char* right : {"/foo/{*}", "/foo/{**}/", "/foo/{*}/bar/{**}", "/store/{**}/cart", "/a*", "*"}) {
    EXPECT_FALSE(is_invalid(right)) << right;
  }
  for (const char* wrong :
       {"/*/baz/{*}", "/**/baz/{*}", "/{**}/foo/{*}", "/{**}/{**}", "/foo/{*}.txt", "/{", "/{id}"}) {
    EXPECT_TRUE(is_invalid(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace plait::control::model
