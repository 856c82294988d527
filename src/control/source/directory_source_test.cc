// Files that are followed while somebody writes them in steps.
#include "control/source/directory_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "control/source/testing_folder.h"
#include "core/io/unique_fd.h"
#include "testing/manual_clock.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

const std::string kBadPolicy =
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {rulez: []}\n";

class Followed : public ConfigFolder {
 protected:
  Followed() {
    fs::permissions(root_, fs::perms(0755));
    fs::create_directory(root_ + "/state");
    fs::permissions(root_ + "/state", fs::perms(0777));
    Write("a.yaml", Namespace("one"));
  }
  io::UniqueFd Open(const std::string& name, int flags) const {
    io::UniqueFd fd(::open(Path(name).c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
    EXPECT_TRUE(fd) << name;
    return fd;
  }
  static void Append(const io::UniqueFd& fd, const std::string& text) {
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void Start() {
    AsReader([this] {
      source_ = std::make_unique<DirectorySource>(
          loop_, DirectoryOptions{.directories = {root_ + "/conf"}, .state_dir = root_ + "/state"}, [] {});
    });
  }
  std::string Names() const { return ConfigFolder::Names(*source_); }
  std::string Said() const { return ConfigFolder::Said(*source_); }
  bool RunUntil(const std::function<bool()>& done) {
    bool was = false;
    AsReader([&] { was = loop_.RunUntil(done, 5s); });
    return was;
  }
  bool BecomesInForce(const std::string& names) {
    return RunUntil([&] { return Names() == names; });
  }
  virtual void AsReader(const std::function<void()>& call) { call(); }

  ManualClock clock_{ManualClock::Start::kRunning};
  io::Loop loop_{clock_};
  std::unique_ptr<DirectorySource> source_;
};

constexpr uid_t kOther = 65534;

// The owner of the files may ask the kernel who writes them; another user than root, who is the owner here, has to go
// by what he heard.
class FollowedByAnyone : public Followed, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    if (!IsOwner() && ::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  }
  static bool IsOwner() { return GetParam(); }
  void GiveToReader(const std::string& name) const {
    if (!IsOwner()) {
      EXPECT_EQ(::chown(Path(name).c_str(), kOther, kOther), 0);
    }
  }
  void AsReader(const std::function<void()>& call) override {
    if (IsOwner()) return call();
    EXPECT_EQ(::seteuid(kOther), 0);
    call();
    EXPECT_EQ(::seteuid(0), 0);
  }
};

// Writes to a file of which no event comes: through a mapping.
class Unheard {
 public:
  explicit Unheard(const std::string& path) : size_(fs::file_size(path)) {
    const io::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    at_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    EXPECT_NE(at_, MAP_FAILED);
  }
  ~Unheard() { ::munmap(at_, size_); }
  // What it said before.
  std::string Replace(const std::string& text) const {
    std::string before(static_cast<const char*>(at_), size_);
    EXPECT_EQ(text.size(), size_);
    std::copy(text.begin(), text.end(), static_cast<char*>(at_));
    return before;
  }

 private:
  std::size_t size_;
  void* at_;
};

TEST_P(FollowedByAnyone, AFileThatIsWrittenInStepsSaysWhatItSaidUntilItIsClosed) {
  Start();
  io::UniqueFd a = Open("a.yaml", O_TRUNC);
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two ")) << "other files do not wait";
  Append(a, Namespace("half"));
  Write("b.yaml", Namespace("three"));
  EXPECT_TRUE(BecomesInForce("one three "));
  Append(a, "---\n" + Namespace("whole"));
  a.Reset();
  EXPECT_TRUE(BecomesInForce("half whole three "));
  EXPECT_EQ(Said(), "");
}

TEST_P(FollowedByAnyone, ANewFileSaysNothingUntilItIsClosedSoThatABadPolicyFindsNothingToFallBackOn) {
  Start();
  io::UniqueFd file = Open("policy.yaml", O_CREAT | O_EXCL);
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two "));
  Append(file, kBadPolicy);
  file.Reset();
  EXPECT_TRUE(BecomesInForce("one two p "));
  EXPECT_NE(Said().find("p: it is invalid, so it denies all requests"), std::string::npos) << Said();
}

TEST_P(FollowedByAnyone, ALinkIsInForceAtOnce) {
  std::ofstream(root_ + "/hard") << Namespace("hard");
  std::ofstream(root_ + "/soft") << Namespace("soft");
  Start();
  fs::create_hard_link(root_ + "/hard", Path("b.yaml"));
  fs::create_symlink(root_ + "/soft", Path("c.yaml"));
  EXPECT_TRUE(BecomesInForce("one hard soft "));
}

TEST_P(FollowedByAnyone, AFileThatStaysOpenIsToldTakenAfterAWhileAndToldUntilItIsClosed) {
  const auto told = [this](const std::string& text) {
    return RunUntil([&] { return Said().find(Path("a.yaml") + ": the file " + text) != std::string::npos; });
  };
  const std::string taken = "has been open for writing for 30 s, so what it said then is in force";
  Start();
  io::UniqueFd a = Open("a.yaml", O_TRUNC);
  Append(a, Namespace("half"));
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two "));
  clock_.Advance(3s);
  EXPECT_TRUE(told("is open for writing, so what it says now is not in force yet; what it said before is")) << Said();
  EXPECT_EQ(Names(), "one two ");
  clock_.Advance(30s);
  EXPECT_TRUE(BecomesInForce("half two "));
  EXPECT_TRUE(told(taken)) << Said();
  Append(a, "---\n" + Namespace("more"));
  Write("b.yaml", Namespace("three"));
  EXPECT_TRUE(BecomesInForce("half three ")) << "each change waits";
  clock_.Advance(30s);
  EXPECT_TRUE(BecomesInForce("half more three "));
  EXPECT_TRUE(told(taken)) << Said();
  a.Reset();
  EXPECT_TRUE(RunUntil([&] { return Said().empty(); })) << Said();
  EXPECT_EQ(Names(), "half more three ");
}

// As by a truncation whose event is not there yet.
TEST_P(FollowedByAnyone, WhatIsReadAndGoneAMomentLaterIsNeverInForceThoughNothingWasHeardOfTheWriter) {
  Write("b.yaml", Namespace("zero"));
  GiveToReader("b.yaml");  // who needs no second look at it
  Start();
  const Unheard a(Path("a.yaml"));
  const std::string said = a.Replace(std::string(Namespace("one").size(), '\n'));
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two "));
  a.Replace(said);
  Write("b.yaml", Namespace("three"));
  EXPECT_TRUE(BecomesInForce("one three "));
  EXPECT_EQ(Said(), "");
}

TEST_P(FollowedByAnyone, WhatIsReadAgainAMomentLaterIsInForceThoughNothingWasHeardOfTheWriter) {
  if (IsOwner()) GTEST_SKIP() << "the owner knows that it is open";
  Write("b.yaml", Namespace("zero"));
  GiveToReader("b.yaml");
  Start();
  const Unheard a(Path("a.yaml"));
  a.Replace(std::string(Namespace("one").size(), '\n'));
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two "));
  EXPECT_TRUE(BecomesInForce("two "));
  EXPECT_EQ(Said(), "");
}

TEST_P(FollowedByAnyone, AFileThatIsEmptyWhenItIsReadAtAStartSaysForAMomentWhatItSaidBefore) {
  if (IsOwner()) GTEST_SKIP() << "the owner knows whether it is being written";
  Start();
  source_.reset();
  Write("a.yaml", "");
  Start();
  EXPECT_EQ(Names(), "one ");
  EXPECT_EQ(Said(), "");
  EXPECT_TRUE(BecomesInForce(""));
}

INSTANTIATE_TEST_SUITE_P(Each, FollowedByAnyone, testing::Bool(),
                         [](const auto& one) { return one.param ? "Owner" : "AnotherUser"; });

TEST_F(Followed, AFileThatIsOpenWhenItIsFirstReadSaysWhatItSaidBeforeAndIsTold) {
  Start();
  source_.reset();
  io::UniqueFd a = Open("a.yaml", O_TRUNC);
  Start();
  EXPECT_EQ(Names(), "one ");
  EXPECT_NE(Said().find(Path("a.yaml") + ": the file is open for writing, so what it says now is not in force yet"),
            std::string::npos)
      << Said();
  a.Reset();
  EXPECT_TRUE(BecomesInForce(""));
}

TEST_F(Followed, AFileThatIsOpenAtTheFirstStartIsInForceAsItIs) {
  const io::UniqueFd file = Open("policy.yaml", O_CREAT);
  Append(file, kBadPolicy);
  Start();
  EXPECT_EQ(Names(), "one p ");
  EXPECT_NE(Said().find("p: it is invalid, so it denies all requests"), std::string::npos) << Said();
}

TEST_F(Followed, AFileThatIsCutWithoutBeingOpenedIsInForceAtOnce) {
  Write("b.yaml", Namespace("two") + "---\n" + Namespace("three"));
  Start();
  EXPECT_EQ(Names(), "one two three ");
  fs::resize_file(Path("b.yaml"), Namespace("two").size());
  EXPECT_TRUE(BecomesInForce("one two "));
}

TEST_F(Followed, AFileThatIsOpenAndSaysWhatItSaidIsNothingToTell) {
  Start();
  const io::UniqueFd a = Open("a.yaml", 0);
  clock_.Advance(1min);
  Write("b.yaml", Namespace("two"));
  EXPECT_TRUE(BecomesInForce("one two "));
  clock_.Advance(1min);
  Write("b.yaml", Namespace("three"));
  EXPECT_TRUE(BecomesInForce("one three "));
  EXPECT_EQ(Said(), "");
}

// Thousands of folders are made and gone at once in memory only.
class InMemory {
 public:
  InMemory() { EXPECT_NE(::mkdtemp(path_), nullptr); }
  ~InMemory() { fs::remove_all(path_); }
  std::vector<std::string> Make(int folders) const {
    std::vector<std::string> out;
    for (int i = 0; i < folders; ++i) {
      out.push_back(std::string(path_) + "/" + std::to_string(i));
      fs::create_directory(out.back());
    }
    return out;
  }

 private:
  char path_[32] = "/dev/shm/plait-folders-XXXXXX";
};

TEST_F(Followed, FortyTimesAsManyFoldersCostSomeFortyTimesAsMuch) {
  const InMemory memory;
  const auto cost = [&](int folders) {
    const std::vector<std::string> all = memory.Make(folders);
    FolderWatch watch(loop_, {}, [] {});
    watch.Watch(all);
    EXPECT_FALSE(watch.degraded());
    const auto now = [] {
      timespec used{};
      EXPECT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
      return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
    };
    const auto begun = now();
    EXPECT_FALSE(watch.Watch(all));
    return now() - begun;
  };
  const auto few = cost(200);
  EXPECT_LT(cost(8000), few * 120);
}

}  // namespace
}  // namespace plait::control::source
