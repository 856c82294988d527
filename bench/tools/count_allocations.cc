// Linked into plait-proxy with --wrap: counts what it and its libraries allocate and says the sum at its end.
#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<unsigned long long> allocations{0};

struct Report {
  ~Report() { std::fprintf(stderr, "allocations: %llu\n", allocations.load()); }
};
const Report report;

}  // namespace

extern "C" {
void* __real_malloc(std::size_t size);                        // NOLINT: the linker's names
void* __real_calloc(std::size_t count, std::size_t size);     // NOLINT
void* __real_realloc(void* old, std::size_t size);            // NOLINT
void* __real_aligned_alloc(std::size_t at, std::size_t size);  // NOLINT

void* __wrap_malloc(std::size_t size) {  // NOLINT
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __real_malloc(size);
}
void* __wrap_calloc(std::size_t count, std::size_t size) {  // NOLINT
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* old, std::size_t size) {  // NOLINT
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __real_realloc(old, size);
}
void* __wrap_aligned_alloc(std::size_t at, std::size_t size) {  // NOLINT
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __real_aligned_alloc(at, size);
}
}
