#include "proxy/record/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <string>
#include <thread>

namespace plait::proxy::record {
namespace {
using namespace std::chrono_literals;

// A writer and a pipe with a name, which is read only when a test says so.
class LogWriting : public testing::Test {
 protected:
  LogWriting() : dir_(std::filesystem::temp_directory_path() / ("plait-log-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(dir_);
    if (mkfifo(fifo().c_str(), 0600) != 0) std::abort();
    reader_.Reset(open(fifo().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  ~LogWriting() override { std::filesystem::remove_all(dir_); }
  std::string fifo() const { return dir_ / "fifo"; }
  std::string Read() const {
    std::string all, part(65536, 0);
    for (ssize_t n = 0; (n = read(reader_.get(), part.data(), part.size())) > 0;)
      all.append(part, 0, static_cast<std::size_t>(n));
    return all;
  }
  // Whether it comes back within ten seconds; what it waited for is read then.
  bool ComesBack(std::move_only_function<void()> call) const {
    const auto done = std::async(std::launch::async, std::move(call));
    const bool in_time = done.wait_for(10s) == std::future_status::ready;
    while (done.wait_for(1ms) != std::future_status::ready) Read();
    return in_time;
  }
  static std::string Content(const std::string& path) {
    return (std::stringstream() << std::ifstream(path).rdbuf()).str();
  }
  const std::filesystem::path dir_;
  io::UniqueFd reader_;
};

const std::string kMuch(300'000, 'x');

TEST_F(LogWriting, EndsThoughNobodyReadsAPipe) {
  auto writer = std::make_unique<LogWriter>();
  writer->Hand(**writer->Open(fifo()), kMuch + "\n");
  EXPECT_TRUE(ComesBack([&] { writer->Flush(10ms); }));
  EXPECT_EQ(writer->counts().lost, 1U);
  EXPECT_EQ(writer->counts().waiting, 0U);
  writer->Hand(**writer->Open(fifo()), kMuch + "\n");
  EXPECT_TRUE(ComesBack([&] { writer.reset(); }));
}

TEST_F(LogWriting, WaitsForAReaderThatIsOnlySlow) {
  LogWriter writer;
  writer.Hand(**writer.Open(fifo()), kMuch + "\n");
  std::string read;
  auto flushed = std::async(std::launch::async, [&] { writer.Flush(60s); });
  while (flushed.wait_for(1ms) != std::future_status::ready) read += Read();
  read += Read();
  EXPECT_EQ(read, kMuch + "\n");
  EXPECT_EQ(writer.counts().written, 1U);
  EXPECT_EQ(writer.counts().lost, 0U);
}

TEST_F(LogWriting, WritesOtherFilesWhileNobodyReadsAPipe) {
  LogWriter writer;
  writer.Hand(**writer.Open(fifo()), kMuch);
  const std::string file = dir_ / "file";
  const auto sink = *writer.Open(file);
  writer.Hand(*sink, "one\n");
  EXPECT_TRUE(ComesBack([&] {
    while (Content(file) != "one\n") std::this_thread::yield();
  }));
  for (std::size_t handed = 0; handed <= LogWriter::kMostWaiting; handed += kMuch.size())
    writer.Hand(**writer.Open(fifo()), kMuch);
  writer.Hand(*sink, "two\n");
  EXPECT_TRUE(ComesBack([&] {
    while (Content(file) != "one\ntwo\n") std::this_thread::yield();
  }));
  writer.Flush(10ms);
}

TEST_F(LogWriting, CountsWhatAFullDiskTakesNotAndTellsItOnceAMinute) {
  testing::internal::CaptureStderr();
  LogWriter writer;
  const auto full = *writer.Open("/dev/full");
  for (int i = 0; i < 3; ++i) writer.Hand(*full, "x\n");
  writer.Flush();
  EXPECT_EQ(writer.counts().handed, 3U);
  EXPECT_EQ(writer.counts().lost, 3U);
  EXPECT_EQ(writer.counts().written, 0U);
  const std::string told = testing::internal::GetCapturedStderr();
  const std::size_t at = told.find(
      "access log '/dev/full' cannot be written: No space left on device; its lines are lost, writes so far: 1 (make "
      "room on its disk; told once a minute)\n");
  ASSERT_NE(at, std::string::npos) << told;
  EXPECT_EQ(told.find("/dev/full", at + 20), std::string::npos) << told;
}

TEST_F(LogWriting, TellsWhenMoreWaitsThanIsKept) {
  testing::internal::CaptureStderr();
  LogWriter writer;
  const auto sink = *writer.Open(fifo());
  for (std::size_t handed = 0; handed <= LogWriter::kMostWaiting + kMuch.size(); handed += kMuch.size())
    writer.Hand(*sink, kMuch);
  EXPECT_GE(writer.counts().lost, 1U);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("access log '" + fifo() + "' cannot be written: it takes no more; its lines are lost"),
            std::string::npos)
      << told;
  writer.Flush(10ms);
}

TEST_F(LogWriting, BeginsANewLineAfterOneWhoseRestWasLost) {
  LogWriter writer;
  const auto sink = *writer.Open(fifo());
  writer.Hand(*sink, kMuch + "\n");
  writer.Flush(10ms);
  const std::string half = Read();
  ASSERT_GT(half.size(), 0U);
  writer.Hand(*sink, "whole\n");
  writer.Flush();
  EXPECT_EQ(Read(), "\nwhole\n");
}

// Standard output of a process of its own.
TEST_F(LogWriting, DoesNotWaitForWhoReadsStandardOutput) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    dup2(ends[1], STDOUT_FILENO);
    LogWriter writer;
    writer.Hand(**writer.Open("/dev/stdout"), kMuch);
    writer.Flush(10ms);
    _exit(writer.counts().lost == 1 ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const int end : ends) close(end);
}

}  // namespace
}  // namespace plait::proxy::record
