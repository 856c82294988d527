// A process that may open no more files has no event loop, and says why.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/io/loop.h"

namespace plait::io {
namespace {

void MakeLoopWithoutDescriptors() {
  rlimit none{};
  none.rlim_cur = none.rlim_max = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  const Loop loop;
}

TEST(LoopDescriptors, AreToldWhenThereAreNone) {
  EXPECT_EXIT(MakeLoopWithoutDescriptors(), testing::ExitedWithCode(1),
              "no file descriptor is left for an event loop: Too many open files\n  try: ");
}

}  // namespace
}  // namespace plait::io
