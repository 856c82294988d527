#include "node/netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/check.h"

namespace plait::node {

Outcome<io::UniqueFd> CurrentNetns() {
  io::UniqueFd fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) return Explain(Errc::kInternal, std::string("cannot open the own network namespace: ") + strerror(errno));
  return fd;
}

Outcome<NetnsScope> NetnsScope::Enter(int netns, int home) {
  if (setns(netns, CLONE_NEWNET) != 0)
    return Explain(Errc::kDenied, std::string("cannot enter a network namespace: ") + strerror(errno));
  return NetnsScope(home);
}

NetnsScope::NetnsScope(NetnsScope&& other) noexcept : home_(other.home_) { other.home_ = -1; }

NetnsScope::~NetnsScope() {
  if (home_ >= 0) PLAIT_CHECK(setns(home_, CLONE_NEWNET) == 0);
}

Outcome<io::UniqueFd> NewNetns(int home) {
  if (unshare(CLONE_NEWNET) != 0) {
    const int error = errno;
    if (error == ENOSPC)
      return Explain(Errc::kLimit, "no further network namespace: the limit of this user is reached",
                     "raise it: sysctl user.max_net_namespaces");
    return Explain(Errc::kDenied, std::string("cannot make a network namespace: ") + strerror(error));
  }
  Outcome<io::UniqueFd> made = CurrentNetns();
  PLAIT_CHECK(setns(home, CLONE_NEWNET) == 0);
  return made;
}

}  // namespace plait::node
