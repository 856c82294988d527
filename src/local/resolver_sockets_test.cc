#include "local/resolver_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace plait::local {
namespace {
using namespace std::chrono_literals;

class ResolverSocketsTest : public testing::Test {
 protected:
  ResolverSockets::OnSockets Note(const std::string& who) {
    return [this, who](std::vector<node::NamedSocket> sockets) {
      told_ += who + "=";
      for (const node::NamedSocket& socket : sockets) told_ += socket.name + ",";
      told_ += ";";
    };
  }
  void Answer() {
    std::vector<io::UniqueFd> fds;
    fds.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    sockets_.OnAnswer("resolver-udp-0", std::move(fds));
  }
  io::Loop loop_;
  int asked_ = 0;
  bool reachable_ = true;
  std::string told_;
  ResolverSockets sockets_{loop_, [this] { return ++asked_, reachable_; }};
};

TEST_F(ResolverSocketsTest, AreAskedForOneAfterTheOther) {
  const Pending a = sockets_.Ask(Note("a"));
  const Pending b = sockets_.Ask(Note("b"));
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(told_, "");
  Answer();
  EXPECT_EQ(told_, "a=resolver-udp-0,;");
  EXPECT_EQ(asked_, 2);
  Answer();
  EXPECT_EQ(told_, "a=resolver-udp-0,;b=resolver-udp-0,;");
  EXPECT_EQ(asked_, 2);
}

TEST_F(ResolverSocketsTest, OfOneWhoNoLongerWantsThemGoToNobody) {
  Pending a = sockets_.Ask(Note("a"));
  Pending b = sockets_.Ask(Note("b"));
  const Pending c = sockets_.Ask(Note("c"));
  a.Cancel();
  b.Cancel();
  Answer();  // to the question of a
  EXPECT_EQ(told_, "");
  EXPECT_EQ(asked_, 2) << "b's question is not asked, c's is";
  Answer();
  EXPECT_EQ(told_, "c=resolver-udp-0,;");
}

TEST_F(ResolverSocketsTest, ThatCannotBeHadAreNoneAndToldLater) {
  reachable_ = false;
  const Pending a = sockets_.Ask(Note("a"));
  EXPECT_EQ(told_, "");
  EXPECT_TRUE(loop_.RunUntil([&] { return told_ == "a=;"; }, 1s));
}

TEST_F(ResolverSocketsTest, MayBeDroppedByTheirOwnCallback) {
  Pending handle;
  handle = sockets_.Ask([&](std::vector<node::NamedSocket>) {
    handle.Cancel();
    told_ = "dropped";
  });
  Answer();
  EXPECT_EQ(told_, "dropped");
}

}  // namespace
}  // namespace plait::local
