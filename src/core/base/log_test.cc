#include "core/base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "core/base/outlet.h"

namespace plait {
namespace {

log::Component kLog("log_test");

struct Pipe {
  Pipe() {
    if (pipe(ends.data()) != 0) std::abort();
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  // Leaves no room but `room` pages. Pages that are full one by one: what is written later is not added to them.
  void Fill(int room = 0) const {
    const Outlet outlet(ends[1]);
    const std::string page(4096, '#');
    while (outlet.Write(page) > 0) continue;
    std::string taken(4096, 0);
    while (room-- > 0 && read(ends[0], taken.data(), taken.size()) > 0) continue;
  }
  std::string Read() const {
    std::string all, part(65536, 0);
    for (ssize_t n = 0; (n = read(ends[0], part.data(), part.size())) > 0;)
      all.append(part, 0, static_cast<std::size_t>(n));
    return all;
  }
  std::array<int, 2> ends{};
};

// What `run` leaves in the pipe that is the standard error of a process of its own, which may take ten seconds.
std::string LoggedBy(void (*run)(const Pipe&)) {
  const Pipe pipe;
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    dup2(pipe.ends[1], STDERR_FILENO);
    log::NeverWait();
    run(pipe);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return "the process ended with " + std::to_string(status);
  return pipe.Read();
}

TEST(Log, LosesLinesThatNobodyReadsAndTellsHowMany) {
  const std::string text = LoggedBy([](const Pipe& pipe) {
    pipe.Fill();
    for (int i = 0; i < 3; ++i) kLog.Warn("never seen");
    pipe.Read();
    kLog.Warn("seen");
    kLog.Warn("seen as well");
  });
  EXPECT_EQ(text.find("never seen"), std::string::npos) << text;
  const std::size_t told = text.find("\twarn\tlog\tlines lost before this one: 3; standard error took no more");
  ASSERT_NE(told, std::string::npos) << text;
  EXPECT_GT(text.find("\twarn\tlog_test\tseen\n"), told) << text;
  EXPECT_NE(text.find("\twarn\tlog_test\tseen as well\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("lines lost", told + 20), std::string::npos) << text;
}

TEST(Log, GivesALineItsEndThatWasTakenInPart) {
  const std::string text = LoggedBy([](const Pipe& pipe) {
    pipe.Fill(1);
    kLog.Warn(std::string(10'000, 'x'));
    pipe.Read();
    kLog.Warn("whole");
  });
  EXPECT_TRUE(text.starts_with("\n")) << text;
  EXPECT_NE(text.find("lines lost before this one: 1;"), std::string::npos) << text;
  EXPECT_NE(text.find("\twhole\n"), std::string::npos) << text;
}

TEST(Log, GivesAPipeThatItMayNotOpenNoMoreThanThereIsRoomFor) {
  if (geteuid() != 0) GTEST_SKIP() << "a pipe of another user needs two users";
  const std::string text = LoggedBy([](const Pipe& pipe) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(1);
    alarm(10);
    log::NeverWait();
    pipe.Fill(1);
    kLog.Warn(std::string(10'000, 'x'));
    kLog.Warn("never seen");
    pipe.Read();
    kLog.Warn("whole");
  });
  EXPECT_TRUE(text.starts_with("\n")) << text;
  EXPECT_NE(text.find("lines lost before this one: 2;"), std::string::npos) << text;
  EXPECT_NE(text.find("\twhole\n"), std::string::npos) << text;
}

TEST(Log, LeavesThePipeAsItIsForOthersWhoWriteToIt) {
  const Pipe pipe;
  const Outlet outlet(pipe.ends[1]);
  EXPECT_EQ(fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(outlet.fd(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace plait
