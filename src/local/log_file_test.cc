#include "local/log_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "local/paths.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

// As a disk that has room for so many bytes of a file, as long as it lives: then EFBIG in the place of ENOSPC.
class FullDisk {
 public:
  explicit FullDisk(std::size_t room) : signal_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = room, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_{};
  sighandler_t signal_;
};

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
  std::string Text(const std::string& file = "/main.log") const {
    std::ifstream in(folder_ + file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Outcome<std::unique_ptr<LogFile>> Open() { return LogFile::Open(loop_, losses_, folder_ + "/main.log"); }
  std::string folder_;
  io::Loop loop_;
  LogLosses losses_;
};

TEST_F(LogFileTest, TakesABoundedPieceARoundFromAWriterThatIsNeverDoneAndLosesNothing) {
  constexpr std::size_t kAll = 8 * LogFile::kMostARound;
  auto log = Open();
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
  const bool all = loop_.RunUntil(
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
  auto log = Open();
  ASSERT_TRUE(log) << log.error().ToString();
  const std::string text(60 * 1024, 'x');
  ASSERT_EQ(write((*log)->writing_end(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  (*log)->Drain();
  EXPECT_EQ(Size(), text.size());
}

TEST_F(LogFileTest, SaysHowMuchAFullDiskHasLostOnceThereIsRoomAgain) {
  auto log = Open();
  ASSERT_TRUE(log) << log.error().ToString();
  {
    const FullDisk disk(10);
    (*log)->Append("first\nsecond\n");
    (*log)->Append("third\n");
    EXPECT_EQ(Text(), "first\nseco");
    EXPECT_EQ(losses_.at(folder_ + "/main.log").bytes, 9u);
    EXPECT_EQ(TextOf(losses_), "cannot write the log " + folder_ +
                                   "/main.log: File too large; 9 bytes are lost so far: make room there");
  }
  (*log)->Append("fourth\n");
  EXPECT_EQ(Text(), "first\nseco\nplait: 9 bytes of log lost: File too large\nfourth\n");
  EXPECT_TRUE(losses_.empty());
  (*log)->Append("fifth\n");
  EXPECT_TRUE(Text().ends_with("fourth\nfifth\n")) << "it is told once";
}

TEST_F(LogFileTest, SaysSoWithoutWaitingForTheNextLine) {
  auto log = Open();
  ASSERT_TRUE(log) << log.error().ToString();
  {
    const FullDisk disk(0);
    (*log)->Append("first\n");
    EXPECT_EQ(losses_.size(), 1u);
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return losses_.empty(); }, 20s));
  EXPECT_EQ(Text(), "plait: 6 bytes of log lost: File too large\n");
}

TEST_F(LogFileTest, CountsWhatFollowsTheLastWholeLineBeforeARotationThatDoesNotCome) {
  auto log = Open();
  ASSERT_TRUE(log) << log.error().ToString();
  const std::string line(LogFile::kRotateAt - 2, 'x');
  {
    const FullDisk disk(0);
    (*log)->Append(line + "\nrest");
  }
  EXPECT_EQ(losses_.at(folder_ + "/main.log").bytes, line.size() + 5);
  (*log)->Append("\n");
  EXPECT_EQ(Text(), "plait: " + std::to_string(line.size() + 5) + " bytes of log lost: File too large\n\n");
}

TEST_F(LogFileTest, GoesOnAfterARotationThatCouldNotMakeTheNextFile) {
  auto log = Open();
  ASSERT_TRUE(log) << log.error().ToString();
  const std::string aside = folder_ + "/aside";
  const std::string line = std::string(LogFile::kRotateAt - 1, 'x') + "\n";
  ASSERT_EQ(rename((folder_ + "/main.log").c_str(), aside.c_str()), 0);
  ASSERT_EQ(mkdir((folder_ + "/main.log").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((folder_ + "/main.log.1").c_str(), 0700), 0);
  ASSERT_TRUE(WritePrivate(folder_ + "/main.log.1/in-the-way", ""));  // so that nothing can be renamed to it
  (*log)->Append(line);
  EXPECT_TRUE(losses_.empty());
  (*log)->Append("lost\n");
  EXPECT_EQ(losses_.at(folder_ + "/main.log").bytes, 5u);
  ASSERT_EQ(rmdir((folder_ + "/main.log").c_str()), 0);
  (*log)->Append("kept\n");
  EXPECT_EQ(Text(), "plait: 5 bytes of log lost: Is a directory\nkept\n");
  EXPECT_EQ(Text("/aside"), line);
}

}  // namespace
}  // namespace plait::local
