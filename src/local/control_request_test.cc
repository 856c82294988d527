#include "local/control_request.h"

#include <gtest/gtest.h>

namespace plait::local {
namespace {

TEST(ControlRequest, ReadsAnExecWithATerminal) {
  const auto request = DecodeControlRequest(
      R"({"op":"exec","workload":"web.shop","container":"main","argv":["ls","-l"],"environment":["A=b"],"tty":true,"term":"xterm","rows":50,"columns":132})");
  ASSERT_TRUE(request) << request.error().ToString();
  EXPECT_EQ(*request, (ControlRequest{.op = ControlRequest::Op::kExec,
                                      .workload = "web.shop",
                                      .port = {},
                                      .container = "main",
                                      .argv = {"ls", "-l"},
                                      .environment = {"A=b"},
                                      .tty = true,
                                      .term = "xterm",
                                      .rows = 50,
                                      .columns = 132}));
}

TEST(ControlRequest, HasDefaultsForWhatIsNotSaid) {
  const auto request = DecodeControlRequest(R"({"op":"dial","workload":"web","port":80})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->port, Port{80});
  EXPECT_EQ(request->rows, 24);
  EXPECT_TRUE(DecodeControlRequest(R"({"op":"status"})"));
  EXPECT_TRUE(DecodeControlRequest(R"({"op":"down"})"));
  EXPECT_EQ(DecodeControlRequest(R"({"op":"hold","file":"run.yaml"})")->file, "run.yaml");
  for (const char* op : {"replace-proxy", "renew-identity", "check-capture"})
    EXPECT_EQ(DecodeControlRequest("{\"op\":\"" + std::string(op) + R"(","workload":"reviews-v1"})")->workload,
              "reviews-v1");
}

TEST(ControlRequest, RefusesWhatIsNoRequestAndSaysWhy) {
  for (const char* message :
       {"", "{", "[]", "7", R"({"op":"dance"})", R"({"op":1})", R"({"op":"dial","port":"80"})",
        R"({"op":"dial","port":65536})", R"({"op":"dial","port":-1})", R"({"op":"dial","port":1.5})",
        R"({"op":"exec","argv":"ls"})", R"({"op":"exec","argv":[1]})", R"({"op":"hold"})",
        R"({"op":"hold","file":"../lock"})", R"({"op":"exec","tty":"yes"})", "{\"op\":\"\xff\"}"}) {
    const auto request = DecodeControlRequest(message);
    ASSERT_FALSE(request) << message;
    EXPECT_NE(request.error().message.find("broken"), std::string::npos) << request.error().ToString();
  }
}

}  // namespace
}  // namespace plait::local
