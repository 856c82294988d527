// Linked into a program with --wrap: keeps the call stack of every block that it and its libraries have on the heap. At
// SIGRTMAX it writes to a memfd named "heap", which bench/profile_memory.py reads by /proc: for each call stack a line
// "BYTES BLOCKS ADDRESS...", innermost first, addresses as addr2line wants them; then a line "end N". Bytes are what
// the blocks take of the heap: rounded up, with malloc's own word.
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

extern "C" {
extern const char __ehdr_start;                                // NOLINT: the linker's names
void* __real_malloc(std::size_t size);                         // NOLINT
void* __real_calloc(std::size_t count, std::size_t size);      // NOLINT
void* __real_realloc(void* old, std::size_t size);             // NOLINT
void* __real_aligned_alloc(std::size_t at, std::size_t size);  // NOLINT
void __real_free(void* block);                                 // NOLINT
}

namespace {

constexpr std::size_t kMostFrames = 48;
constexpr std::size_t kOwnFrames = 2;  // StackOfCaller and Took
constexpr std::size_t kWord = sizeof(std::size_t);

struct Use {
  std::uint64_t bytes = 0;
  std::uint64_t blocks = 0;
};
using Stack = std::vector<std::uint64_t>;
struct Block {
  Use* use;
  std::size_t bytes;
};
struct Live {
  std::mutex mutex;
  std::map<Stack, Use> uses;
  std::unordered_map<void*, Block> blocks;
  const int file = memfd_create("heap", MFD_CLOEXEC);
  unsigned dumps = 0;
};

// True while this thread is in here: what the tables themselves allocate is not counted.
thread_local bool t_inside = false;
// Before that no stack can be walked: libc is starting.
bool started = false;
std::atomic<bool> dump_is_wanted{false};

Live& Table() {
  static Live& table = *new Live;  // never ends: blocks are freed after the last destructor, too
  return table;
}

_Unwind_Reason_Code NoteFrame(_Unwind_Context* context, void* to) {
  Stack& stack = *static_cast<Stack*>(to);
  // The call is before the address that it returns to.
  stack.push_back(_Unwind_GetIP(context) - 1 - reinterpret_cast<std::uintptr_t>(&__ehdr_start));
  return stack.size() < kMostFrames ? _URC_NO_REASON : _URC_END_OF_STACK;
}

[[gnu::noinline]] Stack StackOfCaller() {
  Stack stack;
  stack.reserve(kMostFrames);
  _Unwind_Backtrace(NoteFrame, &stack);
  stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(std::min(kOwnFrames, stack.size())));
  return stack;
}

// Collects text for few calls of write(), without allocating.
class Writer {
 public:
  explicit Writer(int file) : file_(file) {}
  ~Writer() { Flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  void Text(std::string_view text) {
    for (const char c : text) {
      if (used_ == buffer_.size()) Flush();
      buffer_[used_++] = c;
    }
  }
  void Number(std::uint64_t number, int base = 10) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    Text({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

 private:
  void Flush() {
    if (write(file_, buffer_.data(), used_) < 0) std::abort();
    used_ = 0;
  }
  const int file_;
  std::array<char, 16384> buffer_;
  std::size_t used_ = 0;
};

// With the table's mutex.
void Dump(Live& live) {
  Writer out(live.file);
  for (const auto& [stack, use] : live.uses) {
    if (use.blocks == 0) continue;
    out.Number(use.bytes);
    out.Text(" ");
    out.Number(use.blocks);
    for (const std::uint64_t frame : stack) {
      out.Text(" ");
      out.Number(frame, 16);
    }
    out.Text("\n");
  }
  out.Text("end ");
  out.Number(++live.dumps);
  out.Text("\n");
}

// The thread that takes the signal may hold the mutex, or wait for it: then whoever has it dumps.
void OnSignal(int /*signal*/) {
  dump_is_wanted = true;
  Live& live = Table();
  if (!live.mutex.try_lock()) return;
  if (dump_is_wanted.exchange(false)) Dump(live);
  live.mutex.unlock();
}

// Runs `change` on the table unless this thread is in it already.
template <class Change>
void Update(Change change) {
  if (t_inside || !started) return;
  t_inside = true;
  Live& live = Table();
  {
    const std::lock_guard lock(live.mutex);
    change(live);
    if (dump_is_wanted.exchange(false)) Dump(live);
  }
  t_inside = false;
}

[[gnu::noinline]] void* Took(void* block) {
  if (block == nullptr) return block;
  Update([block](Live& live) {
    Use& use = live.uses[StackOfCaller()];
    const std::size_t bytes = malloc_usable_size(block) + kWord;
    use.bytes += bytes;
    ++use.blocks;
    live.blocks[block] = {&use, bytes};
  });
  return block;
}

void Gave(void* block) {
  if (block == nullptr) return;
  Update([block](Live& live) {
    const auto found = live.blocks.find(block);
    if (found == live.blocks.end()) return;
    found->second.use->bytes -= found->second.bytes;
    --found->second.use->blocks;
    live.blocks.erase(found);
  });
}

struct AtStart {
  AtStart() {
    t_inside = true;
    Table();
    struct sigaction action = {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGRTMAX, &action, nullptr);
    t_inside = false;
    started = true;
  }
};
[[gnu::init_priority(101)]] const AtStart at_start;  // the first: those of libraries allocate

}  // namespace

extern "C" {
void* __wrap_malloc(std::size_t size) { return Took(__real_malloc(size)); }  // NOLINT
void* __wrap_calloc(std::size_t count, std::size_t size) {                   // NOLINT
  return Took(__real_calloc(count, size));
}
void* __wrap_realloc(void* old, std::size_t size) {  // NOLINT
  // Before, since another thread may get the old block at once.
  Gave(old);
  return Took(__real_realloc(old, size));
}
void* __wrap_aligned_alloc(std::size_t at, std::size_t size) {  // NOLINT
  return Took(__real_aligned_alloc(at, size));
}
void __wrap_free(void* block) {  // NOLINT
  Gave(block);
  __real_free(block);
}
}
