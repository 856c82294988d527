#include "local/log_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "local/paths.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

class LogFileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/plait-log-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { RemoveTree(folder_); }
  std::size_t Size() const {
    struct stat info{};
    return stat((folder_ + "/main.log").c_str(), &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
  }
  std::string folder_;
};

TEST_F(LogFileTest, TakesABoundedPieceARoundFromAWriterThatIsNeverDoneAndLosesNothing) {
  constexpr std::size_t kAll = 8 * LogFile::kMostARound;
  io::Loop loop;
  auto log = LogFile::Open(loop, folder_ + "/main.log");
  ASSERT_TRUE(log) << log.error().ToString();
  std::thread writer([end = (*log)->writing_end()] {
    const std::string piece(64 * 1024, 'x');
    for (std::size_t left = kAll; left > 0;) {
      const ssize_t n = write(end, piece.data(), std::min(left, piece.size()));
      if (n <= 0) return;
      left -= static_cast<std::size_t>(n);
    }
  });
  std::size_t most = 0;
  std::size_t size = 0;
  const bool all = loop.RunUntil(
      [&] {
        const std::size_t now = Size();
        most = std::max(most, now - size);
        size = now;
        return size >= kAll;
      },
      20s);
  EXPECT_TRUE(all) << size;
  EXPECT_LE(most, LogFile::kMostARound);
  while (!all && Size() < kAll) (*log)->Drain();  // the writer must end
  writer.join();
}

TEST_F(LogFileTest, DrainedTakesAllThatAPipeHolds) {
  io::Loop loop;
  auto log = LogFile::Open(loop, folder_ + "/main.log");
  ASSERT_TRUE(log) << log.error().ToString();
  const std::string text(60 * 1024, 'x');
  ASSERT_EQ(write((*log)->writing_end(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  (*log)->Drain();
  EXPECT_EQ(Size(), text.size());
}

}  // namespace
}  // namespace plait::local
