#include "core/http/message.h"

#include <gtest/gtest.h>

#include "core/http/date.h"
#include "core/http/path.h"

namespace plait::http {
namespace {

TEST(Message, SplitsTargets) {
  EXPECT_EQ(PathOnly("/a/b?c=d#e"), "/a/b");
  EXPECT_EQ(QueryOf("/a/b?c=d?x#e"), "c=d?x");
  EXPECT_EQ(QueryOf("/a"), "");
}

TEST(Message, SplitsAuthorities) {
  EXPECT_EQ(HostOnly("a:80"), "a");
  EXPECT_EQ(PortOf("a:80"), 80);
  EXPECT_EQ(HostOnly("[::1]:8080"), "[::1]");
  EXPECT_EQ(PortOf("[::1]:8080"), 8080);
  EXPECT_EQ(HostOnly("[::1]"), "[::1]");
  EXPECT_EQ(HostOnly("fd00::1"), "fd00::1");
  EXPECT_EQ(PortOf("a:99999"), 0);
  EXPECT_EQ(PortOf("a"), 0);
}

TEST(Message, KnowsMethodsByTheirExactName) {
  EXPECT_TRUE(IsKnownMethod("GET"));
  EXPECT_TRUE(IsKnownMethod("VERSION-CONTROL"));
  EXPECT_FALSE(IsKnownMethod("get"));
  EXPECT_FALSE(IsKnownMethod("GETX"));
  EXPECT_FALSE(IsKnownMethod(""));
  EXPECT_TRUE(IsKnownMethodIgnoringCase("get"));
}

TEST(Message, KnowsGrpcByItsContentType) {
  EXPECT_TRUE(IsGrpc({{"Content-Type", "application/grpc"}}));
  EXPECT_TRUE(IsGrpc({{"content-type", "application/grpc+proto"}}));
  EXPECT_FALSE(IsGrpc({{"content-type", "application/grpc-web"}}));
  EXPECT_FALSE(IsGrpc({}));
}

struct PathCase {
  std::string_view in, out;
  PathVerdict verdict = PathVerdict::kOk;
};

void Check(const PathOptions& options, std::initializer_list<PathCase> cases) {
  for (const PathCase& c : cases) {
    std::string target(c.in);
    EXPECT_EQ(NormalizePath(target, options), c.verdict) << c.in;
    if (c.verdict != PathVerdict::kReject) {
      EXPECT_EQ(target, c.out) << c.in;
    }
  }
}

TEST(Path, IsNormalizedAsRfc3986) {
  Check({}, {{"/", "/"},
             {"/a/./b/../c", "/a/c"},
             {"/..", "/"},
             {"/a/..", "/"},
             {"/a/b/..", "/a/"},
             {"/a/.", "/a/"},
             {"/../../x", "/x"},
             {"/a/%2e%2E/b", "/b"},
             {"/%61dmin", "/admin"},
             {"/a%2Fb", "/a%2Fb"},
             {"/a\\..\\b", "/b"},
             {"/a//b", "/a//b"},
             {"/a//../b", "/a/b"},
             {"/a b\x80", "/a%20b%80"},
             {"/a/..?x=/../y", "/?x=/../y"},
             {"/%", "/%"},
             {"/%2", "/%2"},
             {"/%%32e%%32e/a", "/%252e%252e/a"},
             {"/%2%65%2%65/a", "/%252e%252e/a"},
             {"/%%32z", "/%2z"},
             {"*", "*"},
             {"/%00", "", PathVerdict::kReject},
             {std::string_view("/\0b", 3), "", PathVerdict::kReject},
             {"/a#b", "", PathVerdict::kReject}});
}

// A server that cuts parameters off sees "/deny" in "/x/..;/deny"; so must a policy.
TEST(Path, TakesADotSegmentWithParametersForOne) {
  Check({}, {{"/x/..;/deny", "/deny"},
             {"/.;/deny", "/deny"},
             {"/x/..;a=b/deny", "/deny"},
             {"/x/..;a=/../z", "/z"},
             {"/a/b/..;/..;/z", "/z"},
             {"/a/b/.;..;/z", "/a/b/z"},
             {"/x//..;/z", "/x/z"},
             {"/x/..;", "/"},
             {"/x/.;", "/x/"},
             {"/x/..;\\q/z", "/z"},
             {"/x/%2e%2e;/deny", "/deny"},
             {"/x/.%2E;q/deny", "/deny"},
             {"/x\\..;\\deny", "/deny"},
             {"/x/..;?q=/..;/z", "/?q=/..;/z"},
             {"/x/...;/z", "/x/...;/z"},
             {"/x/;../y;p/z", "/x/;../y;p/z"},
             {"/x/..%3b/z", "/x/..%3b/z"}});
  Check({.escaped_slashes = EscapedSlashes::kUnescapeAndForward}, {{"/x%2f..;%2fz", "/z"}, {"/x/..;a%2fb/z", "/b/z"}});
  Check({.normalize = false, .merge_slashes = true}, {{"/x/..;/z", "/x/..;/z"}});
}

TEST(Path, MergesSlashesOnlyWhenAsked) {
  Check({.merge_slashes = true}, {{"//a///b//?c=//", "/a/b/?c=//"}, {"///", "//"}, {"/", "/"}});
  Check({.normalize = false, .merge_slashes = true}, {{"/a//../b", "/a/../b"}});
}

TEST(Path, TreatsEscapedSlashesAsConfigured) {
  Check({.escaped_slashes = EscapedSlashes::kReject}, {{"/a%2fb", "/a/b", PathVerdict::kReject}, {"/a%41", "/aA"}});
  Check({.escaped_slashes = EscapedSlashes::kUnescapeAndForward}, {{"/a%2f..%5Cb", "/b"}});
  Check({.escaped_slashes = EscapedSlashes::kUnescapeAndRedirect},
        {{"/a%2Fb", "/a/b", PathVerdict::kRedirect}, {"/ab", "/ab"}});
}

TEST(Query, FindsTheFirstParameterOfAName) {
  EXPECT_EQ(QueryParameter("/p?a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(QueryParameter("/p?a&b=%20", "a"), "");
  EXPECT_EQ(QueryParameter("/p?a&b=%20", "b"), "%20");
  EXPECT_EQ(QueryParameter("/p?ab=1", "a"), std::nullopt);
  EXPECT_EQ(QueryParameter("/p", "a"), std::nullopt);
}

TEST(Date, IsTheOneOfTheSecond) {
  EXPECT_EQ(HttpDate(WallTime(std::chrono::seconds(784111777))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(HttpDate(WallTime(std::chrono::milliseconds(784111778999))), "Sun, 06 Nov 1994 08:49:38 GMT");
}

}  // namespace
}  // namespace plait::http
