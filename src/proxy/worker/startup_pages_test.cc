#include "proxy/worker/startup_pages.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace plait::proxy::worker {
namespace {

int Answer() { return 42; }

constexpr char kConstant[] = "from the file";

// Relocated at the start: pages that are not as in the file.
constexpr std::array<int (*)(), 1> kRelocated = {Answer};

// KiB resident of the mapping that has this address.
std::size_t ResidentAround(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto at = reinterpret_cast<std::uintptr_t>(address);
      here = at >= begin && at < end;
    } else if (here && line.starts_with("Rss:")) {
      return std::stoul(line.substr(4));
    }
  }
  return 0;
}

TEST(StartupPages, AreUnmappedAndComeBackWhenTheyAreUsed) {
  const auto* code = reinterpret_cast<const void*>(&ReleaseStartupPages);
  const volatile auto* relocated = kRelocated.data();
  const std::size_t before = ResidentAround(code);
  ReleaseStartupPages();
  EXPECT_LT(ResidentAround(code), before);
  EXPECT_EQ((*relocated)(), 42);
  const volatile char* constant = kConstant;
  EXPECT_EQ(constant[0], 'f');
}

}  // namespace
}  // namespace plait::proxy::worker
