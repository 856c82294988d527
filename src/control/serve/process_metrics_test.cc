#include "control/serve/process_metrics.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/io/unique_fd.h"

namespace plait::control::serve {
namespace {

TEST(ProcessMetrics, FollowTheProcess) {
  Metrics metrics;
  SetProcessMetrics(metrics);
  const double files = metrics.Value("process_open_fds");
  EXPECT_GT(metrics.Value("process_resident_memory_bytes"), 100'000);
  EXPECT_GT(metrics.Value("process_virtual_memory_bytes"), metrics.Value("process_resident_memory_bytes"));
  EXPECT_GT(metrics.Value("process_cpu_seconds_total"), 0);
  const io::UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SetProcessMetrics(metrics);
  EXPECT_EQ(metrics.Value("process_open_fds"), files + 1);
}

}  // namespace
}  // namespace plait::control::serve
