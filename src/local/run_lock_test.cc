#include "local/run_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>

namespace plait::local {
namespace {

class StateDirectory : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/plait-state-XXXXXX";
    paths_.state = mkdtemp(name);
  }
  void TearDown() override { RemoveTree(paths_.state); }
  io::UniqueFd Lock() const {
    return io::UniqueFd(open((paths_.state + "/plaitd.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  MeshPaths paths_{.name = "shop"};
};

TEST_F(StateDirectory, IsFreeWhereNoPlaitdRuns) {
  EXPECT_TRUE(AwaitFreeState(paths_, 0).has_value()) << "it was never used";
  Lock();
  EXPECT_TRUE(AwaitFreeState(paths_, 0).has_value()) << "it was used";
}

TEST_F(StateDirectory, IsRefusedWhileThePlaitdOfAnotherMeshHasIt) {
  const io::UniqueFd other = Lock();
  ASSERT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
  const Outcome<> free = AwaitFreeState(paths_, 0);
  ASSERT_FALSE(free.has_value());
  EXPECT_EQ(free.error().message, "another mesh uses the state directory " + paths_.state);
  EXPECT_NE(free.error().hint.find("PLAIT_STATE_DIR"), std::string::npos) << free.error().hint;
  ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
  EXPECT_TRUE(AwaitFreeState(paths_, 0).has_value());
}

}  // namespace
}  // namespace plait::local
