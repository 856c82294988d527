// What the command line makes of answers, those that no mesh of its version gives, too.
#include "local/control_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/io/socket.h"

namespace plait::local {
namespace {

class ControlClientTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/plait-control-XXXXXX";
    paths_.run = mkdtemp(name);
    listening_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_storage native{};
    const socklen_t length = io::SocketAddress{.unix_path = paths_.control_socket()}.ToNative(native);
    ASSERT_EQ(bind(listening_.get(), reinterpret_cast<const sockaddr*>(&native), length), 0);
    ASSERT_EQ(listen(listening_.get(), 1), 0);
  }
  void TearDown() override { RemoveTree(paths_.run); }
  // How a command has ended, by this answer.
  Outcome<int> ExitBy(const char* answer) {
    Outcome<ControlClient> client = ControlClient::Connect(paths_);
    if (!client) return std::unexpected(client.error());
    const io::UniqueFd mesh(accept(listening_.get(), nullptr, nullptr));
    EXPECT_TRUE(io::SendFds(mesh.get(), answer, {}));
    return client->AwaitExit();
  }
  MeshPaths paths_{.name = "default", .run = {}, .state = {}};
  io::UniqueFd listening_;
};

TEST_F(ControlClientTest, IsToldHowACommandHasEnded) {
  EXPECT_EQ(ExitBy(R"({"exit":7})").value_or(-1), 7);
  const Outcome<int> refused = ExitBy(R"({"error":"there is no web-0","hint":"it is web-1"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNotFound);
  EXPECT_EQ(refused.error().message, "there is no web-0");
  EXPECT_EQ(refused.error().hint, "it is web-1");
}

TEST_F(ControlClientTest, SaysThatAnAnswerCannotBeRead) {
  for (const char* answer : {"{", "[]", R"({"exit":"7"})", R"({"exit":1e300})", R"({"error":7})"}) {
    const Outcome<int> end = ExitBy(answer);
    ASSERT_FALSE(end) << answer;
    EXPECT_EQ(end.error().code, Errc::kInternal) << answer;
    EXPECT_EQ(end.error().message, "the mesh gave an answer that cannot be read") << answer;
  }
}

}  // namespace
}  // namespace plait::local
