#include "local/replaced_processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plait::local {
namespace {
using namespace std::chrono_literals;

// A child that does nothing, and of SIGUSR2 what `action` says.
pid_t Child(void (*action)(int)) {
  int ready[2];
  EXPECT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    signal(SIGUSR2, action);
    close(ready[1]);
    close(ready[0]);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 0);  // it has closed its end: what it does of the signal is set
  close(ready[0]);
  return pid;
}

class ReplacedProcessesTest : public testing::Test {
 protected:
  void RunUntilEmpty(const ReplacedProcesses& replaced) {
    EXPECT_TRUE(loop_.RunUntil([&] { return replaced.empty(); }, 10s));
  }
  io::Loop loop_;
  Reaper reaper_{loop_};
};

TEST_F(ReplacedProcessesTest, ForgetsOneThatEndsItself) {
  ReplacedProcesses replaced(loop_, reaper_, 1h);
  replaced.Drain(Child(SIG_DFL));
  RunUntilEmpty(replaced);
}

TEST_F(ReplacedProcessesTest, KillsOneThatHangs) {
  ReplacedProcesses replaced(loop_, reaper_, 10ms);
  replaced.Drain(Child(SIG_IGN));
  RunUntilEmpty(replaced);
}

TEST_F(ReplacedProcessesTest, KillsThoseThatAreLeftAtItsEnd) {
  const pid_t pid = Child(SIG_IGN);
  {
    ReplacedProcesses(loop_, reaper_, 1h).Drain(pid);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace
}  // namespace plait::local
