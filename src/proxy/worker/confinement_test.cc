#include "proxy/worker/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

namespace plait::proxy::worker {
namespace {

// How a child ends that runs `call` behind the filter: its value, or 1000 + the signal.
int Confined(const std::function<int()>& call) {
  const pid_t child = fork();
  if (child == 0) {
    if (!ForbidSystemCalls()) _exit(255);
    _exit(call());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int ErrnoOf(long result) { return result < 0 ? errno : 0; }

class Confinement : public testing::Test {
 protected:
  void SetUp() override {
    const int code = Confined([] { return 0; });
    if (code == 255) GTEST_SKIP() << "no seccomp filter here (sanitizer, or a kernel without)";
    ASSERT_EQ(code, 0);
  }
};

TEST_F(Confinement, WhatAProxyDoesStillWorks) {
  EXPECT_EQ(Confined([] {
              const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
              const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
              std::atomic<int> ran = 0;
              std::thread thread([&] { ran = 1; });
              thread.join();
              void* memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return file >= 0 && server >= 0 && listen(server, 1) == 0 && ran == 1 && memory != MAP_FAILED ? 0 : 1;
            }),
            0);
}

TEST_F(Confinement, AnotherProgramCannotBeRun) {
  EXPECT_EQ(Confined([] { return execl("/bin/true", "true", nullptr); }), 1000 + SIGSYS);
}

TEST_F(Confinement, WhatOnlyAnIntruderTriesEndsTheProcess) {
  EXPECT_EQ(Confined([] { return unshare(CLONE_NEWUSER); }), 1000 + SIGSYS);
  EXPECT_EQ(Confined([] { return static_cast<int>(syscall(SYS_ptrace, 0, 0, 0, 0)); }), 1000 + SIGSYS);
  EXPECT_EQ(Confined([] { return static_cast<int>(syscall(SYS_keyctl, 0, 0, 0, 0)); }), 1000 + SIGSYS);
}

TEST_F(Confinement, WhatIsNotOnTheListIsRefused) {
  EXPECT_EQ(Confined([] { return ErrnoOf(mkdir("/tmp/plait-confined", 0700)); }), EPERM);
  EXPECT_EQ(Confined([] { return ErrnoOf(unlink("/tmp/plait-confined")); }), EPERM);
  EXPECT_EQ(Confined([] { return ErrnoOf(kill(getppid(), 0)); }), EPERM);
  EXPECT_EQ(Confined([] { return ErrnoOf(fork()); }), EPERM);
}

TEST_F(Confinement, NoMemoryBecomesExecutable) {
  EXPECT_EQ(Confined([] {
              void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return ErrnoOf(mprotect(page, 4096, PROT_READ | PROT_EXEC));
            }),
            EPERM);
}

TEST_F(Confinement, ThreadsThatRanBeforeAreConfinedToo) {
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<bool> go = false;
    std::atomic<int> error = 0;
    std::thread thread([&] {
      while (!go) std::this_thread::yield();
      error = ErrnoOf(mkdir("/tmp/plait-confined", 0700));
    });
    const bool confined = ForbidSystemCalls().has_value();
    go = true;
    thread.join();
    _exit(confined ? error.load() : 255);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

TEST_F(Confinement, OthersOfTheUserCannotReadItsMemory) {
  const pid_t child = fork();
  if (child == 0) {
    ForbidInspection();
    _exit(prctl(PR_GET_DUMPABLE));
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace plait::proxy::worker
