#include "local/successor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace plait::local {
namespace {
using namespace std::chrono_literals;

// What a child does with the descriptor that it is given.
using Child = void (*)(int ready);

class SuccessorTest : public testing::Test {
 protected:
  ~SuccessorTest() override {
    if (pid_ > 0) kill(pid_, SIGKILL);
  }
  void Start(Child child, Duration patience = 1h) {
    auto started = Successor::Start(loop_, reaper_, patience,
                                    [&](int ready) -> Outcome<pid_t> {
                                      pid_ = fork();
                                      if (pid_ != 0) return pid_;
                                      fcntl(ready, F_SETFL, 0);
                                      close_range(3, static_cast<unsigned>(ready) - 1, 0);
                                      close_range(static_cast<unsigned>(ready) + 1, ~0U, 0);
                                      child(ready);
                                      for (;;) pause();
                                    },
                                    {.on_ready = [this] { told_ += "ready;"; },
                                     .on_ended = [this](const std::string& why) { told_ += why + ";"; },
                                     .on_overdue = [this](const std::string& why) { told_ += why + ";"; }});
    ASSERT_TRUE(started) << started.error().ToString();
    successor_ = std::move(*started);
    EXPECT_EQ(successor_->pid(), pid_);
  }
  std::string Told() {
    EXPECT_TRUE(loop_.RunUntil([&] { return !told_.empty(); }, 10s));
    return told_;
  }
  io::Loop loop_;
  Reaper reaper_{loop_};
  std::unique_ptr<Successor> successor_;
  pid_t pid_ = 0;
  std::string told_;
};

TEST_F(SuccessorTest, TellsWhenItSaysThatItIsReady) {
  Start([](int ready) {
    if (write(ready, "1", 1) != 1) _exit(1);
  });
  EXPECT_EQ(Told(), "ready;");
}

TEST_F(SuccessorTest, TellsTheEndOfOneThatNeverWasReady) {
  Start([](int) { _exit(7); });
  EXPECT_EQ(Told(), "ended with exit code 7;");
}

TEST_F(SuccessorTest, TellsThatOneIsLate) {
  Start([](int) {}, 10ms);
  EXPECT_EQ(Told(), "has not become ready within 0.01s;");
}

TEST_F(SuccessorTest, LetsTheProcessSeeThatNobodyWaitsForItAnyMore) {
  Start([](int ready) {
    pollfd fd{.fd = ready, .events = 0, .revents = 0};
    _exit(poll(&fd, 1, -1) == 1 && (fd.revents & POLLERR) != 0 ? 3 : 4);
  });
  successor_.reset();
  ProcessEnd end;
  const Pending watched = reaper_.Watch(pid_, [&](ProcessEnd how) {
    end = how;
    told_ = "ended";
  });
  EXPECT_EQ(Told(), "ended");
  EXPECT_EQ(end.code, 3);
}

}  // namespace
}  // namespace plait::local
