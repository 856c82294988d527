#include "proxy/worker/confinement.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace plait::proxy::worker {
namespace {

// By name: not every architecture has each of them.
constexpr const char* kAllowed[] = {
    // Sockets, files that are read (certificates, tokens, roots) and written (access logs), events.
    "read", "readv", "pread64", "write", "writev", "pwrite64", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg",
    "sendmmsg", "splice", "sendfile", "close", "close_range", "shutdown", "dup", "dup2", "dup3", "fcntl", "lseek",
    "fstat", "newfstatat", "fstatat64", "stat", "lstat", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getcwd", "open", "openat", "getdents64", "pipe", "pipe2", "eventfd2", "signalfd4", "timerfd_create",
    "timerfd_settime", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "socket", "socketpair", "connect", "accept", "accept4", "bind", "listen", "getsockname",
    "getpeername", "getsockopt", "setsockopt",
    // Memory; mmap and mprotect below.
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock",
    // Threads, signals, time, and what is asked about the own process; clone and tgkill below.
    "futex", "futex_waitv", "set_robust_list", "rseq", "exit", "exit_group", "sched_yield", "sched_getaffinity",
    "membarrier", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrusage", "times", "sysinfo", "uname",
    "getrandom", "getcpu", "getrlimit", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
    "set_tid_address"};

constexpr const char* kOnlyIntruders[] = {"execve",
                                          "execveat",
                                          "ptrace",
                                          "process_vm_readv",
                                          "process_vm_writev",
                                          "pidfd_getfd",
                                          "setns",
                                          "unshare",
                                          "mount",
                                          "umount2",
                                          "move_mount",
                                          "open_tree",
                                          "fsopen",
                                          "pivot_root",
                                          "chroot",
                                          "bpf",
                                          "perf_event_open",
                                          "userfaultfd",
                                          "io_uring_setup",
                                          "init_module",
                                          "finit_module",
                                          "delete_module",
                                          "kexec_load",
                                          "kexec_file_load",
                                          "add_key",
                                          "request_key",
                                          "keyctl",
                                          "setuid",
                                          "setgid",
                                          "setreuid",
                                          "setresuid",
                                          "setresgid",
                                          "capset",
                                          "open_by_handle_at",
                                          "name_to_handle_at"};

#ifdef PLAIT_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct Release {
  void operator()(void* context) const noexcept { seccomp_release(context); }
};
using Filter = std::unique_ptr<void, Release>;

template <class... Arguments>
int Add(const Filter& filter, std::uint32_t action, const char* name, Arguments... when) {
  const int call = seccomp_syscall_resolve_name(name);
  if (call == __NR_SCMP_ERROR) return 0;
  return seccomp_rule_add(filter.get(), action, call, sizeof...(when), when...);
}

// Calls whose arguments decide.
int AddConditional(const Filter& filter) {
  int error = 0;
  for (const char* name : {"mmap", "mmap2", "mprotect"})
    if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  // Its flags lie in memory, where a filter cannot see them. The C library then takes clone.
  if (error == 0) error = Add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
  const auto self = static_cast<scmp_datum_t>(getpid());
  for (const char* name : {"tgkill", "kill"})
    if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, name, SCMP_A0(SCMP_CMP_EQ, self));
  for (const scmp_datum_t option : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE})
    if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, option));
  for (const scmp_datum_t request : {TCGETS, FIONREAD, FIONBIO})
    if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, request));
  // Limits of the own process are read, not raised.
  if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
  return error;
}

}  // namespace

Outcome<> ForbidSystemCalls() {
  if (kSanitized) return Explain(Errc::kUnavailable, "this build has a sanitizer, which needs other system calls");
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return Explain(Errc::kInternal, "seccomp: no memory for a filter");
  // For threads that run already, too.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  // A binary tree: a few comparisons a call, not one for each name.
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const char* name : kAllowed)
    if (error == 0) error = Add(filter, SCMP_ACT_ALLOW, name);
  for (const char* name : kOnlyIntruders)
    if (error == 0) error = Add(filter, SCMP_ACT_KILL_PROCESS, name);
  if (error == 0) error = AddConditional(filter);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0)
    return Explain(Errc::kUnavailable, std::string("seccomp: the filter was refused: ") + strerror(-error));
  return {};
}

void ForbidInspection() noexcept { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

}  // namespace plait::proxy::worker
