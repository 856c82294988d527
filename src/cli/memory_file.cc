#include "cli/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

namespace plait::cli {

Outcome<io::UniqueFd> MakeMemoryFile(const char* name) {
  io::UniqueFd fd(memfd_create(name, MFD_CLOEXEC));
  if (!fd) return Explain(Errc::kLimit, "cannot make a file in memory", "raise ulimit -n");
  return fd;
}

std::string WholeFile(int fd) {
  std::string text;
  char piece[64 * 1024];
  for (ssize_t n; (n = pread(fd, piece, sizeof piece, static_cast<off_t>(text.size()))) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  return text;
}

}  // namespace plait::cli
