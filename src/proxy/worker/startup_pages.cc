#include "proxy/worker/startup_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>

namespace plait::proxy::worker {
namespace {

// The first object is the program; its pages that were relocated at the start belong to a segment that may be written.
int ReleaseProgram(dl_phdr_info* object, std::size_t /*size*/, void* /*data*/) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) / page * page;
    // Refused where somebody has locked the pages: then they stay.
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // NOLINT: addresses of the program
  }
  return 1;
}

}  // namespace

void ReleaseStartupPages() noexcept { dl_iterate_phdr(ReleaseProgram, nullptr); }

}  // namespace plait::proxy::worker
