// Files that somebody names on the command line: what never ends is refused at once.
#include "cli/bounded_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/io/unique_fd.h"

namespace plait::cli {
namespace {

class ANamedFile : public testing::Test {
 protected:
  ~ANamedFile() override { std::filesystem::remove_all(folder_); }
  std::string With(const std::string& text) const {
    std::ofstream(folder_ + "/file", std::ios::binary) << text;
    return folder_ + "/file";
  }
  static std::string ErrorOf(const std::string& path, std::size_t limit = 10) {
    const Outcome<std::string> read = ReadBounded(path, limit);
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
    const io::UniqueFd writes(ends[1]);
    EXPECT_EQ(::write(writes.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(reads.get()); }
  io::UniqueFd reads;
};

TEST_F(ANamedFile, IsReadUpToTheLimitAndRefusedOnePastIt) {
  EXPECT_EQ(ReadBounded(With("0123456789"), 10).value(), "0123456789");
  EXPECT_EQ(ReadBounded(With(""), 10).value(), "");
  const std::string path = With("0123456789+");
  EXPECT_EQ(ErrorOf(path), path + ": has more than 10 bytes");
}

TEST_F(ANamedFile, MayBeAPipeWithTheSameLimit) {
  const FilledPipe whole("0123456789");
  EXPECT_EQ(ReadBounded(whole.path(), 10).value(), "0123456789");
  const FilledPipe long_one("0123456789+");
  EXPECT_EQ(ErrorOf(long_one.path()), long_one.path() + ": has more than 10 bytes");
}

TEST_F(ANamedFile, ThatDoesNotTellItsSizeIsReadToItsEnd) {
  EXPECT_NE(ReadBounded("/proc/self/status", 1 << 20).value().find("Pid:"), std::string::npos);
  EXPECT_EQ(ErrorOf("/proc/self/status"), "/proc/self/status: has more than 10 bytes");
}

TEST_F(ANamedFile, ThatIsNoFileIsCalledWhatItIs) {
  EXPECT_EQ(ErrorOf("/dev/zero"), "/dev/zero: is a device (name a regular file or a pipe)");
  EXPECT_EQ(ErrorOf(folder_), folder_ + ": is a directory (name a regular file or a pipe)");
  EXPECT_EQ(ErrorOf(folder_ + "/nothing"), folder_ + "/nothing: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace plait::cli
