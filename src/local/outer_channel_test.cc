#include "local/outer_channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace plait::local {
namespace {

class Sender : public testing::Test {
 protected:
  Sender() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ours.Reset(ends[0]);
    theirs.Reset(ends[1]);
  }
  // What came, until there is nothing more.
  std::vector<std::string> Receive() const {
    std::vector<std::string> out;
    while (const Result<ReceivedMessage> received = ReceiveMessage(theirs.get()))
      out.push_back(received->message.kind == OuterMessage::Kind::kReady ? "ready" : received->message.text);
    return out;
  }
  static OuterMessage Notice(int number) {
    return {.kind = OuterMessage::Kind::kNotice, .severity = "error", .text = std::to_string(number)};
  }

  io::UniqueFd ours, theirs;
};

TEST_F(Sender, KeepsWhatAFullSocketDoesNotTakeAndCountsTheNoticesThatItDrops) {
  OuterSender sender(ours.get());
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
  OuterSender sender(ours.get());
  theirs.Reset();
  EXPECT_FALSE(sender.Send(Notice(1)));
}

}  // namespace
}  // namespace plait::local
