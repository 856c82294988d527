#pragma once
// What plait-proxy takes from itself once it runs (design.md, "Hardening"): system calls that a proxy never needs, for
// all its threads and for ever, and the right of others of the same user to read its memory, where the keys are.
#include "core/base/result.h"

namespace plait::proxy::worker {

// An allow list. What is not on it fails with EPERM; what only an intruder would try (execve, ptrace, setns, mount,
// bpf, io_uring ...) ends the process with SIGSYS. No page becomes executable, no child process is made.
// Call it when all threads are started; more may come. Errors: the kernel has no seccomp filters, or forbids them here.
Outcome<> ForbidSystemCalls();

// PR_SET_DUMPABLE 0: no core dump, no ptrace, no /proc/PID/mem for others without privilege.
void ForbidInspection() noexcept;

}  // namespace plait::proxy::worker
