// plait-init [--terminal] PROGRAM ARGS...: pid 1 of a container (local-processes.md 6). Runs the program in a session
// of its own (with --terminal, whose controlling terminal is stdin), hands on signals, reaps orphans, and ends as the
// program ended (128 + n when killed by signal n). A process that is pid 1 itself would ignore SIGTERM unless it
// handles it. Holds no descriptor; statically linked and tiny, since every container has one.
//
// Where it is not pid 1 (mode loopback) no kernel ends the program's processes with it, so it does: they become its
// children when they are orphans, and at the program's end, or on the supervisor's signal kEndEverything (launch.h),
// which also comes when the supervisor dies, it kills all that are left.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;

// The mask that plait-init itself was given blocks all signals (launch.cc): the program gets an empty one.
[[noreturn]] void RunProgram(char** argv, bool first, bool terminal) {
  if (!first) prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  if (terminal) ioctl(0, TIOCSCTTY, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(argv[0], argv);
  const int error = errno;
  dprintf(2, "plait: cannot run %s: %s\n", argv[0], strerror(error));
  _exit(error == ENOENT ? kNotFound : kCannotRun);
}

// Reaps all that ended; the exit code of `main` once it has, else -1.
int Reap(pid_t main) {
  int code = -1;
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == main) code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return code;
}

// Kills the children that there are, until there are none: those of the killed become ours.
void EndEverything() {
  for (;;) {
    char text[4096];
    const int file = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    const ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    text[n > 0 ? n : 0] = '\0';
    char* at = text;
    for (char* end = at;; at = end) {
      const long pid = strtol(at, &end, 10);
      if (end == at || pid <= 1) break;
      kill(static_cast<pid_t>(pid), SIGKILL);
    }
    if (waitpid(-1, nullptr, 0) < 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool terminal = argc > 1 && strcmp(argv[1], "--terminal") == 0;
  char** const command = argv + (terminal ? 2 : 1);
  if (command >= argv + argc) return 2;
  // Nothing of ours is to be read through /proc/1 by the application.
  prctl(PR_SET_DUMPABLE, 0);
  const bool first = getpid() == 1;
  const int end_everything = SIGRTMIN;
  if (!first) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, end_everything);
  }
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  const pid_t program = fork();
  if (program < 0) {
    dprintf(2, "plait: cannot start a process: %s\n", strerror(errno));
    return kCannotRun;
  }
  if (program == 0) RunProgram(command, first, terminal);
  for (int fd = 0; fd < 3; ++fd) close(fd);  // the log ends when the program's own descriptors do
  for (;;) {
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    if (signal == SIGCHLD) {
      if (const int code = Reap(program); code >= 0) {
        if (!first) EndEverything();
        return code;
      }
    } else if (signal == end_everything && !first) {
      EndEverything();
      return 128 + SIGKILL;
    } else if (signal > 0) {
      kill(program, signal);
    }
  }
}
