// In a mesh process of its own: only there may a test choose the number of a process.
#include "local/reaper.h"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "local/mesh_process.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

constexpr pid_t kNumber = 300;

// A child with that number, which does `body`; -1: the kernel refuses.
template <class Body>
pid_t StartAs(pid_t number, Body body) {
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  args.set_tid_size = 1;
  const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid == 0) _exit(body());
  return pid;
}

// The exit code of `body`, which gets a loop and a reaper there.
template <class Body>
int InMesh(Body body) {
  auto mesh = StartMeshProcess(Mode::kRootless, [&](const Ids&) {
    io::Loop loop;
    Reaper reaper(loop);
    return body(loop, reaper);
  });
  if (!mesh) {
    ADD_FAILURE() << mesh.error().ToString();
    return -1;
  }
  int status = 0;
  waitpid(mesh->pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// One that nobody watches ends with `code`.
bool EndUnclaimed(io::Loop& loop, const Reaper& reaper, int code) {
  return StartAs(kNumber, [code] { return code; }) == kNumber &&
         loop.RunUntil([&] { return !reaper.HasChildren(); }, 5s);
}

TEST(Reaper, TellsTheEndOfOneThatEndedBeforeAnybodyAsked) {
  EXPECT_EQ(InMesh([](io::Loop& loop, Reaper& reaper) {
              if (!EndUnclaimed(loop, reaper, 3) || !EndUnclaimed(loop, reaper, 4)) return 100;
              int code = 101;
              const Pending end = reaper.Watch(kNumber, [&](ProcessEnd told) { code = told.code; });
              loop.RunUntil([&] { return code != 101; }, 5s);
              return code;
            }),
            4)
      << "the last one that had this number";
}

TEST(Reaper, TellsNothingOfAnEarlierProcessWithTheSameNumber) {
  EXPECT_EQ(InMesh([](io::Loop& loop, Reaper& reaper) {
              if (!EndUnclaimed(loop, reaper, 3)) return 100;
              if (StartAs(kNumber, [] { return pause(); }) != kNumber) return 101;
              std::optional<ProcessEnd> end;
              const Pending watch = reaper.Watch(kNumber, [&](ProcessEnd told) { end = told; });
              for (int round = 0; round < 3; ++round) loop.RunOnce(5ms);
              if (end) return 102;
              kill(kNumber, SIGKILL);
              if (!loop.RunUntil([&] { return end.has_value(); }, 5s)) return 103;
              return end->signal == SIGKILL ? 0 : 104;
            }),
            0);
}

}  // namespace
}  // namespace plait::local
