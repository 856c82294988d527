#include "control/serve/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace plait::control::serve {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void SetProcessMetrics(Metrics& metrics) {
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0)
    metrics.Set("process_cpu_seconds_total", {}, Seconds(used.ru_utime) + Seconds(used.ru_stime));

  double all = 0;
  double resident = 0;
  if (std::ifstream pages("/proc/self/statm"); pages >> all >> resident) {
    const auto size = static_cast<double>(::sysconf(_SC_PAGESIZE));
    metrics.Set("process_virtual_memory_bytes", {}, all * size);
    metrics.Set("process_resident_memory_bytes", {}, resident * size);
  }

  std::error_code failed;
  const std::filesystem::directory_iterator files("/proc/self/fd", failed);
  if (failed) return;
  const auto open = std::distance(begin(files), end(files));
  metrics.Set("process_open_fds", {}, static_cast<double>(open - 1));  // without that of the listing itself
}

}  // namespace plait::control::serve
