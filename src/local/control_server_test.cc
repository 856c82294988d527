#include "local/control_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local/paths.h"

namespace plait::local {
namespace {

class Mesh final : public ControlHandler {
 public:
  MeshStatus Status() override {
    MeshStatus out;
    out.state = "degraded";
    return out;
  }
  Outcome<io::UniqueFd> Dial(const std::string&, Port) override { return No(); }
  Outcome<Joined> Exec(const std::string&, const std::string&, JoinPlan) override { return No(); }
  Outcome<> ReplaceProxy(const std::string&) override { return No(); }
  Outcome<> RenewIdentity(const std::string&) override { return No(); }
  Outcome<std::string> CheckCapture(const std::string&) override { return No(); }
  void RemoveOverlay(const std::string&) override {}
  void Down() override {}

 private:
  static std::unexpected<Diagnostic> No() { return Explain(Errc::kNotFound, "no"); }
};

class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
#ifdef PLAIT_SANITIZED
    GTEST_SKIP() << "the sanitizer takes descriptors to look whether memory can be read";
#endif
  }
  ControlServerTest() {
    char name[] = "/var/tmp/plait-control-XXXXXX";
    run_ = mkdtemp(name);
    auto server = ControlServer::Open(loop_, reaper_, Path(), mesh_);
    EXPECT_TRUE(server) << server.error().ToString();
    server_ = std::move(*server);
  }
  ~ControlServerTest() override { RemoveTree(run_); }
  std::string Path() const { return run_ + "/control.sock"; }
  static io::UniqueFd Socket() {
    return io::UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  void Connect(const io::UniqueFd& fd) const {
    sockaddr_storage native{};
    const socklen_t length = io::SocketAddress{.ip = {}, .port = {}, .unix_path = Path()}.ToNative(native);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&native), length), 0);
  }
  std::string Answer(const io::UniqueFd& client) {
    pollfd wanted{client.get(), POLLIN, 0};
    loop_.RunUntil([&] { return poll(&wanted, 1, 0) > 0; }, std::chrono::seconds(5));
    const rlimit low = Limit(before_.rlim_cur);  // the client's own process has descriptors
    const Result<io::FdMessage> received = io::ReceiveFds(client.get());
    setrlimit(RLIMIT_NOFILE, &low);
    return received ? received->message + " " + std::to_string(received->fds.size()) : received.error().detail;
  }
  // From now on; the limit until now.
  static rlimit Limit(rlim_t files) {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    rlimit now = before;
    now.rlim_cur = files;
    setrlimit(RLIMIT_NOFILE, &now);
    return before;
  }

  io::Loop loop_;
  Reaper reaper_{loop_};
  Mesh mesh_;
  std::string run_;
  std::unique_ptr<ControlServer> server_;
  rlimit before_{};
};

TEST_F(ControlServerTest, TellsItsStatusToOneAfterTheOtherThoughNoDescriptorIsLeft) {
  io::UniqueFd first = Socket(), second = Socket();
  before_ = Limit(static_cast<rlim_t>(second.get()) + 1);
  for (io::UniqueFd* client : {&first, &second}) {
    Connect(*client);
    ASSERT_TRUE(io::SendFds(client->get(), R"({"op":"status"})", {}));
    EXPECT_EQ(Answer(*client), "{\"ok\":true} 1");
    client->Reset();
  }
  setrlimit(RLIMIT_NOFILE, &before_);
}

TEST_F(ControlServerTest, TellsWhatItLacksToThoseThatItHasNoDescriptorFor) {
  const io::UniqueFd clients[] = {Socket(), Socket()};
  before_ = Limit(static_cast<rlim_t>(clients[1].get()) + 1);
  for (const io::UniqueFd& client : clients) {
    Connect(client);
    ASSERT_TRUE(io::SendFds(client.get(), R"({"op":"status"})", {}));
  }
  EXPECT_EQ(Answer(clients[0]).find(R"({"error":"the mesh cannot tell its status: Too many open files","hint":)"), 0U);
  setrlimit(RLIMIT_NOFILE, &before_);
}

}  // namespace
}  // namespace plait::local
