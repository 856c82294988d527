#include "proxy/upstream/helper_connector.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

// A stream's owner that notes what it is told.
struct Owner final : io::StreamEvents {
  void OnOpen() override { open = true; }
  void OnReadable() override { readable = true; }
  void OnWritable() override {}
  void OnFailed(Error error) override { failed = error; }
  bool open = false;
  bool readable = false;
  std::optional<Error> failed;
};

// The helper's end: keeps the questions until the test answers.
class FakeHelper {
 public:
  FakeHelper(io::Loop& loop, const std::string& path) : loop_(loop) {
    unlink(path.c_str());
    socket_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_storage native{};
    const socklen_t length = io::SocketAddress{.ip = {}, .port = {}, .unix_path = path}.ToNative(native);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&native), length), 0);
    EXPECT_EQ(listen(socket_.get(), 8), 0);
  }
  io::DialQuestion Next() {
    std::optional<io::DialQuestion> question;
    loop_.RunUntil(
        [&] {
          if (!client_) client_.Reset(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
          const auto message = client_ ? io::ReceiveFds(client_.get()) : Fail(Errc::kUnavailable, "");
          if (message) question = io::ParseDialQuestion(message->message).value_or(io::DialQuestion{});
          return question.has_value();
        },
        kLimit);
    return question.value_or(io::DialQuestion{});
  }
  void Answer(const io::DialAnswer& answer, int fd = -1) {
    EXPECT_TRUE(io::SendFds(client_.get(), io::Encode(answer), fd >= 0 ? std::vector<int>{fd} : std::vector<int>{}));
  }
  void HangUp() { client_.Reset(); }

 private:
  io::Loop& loop_;
  io::UniqueFd socket_;
  io::UniqueFd client_;
};

class HelperConnectorTest : public testing::Test {
 protected:
  HelperConnectorTest()
      : path_(std::filesystem::temp_directory_path() / ("plait-dial-" + std::to_string(getpid()))),
        connector_(loop_, {.path = path_, .inside = {*io::Cidr::Parse("10.244.0.0/16")}}) {}
  ~HelperConnectorTest() override { unlink(path_.c_str()); }

  std::unique_ptr<io::Stream> Dial(const char* address, Duration limit = kLimit) {
    auto stream = connector_.Connect(*io::SocketAddress::Parse(address), {.timeout = limit});
    stream->SetEvents(&owner_);
    return stream;
  }
  bool Until(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }

  io::Loop loop_;
  const std::string path_;
  HelperConnector connector_;
  Owner owner_;
};

TEST_F(HelperConnectorTest, WhatIsOutsideComesAsASocketOfTheHelper) {
  FakeHelper helper(loop_, path_);
  auto server = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(server.has_value());
  const auto stream = Dial("192.0.2.1:80");
  const io::DialQuestion question = helper.Next();
  EXPECT_EQ(question.to.ToString(), "192.0.2.1:80");
  auto socket = io::BeginConnect(io::LocalAddress(server->get()));
  ASSERT_TRUE(socket.has_value());
  helper.Answer({question.id, 0}, socket->get());
  ASSERT_TRUE(Until([&] { return owner_.open; }));
  EXPECT_EQ(stream->remote(), io::LocalAddress(server->get()));
  socket->Reset();  // as the helper does: the stream's is the only one

  io::UniqueFd accepted(accept(server->get(), nullptr, nullptr));
  Buffer out;
  out.Append("ping");
  EXPECT_EQ(stream->Write(out).value_or(0), 4U);
  char text[8] = {};
  EXPECT_EQ(read(accepted.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "ping");
  accepted.Reset();
  ASSERT_TRUE(Until([&] { return owner_.readable; }));
  Buffer in;
  EXPECT_EQ(stream->Read(in, 100).error().code, Errc::kPeerClosed);
}

TEST_F(HelperConnectorTest, WhatIsInsideIsDialledWithoutTheHelper) {
  auto server = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(server.has_value());
  const auto stream = Dial(io::LocalAddress(server->get()).ToString().c_str());
  EXPECT_TRUE(Until([&] { return owner_.open; }));  // there is no helper
}

TEST_F(HelperConnectorTest, TheLoopbackIsTheHelpersWhereItIsToBe) {
  FakeHelper helper(loop_, path_);
  HelperConnector connector(loop_, {.path = path_, .inside = {}, .loopback_is_inside = false});
  const auto stream = connector.Connect(*io::SocketAddress::Parse("127.0.0.53:53"), {.timeout = kLimit});
  EXPECT_EQ(helper.Next().to.ToString(), "127.0.0.53:53");
}

TEST_F(HelperConnectorTest, ARefusalOfTheHelperFailsTheStream) {
  FakeHelper helper(loop_, path_);
  const auto stream = Dial("192.0.2.1:80");
  helper.Answer({helper.Next().id, ENETUNREACH});
  ASSERT_TRUE(Until([&] { return owner_.failed.has_value(); }));
  EXPECT_STREQ(owner_.failed->detail, "network unreachable");
}

TEST_F(HelperConnectorTest, WithoutAHelperTheConnectionIsRefusedInALaterRound) {
  const auto stream = Dial("192.0.2.1:80");
  EXPECT_FALSE(owner_.failed.has_value());
  ASSERT_TRUE(Until([&] { return owner_.failed.has_value(); }));
  EXPECT_EQ(owner_.failed->code, Errc::kUnavailable);
}

TEST_F(HelperConnectorTest, AHelperThatGoesFailsWhatWaitsAndTheNextOneIsAsked) {
  {
    FakeHelper helper(loop_, path_);
    const auto stream = Dial("192.0.2.1:80");
    helper.Next();
    helper.HangUp();
    ASSERT_TRUE(Until([&] { return owner_.failed.has_value(); }));
  }
  FakeHelper helper(loop_, path_);
  const auto stream = Dial("192.0.2.2:80");
  EXPECT_EQ(helper.Next().to.ToString(), "192.0.2.2:80");
}

TEST_F(HelperConnectorTest, AHelperThatNeverAnswersCostsTheConnectTimeout) {
  FakeHelper helper(loop_, path_);
  const auto stream = Dial("192.0.2.1:80", std::chrono::milliseconds(20));
  ASSERT_TRUE(Until([&] { return owner_.failed.has_value(); }));
  EXPECT_EQ(owner_.failed->code, Errc::kTimedOut);
}

// Ends with 0 when the loss of one dial's socket is told as what it is, and the other dial goes on.
[[noreturn]] void LoseASocket(const std::string& path) {
  io::Loop loop;
  FakeHelper helper(loop, path);
  HelperConnector connector(loop, {.path = path, .inside = {}});
  Owner first, second;
  const auto lost = connector.Connect(*io::SocketAddress::Parse("192.0.2.1:80"), {.timeout = kLimit});
  lost->SetEvents(&first);
  const io::DialQuestion question = helper.Next();
  const auto other = connector.Connect(*io::SocketAddress::Parse("192.0.2.2:80"), {.timeout = kLimit});
  other->SetEvents(&second);
  const io::DialQuestion next = helper.Next();
  const io::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = static_cast<rlim_t>(socket.get()) + 1;
  setrlimit(RLIMIT_NOFILE, &limit);
  helper.Answer({question.id, 0}, socket.get());
  loop.RunUntil([&] { return first.failed.has_value(); }, kLimit);
  setrlimit(RLIMIT_NOFILE, &before);
  if (!first.failed || first.failed->detail != std::string("no free file descriptor") || second.failed) _exit(1);
  helper.Answer({next.id, EHOSTUNREACH});
  loop.RunUntil([&] { return second.failed.has_value(); }, kLimit);
  _exit(second.failed && second.failed->detail == std::string("no route to host") ? 0 : 2);
}

TEST_F(HelperConnectorTest, ASocketThatThisProcessHasNoDescriptorForIsNoRefusalAndFailsItsOwnDialOnly) {
  EXPECT_EXIT(LoseASocket(path_), testing::ExitedWithCode(0), "");
}

TEST_F(HelperConnectorTest, AnAnswerForAStreamThatIsGoneMeetsNobody) {
  FakeHelper helper(loop_, path_);
  auto given_up = Dial("192.0.2.1:80");
  const io::DialQuestion first = helper.Next();
  given_up.reset();
  const auto stream = Dial("192.0.2.2:80");
  const io::DialQuestion second = helper.Next();
  helper.Answer({first.id, ECONNREFUSED});
  helper.Answer({second.id, EHOSTUNREACH});
  ASSERT_TRUE(Until([&] { return owner_.failed.has_value(); }));
  EXPECT_STREQ(owner_.failed->detail, "no route to host");
}

}  // namespace
}  // namespace plait::proxy::upstream
