#include "core/base/out_of_memory.h"

#include <cstdio>
#include <cstdlib>

namespace plait {
// The limit is the user's to raise, so this is told and is no failed check; nothing can go on without.
void EndWithoutMemory() noexcept {
  std::fputs(
      "error: no memory is left for this process\n"
      "  try: raise its limit of memory (of the container or cgroup, or ulimit -v), or free memory of the machine\n",
      stderr);
  std::_Exit(1);
}
}  // namespace plait
