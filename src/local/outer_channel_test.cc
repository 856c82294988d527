#include "local/outer_channel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plait::local {
namespace {

class OuterChannelTest : public testing::Test {
 protected:
  OuterChannelTest() {
    int both[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both), 0);
    plait_.Reset(both[0]);
    supervisor_.Reset(both[1]);
  }
  static OuterMessage Resolvers() {
    return {.kind = OuterMessage::Kind::kResolvers, .severity = "", .text = "resolver-udp-0"};
  }

  io::UniqueFd plait_, supervisor_;
};

TEST_F(OuterChannelTest, CarriesAMessageWithItsDescriptors) {
  ASSERT_TRUE(SendMessage(plait_.get(), Resolvers(), {STDERR_FILENO}));
  const Result<ReceivedMessage> received = ReceiveMessage(supervisor_.get());
  ASSERT_TRUE(received);
  EXPECT_EQ(received->message.text, "resolver-udp-0");
  EXPECT_EQ(received->fds.size(), 1U);
  EXPECT_FALSE(received->lost_fds);
  EXPECT_EQ(ReceiveMessage(supervisor_.get()).error().code, Errc::kUnavailable);
  plait_.Reset();
  EXPECT_EQ(ReceiveMessage(supervisor_.get()).error().code, Errc::kPeerClosed);
}

TEST_F(OuterChannelTest, AMessageWhoseDescriptorsNoneIsFreeForSaysWhatItSays) {
  ASSERT_TRUE(SendMessage(plait_.get(), Resolvers(), {STDERR_FILENO}));
  ASSERT_TRUE(SendMessage(plait_.get(), {.kind = OuterMessage::Kind::kStop}));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &limit);
  const Result<ReceivedMessage> received = ReceiveMessage(supervisor_.get());
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(received) << received.error().detail;
  EXPECT_TRUE(received->lost_fds);
  EXPECT_EQ(received->message.kind, OuterMessage::Kind::kResolvers);
  EXPECT_EQ(received->message.text, "resolver-udp-0");
  EXPECT_TRUE(received->fds.empty());
  const Result<ReceivedMessage> next = ReceiveMessage(supervisor_.get());
  ASSERT_TRUE(next);
  EXPECT_EQ(next->message.kind, OuterMessage::Kind::kStop);
}

// The supervisor's, whose notices `plait` does not read at once.
class Sender : public OuterChannelTest {
 protected:
  // What came, until there is nothing more.
  std::vector<std::string> Receive() const {
    std::vector<std::string> out;
    while (const Result<ReceivedMessage> received = ReceiveMessage(plait_.get()))
      out.push_back(received->message.kind == OuterMessage::Kind::kReady ? "ready" : received->message.text);
    return out;
  }
  static OuterMessage Notice(int number) {
    return {.kind = OuterMessage::Kind::kNotice, .severity = "error", .text = std::to_string(number)};
  }
};

TEST_F(Sender, KeepsWhatAFullSocketDoesNotTakeAndCountsTheNoticesThatItDrops) {
  OuterSender sender(supervisor_.get());
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(sender.Send(Notice(i)));
  ASSERT_TRUE(sender.Send({.kind = OuterMessage::Kind::kReady}));
  EXPECT_EQ(sender.TakeDropped(), 0U) << "others wait";
  std::vector<std::string> got;
  for (;;) {
    const std::vector<std::string> more = Receive();
    if (more.empty()) break;
    got.insert(got.end(), more.begin(), more.end());
    ASSERT_TRUE(sender.Flush());
  }
  ASSERT_GT(got.size(), 200U);
  EXPECT_EQ(got.back(), "ready");
  for (std::size_t i = 0; i + 1 < got.size(); ++i) EXPECT_EQ(got[i], std::to_string(i));
  EXPECT_EQ(sender.TakeDropped(), 5000 - (got.size() - 1));
  EXPECT_EQ(sender.TakeDropped(), 0U);
}

TEST_F(Sender, SaysWhenTheOtherEndIsGone) {
  OuterSender sender(supervisor_.get());
  plait_.Reset();
  EXPECT_FALSE(sender.Send(Notice(1)));
}

}  // namespace
}  // namespace plait::local
