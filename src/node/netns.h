#pragma once
// Network namespaces by descriptor. A namespace lives as long as a process, a mount or a descriptor holds it; we only
// ever hold descriptors, so nothing is left behind when their owner ends.
#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::node {

// The namespace of the calling thread.
Outcome<io::UniqueFd> CurrentNetns();

// Puts the calling thread into `netns` for the life of the object. Returning cannot fail for a reason outside our
// control, so a failure aborts: running on in the wrong namespace would break the isolation that callers rely on.
class NetnsScope {
 public:
  // `home` is the namespace to return to; both outlive the scope.
  static Outcome<NetnsScope> Enter(int netns, int home);
  NetnsScope(NetnsScope&& other) noexcept;
  NetnsScope& operator=(NetnsScope&&) = delete;
  ~NetnsScope();

 private:
  explicit NetnsScope(int home) noexcept : home_(home) {}
  int home_;
};

// A new namespace with its loopback down; the calling thread stays in `home`. About 1 ms.
Outcome<io::UniqueFd> NewNetns(int home);

}  // namespace plait::node
