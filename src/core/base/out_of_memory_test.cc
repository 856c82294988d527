#include "core/base/out_of_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <new>
#include <vector>

#include "core/base/buffer.h"

namespace plait {
namespace {

const char* const kTold = "^error: no memory is left for this process\n  try: raise its limit of memory [^\n]*\n$";

class OutOfMemory : public testing::Test {
 protected:
  void SetUp() override {
#ifdef PLAIT_SANITIZED
    GTEST_SKIP() << "a sanitizer's allocator ends the process itself";
#endif
  }
  static void TakeNoMore() {
    rlimit none{};
    none.rlim_cur = none.rlim_max = 1;
    setrlimit(RLIMIT_AS, &none);
  }
};

void FillABuffer() {
  Buffer buffer;
  for (;;) buffer.Append("some bytes");
}

void FillTheHeap() {
  std::set_new_handler(&EndWithoutMemory);
  std::vector<std::unique_ptr<char[]>> all;
  for (;;) all.push_back(std::make_unique<char[]>(1 << 16));
}

TEST_F(OutOfMemory, ABufferThatFindsNoneTellsSo) {
  EXPECT_EXIT((TakeNoMore(), FillABuffer()), testing::ExitedWithCode(1), kTold);
}

TEST_F(OutOfMemory, AProgramThatFindsNoneTellsSo) {
  EXPECT_EXIT((TakeNoMore(), FillTheHeap()), testing::ExitedWithCode(1), kTold);
}

}  // namespace
}  // namespace plait
