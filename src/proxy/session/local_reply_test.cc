#include "proxy/session/local_reply.h"

#include <gtest/gtest.h>

namespace plait::proxy::session {
namespace {

TEST(LocalReply, IsPlainTextWithItsLength) {
  const LocalAnswer answer = MakeLocalAnswer({.status = 503, .body = "no healthy upstream"}, false, false);
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.head.headers.Get("content-length"), "19");
  EXPECT_EQ(answer.head.headers.Get("content-type"), "text/plain");
  EXPECT_EQ(answer.body, "no healthy upstream");
}

TEST(LocalReply, KeepsTheLengthButNoBodyForHead) {
  const LocalAnswer answer = MakeLocalAnswer({.status = 404, .body = "x"}, false, true);
  EXPECT_EQ(answer.head.headers.Get("content-length"), "1");
  EXPECT_TRUE(answer.body.empty());
}

TEST(LocalReply, BecomesAGrpcStatusForGrpcCalls) {
  const LocalAnswer answer = MakeLocalAnswer({.status = 403, .body = "RBAC: access\ndenied 1%"}, true, false);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.head.headers.Get("grpc-status"), "7");
  EXPECT_EQ(answer.head.headers.Get("grpc-message"), "RBAC: access%0Adenied 1%25");
  EXPECT_TRUE(answer.body.empty());
}

TEST(LocalReply, LeavesTheTypeThatARouteGaveIt) {
  const http::Headers json{{"content-type", "application/json"}, {"content-length", "99"}};
  const LocalAnswer answer = MakeLocalAnswer({.status = 200, .body = "{}", .headers = json}, false, false);
  EXPECT_EQ(answer.head.headers.GetJoined("content-type"), "application/json");
  EXPECT_EQ(answer.head.headers.GetJoined("content-length"), "2");
  EXPECT_EQ(MakeLocalAnswer({.headers = json}, true, false).head.headers.Get("content-type"), "application/grpc");
}

TEST(LocalReply, HasNoTypeWithoutABody) {
  const LocalAnswer answer = MakeLocalAnswer({.status = 404}, false, false);
  EXPECT_FALSE(answer.head.headers.Has("content-type"));
}

}  // namespace
}  // namespace plait::proxy::session
