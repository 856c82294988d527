#include "local/confine.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "core/io/unique_fd.h"

namespace plait::local {
namespace {

std::unexpected<Diagnostic> Refused(const char* step) {
  return Explain(Errc::kDenied, std::string("cannot confine the application: ") + step + ": " + strerror(errno));
}

Outcome<> DropCapabilities() {
  // Before any exec: a uid other than 0 loses its capabilities there, and then the bounding set cannot be dropped.
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; ++cap)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) return Refused("PR_CAPBSET_DROP");
  constexpr unsigned long kBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0) != 0) return Refused("PR_SET_SECUREBITS");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) return Refused("capset");
  return {};
}

Outcome<> CloseAllBut(int keep, int keep_too) {
  unsigned from = 3;
  for (const int kept : {std::min(keep, keep_too), std::max(keep, keep_too)}) {
    if (kept < 0) continue;
    const auto fd = static_cast<unsigned>(kept);
    if (fd > from && syscall(SYS_close_range, from, fd - 1, 0U) != 0) return Refused("close_range");
    from = fd + 1;
  }
  if (syscall(SYS_close_range, from, UINT_MAX, 0U) != 0) return Refused("close_range");
  return {};
}

}  // namespace

Outcome<SyscallFilter> SyscallFilter::Make() {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
  if (!context) return Explain(Errc::kInternal, "seccomp: no memory for a filter");
  int error = 0;
  for (const int call : {SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key)})
    if (error == 0) error = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), call, 0);
  io::UniqueFd file(memfd_create("filter", MFD_CLOEXEC));
  if (error == 0) error = seccomp_export_bpf(context, file.get());
  seccomp_release(context);
  struct stat info{};
  if (error != 0 || fstat(file.get(), &info) != 0)
    return Explain(Errc::kInternal,
                   std::string("seccomp: cannot make the filter: ") + strerror(error ? -error : errno));
  SyscallFilter filter;
  filter.program_.resize(static_cast<std::size_t>(info.st_size));
  if (pread(file.get(), filter.program_.data(), filter.program_.size(), 0) != info.st_size)
    return Explain(Errc::kInternal, "seccomp: cannot read the filter");
  return filter;
}

Outcome<> SyscallFilter::Apply() const {
  const sock_fprog program{static_cast<unsigned short>(program_.size() / sizeof(sock_filter)),
                           reinterpret_cast<sock_filter*>(const_cast<std::uint8_t*>(program_.data()))};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return Refused("seccomp");
  return {};
}

void ResetSignals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

Outcome<> BecomeApplicationUser() {
  // Started as root the mesh's root is not the application's user: then these are real changes. Started as a user they
  // are the same number already.
  if (setresgid(kApplicationUid, kApplicationUid, kApplicationUid) != 0) return Refused("setresgid");
  if (setresuid(kApplicationUid, kApplicationUid, kApplicationUid) != 0) return Refused("setresuid");
  return {};
}

Outcome<> DropPower(const SyscallFilter& filter, int keep, int keep_too) {
  // Needs the rights that go next.
  if (Outcome<> become = BecomeApplicationUser(); !become) return become;
  // A session keyring of its own: the inherited one may link the user's keys. Without keyrings in the kernel: fine.
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  if (Outcome<> dropped = DropCapabilities(); !dropped) return dropped;
  return ForbidGaining(filter, keep, keep_too);
}

Outcome<> ForbidGaining(const SyscallFilter& filter, int keep, int keep_too) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Refused("PR_SET_NO_NEW_PRIVS");
  if (Outcome<> applied = filter.Apply(); !applied) return applied;
  return CloseAllBut(keep, keep_too);
}

}  // namespace plait::local
