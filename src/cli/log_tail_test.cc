#include "cli/log_tail.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace plait::cli {
namespace {

using Lines = std::vector<std::string>;

class LogTailTest : public testing::Test {
 protected:
  LogTailTest() {
    std::string name = testing::TempDir() + "/log_tail-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/istio-proxy.log";
  }
  ~LogTailTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  // As local/log_file.cc.
  void Rotate() const { std::filesystem::rename(path_, path_ + ".1"); }
  static Lines New(LogTail& tail, bool all = false) {
    Lines lines;
    EXPECT_TRUE(tail.Read(all, [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    }));
    return lines;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(LogTailTest, GivesWholeLinesAsTheyCome) {
  Write("a\nb");
  LogTail tail(path_);
  ASSERT_TRUE(tail.Open());
  EXPECT_EQ(New(tail), Lines{"a\n"});
  EXPECT_EQ(New(tail), Lines{});
  Write("c\nd");
  EXPECT_EQ(New(tail), Lines{"bc\n"});
  EXPECT_EQ(New(tail, /*all=*/true), Lines{"d"});
}

TEST_F(LogTailTest, ReadsTheOldFileToItsEndBeforeTheNewOne) {
  Write("a\n");
  LogTail tail(path_);
  EXPECT_EQ(New(tail), Lines{"a\n"});
  Write("b\nc\n");
  Rotate();
  Write("d\n");
  EXPECT_EQ(New(tail), (Lines{"b\n", "c\n", "d\n"}));
  Write("e\n");
  EXPECT_EQ(New(tail), Lines{"e\n"});
}

TEST_F(LogTailTest, NoticesANewFileThatIsLongerThanWhatWasReadOfTheOldOne) {
  Write("a\n");
  LogTail tail(path_);
  EXPECT_EQ(New(tail), Lines{"a\n"});
  Rotate();
  Write("longer\n");
  EXPECT_EQ(New(tail), Lines{"longer\n"});
}

TEST_F(LogTailTest, KeepsTheOldFileWhileThereIsNoNewOne) {
  Write("a\n");
  LogTail tail(path_);
  EXPECT_EQ(New(tail), Lines{"a\n"});
  Write("b\n");
  Rotate();
  EXPECT_EQ(New(tail), Lines{"b\n"});
  Write("c\n");
  EXPECT_EQ(New(tail), Lines{"c\n"});
}

TEST_F(LogTailTest, EndsALineThatItsWriterLeftUnfinished) {
  Write("killed while it wro");
  LogTail tail(path_);
  EXPECT_EQ(New(tail), Lines{});
  Rotate();
  Write("new\n");
  EXPECT_EQ(New(tail), (Lines{"killed while it wro\n", "new\n"}));
}

TEST_F(LogTailTest, WaitsForAFileThatIsNotThereYet) {
  LogTail tail(path_);
  EXPECT_FALSE(tail.Open());
  EXPECT_EQ(New(tail), Lines{});
  Write("a\n");
  EXPECT_EQ(New(tail), Lines{"a\n"});
}

TEST_F(LogTailTest, BeginsAnewWhereTheFileWasEmptied) {
  Write("a\nb\n");
  LogTail tail(path_);
  EXPECT_EQ(New(tail).size(), 2u);
  std::filesystem::resize_file(path_, 0);
  Write("c\n");
  EXPECT_EQ(New(tail), Lines{"c\n"});
}

TEST_F(LogTailTest, StopsWhereItIsTold) {
  Write("a\nb\n");
  LogTail tail(path_);
  EXPECT_FALSE(tail.Read(false, [](std::string_view) { return false; }));
}

}  // namespace
}  // namespace plait::cli
