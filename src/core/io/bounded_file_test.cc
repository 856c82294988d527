// Files that somebody names: what never ends is refused at once.
#include "core/io/bounded_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/io/unique_fd.h"

namespace plait::io {
namespace {

class ANamedFile : public testing::Test {
 protected:
  ~ANamedFile() override { std::filesystem::remove_all(folder_); }
  std::string With(const std::string& text) const {
    std::ofstream(folder_ + "/file", std::ios::binary) << text;
    return folder_ + "/file";
  }
  static std::string ErrorOf(const std::string& path, Pipes pipes = Pipes::kRead) {
    const Outcome<std::string> read = ReadBounded(path, 10, pipes);
    return read ? "read" : read.error().ToString();
  }
  static std::string NewFolder() {
    char name[] = "/tmp/plait-bounded-XXXXXX";
    return ::mkdtemp(name);
  }
  const std::string folder_ = NewFolder();
};

// The end to read, by a path as a shell's <(...) gives it, of a pipe that holds a text and has no writer any more.
struct FilledPipe {
  explicit FilledPipe(const std::string& text) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    reads.Reset(ends[0]);
    const UniqueFd writes(ends[1]);
    EXPECT_EQ(::write(writes.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(reads.get()); }
  UniqueFd reads;
};

TEST_F(ANamedFile, IsReadUpToTheLimitAndRefusedOnePastIt) {
  EXPECT_EQ(ReadBounded(With("0123456789"), 10, Pipes::kRead).value(), "0123456789");
  EXPECT_EQ(ReadBounded(With(""), 10, Pipes::kRead).value(), "");
  const std::string path = With("0123456789+");
  EXPECT_EQ(ErrorOf(path), path + ": has more than 10 bytes (check that it is the file that is meant)");
}

TEST_F(ANamedFile, MayBeAPipeWithTheSameLimit) {
  const FilledPipe whole("0123456789");
  EXPECT_EQ(ReadBounded(whole.path(), 10, Pipes::kRead).value(), "0123456789");
  const FilledPipe long_one("0123456789+");
  EXPECT_EQ(ErrorOf(long_one.path()),
            long_one.path() + ": has more than 10 bytes (check that it is the file that is meant)");
}

TEST_F(ANamedFile, ThatDoesNotTellItsSizeIsReadToItsEnd) {
  EXPECT_NE(ReadBounded("/proc/self/status", 1 << 20, Pipes::kRead).value().find("Pid:"), std::string::npos);
  EXPECT_EQ(ErrorOf("/proc/self/status"),
            "/proc/self/status: has more than 10 bytes (check that it is the file that is meant)");
}

TEST_F(ANamedFile, ThatIsNoFileIsCalledWhatItIs) {
  EXPECT_EQ(ErrorOf("/dev/zero"), "/dev/zero: is a device (name a regular file or a pipe)");
  EXPECT_EQ(ErrorOf(folder_), folder_ + ": is a directory (name a regular file or a pipe)");
  EXPECT_EQ(ErrorOf(folder_ + "/nothing"),
            folder_ + "/nothing: cannot be read: No such file or directory (check that it exists and who may read it)");
}

TEST_F(ANamedFile, IsNoPipeWhereNobodyMayWait) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(ErrorOf(path, Pipes::kRefused), path + ": is a pipe (name a regular file)");
  EXPECT_EQ(ReadBounded(With("text"), 10, Pipes::kRefused).value(), "text");
}

}  // namespace
}  // namespace plait::io
