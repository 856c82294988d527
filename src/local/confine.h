#pragma once
// Takes every power from the calling process before an application is exec'd in it (local-processes.md 2): another uid
// in a user namespace of its own, no capability now or later, no_new_privs, no keyrings of the user, no descriptors.
// Called in a fresh child only. Returns errors instead of throwing: the child reports them and ends.
#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "core/base/result.h"

namespace plait::local {

// The uid of applications inside their namespace. Not 0: an application must not take itself for an administrator.
inline constexpr uid_t kApplicationUid = 1000;

// The system-call filter of applications: add_key, keyctl and request_key do not exist (ENOSYS). By a key's serial
// number from /proc/keys an application could otherwise read the user's secrets.
class SyscallFilter {
 public:
  static Outcome<SyscallFilter> Make();
  Outcome<> Apply() const;  // needs no_new_privs

 private:
  std::vector<std::uint8_t> program_;  // sock_filter records
};

// In a namespace where kApplicationUid is mapped; part of DropPower, for what must be the application's before that.
Outcome<> BecomeApplicationUser();

// Signals: all unblocked and default. An ignored signal would stay ignored over exec, and `sh` could not trap it.
void ResetSignals();

// What can be taken where there is no namespace: no set-uid programs, no keyrings of the user, no descriptors but two,
// as in DropPower.
Outcome<> ForbidGaining(const SyscallFilter& filter, int keep, int keep_too);

// In a namespace where kApplicationUid is mapped and this process has all capabilities. Two descriptors, both above 2
// and close-on-exec, stay open beside 0, 1 and 2 (-1: none); all others are closed.
Outcome<> DropPower(const SyscallFilter& filter, int keep, int keep_too);

}  // namespace plait::local
