#include "local/paths.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace plait::local {
namespace {

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"PLAIT_STATE_DIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"}) unsetenv(name);
    char name[] = "/tmp/plait-paths-XXXXXX";
    folder_ = mkdtemp(name);
    setenv("HOME", folder_.c_str(), 1);
  }
  void TearDown() override { RemoveTree(folder_); }
  static bool Hides(const MeshPaths& paths, const std::string& folder) {
    const auto hidden = paths.Hidden();
    return std::find(hidden.begin(), hidden.end(), folder) != hidden.end();
  }
  std::string folder_;
};

TEST_F(Paths, FollowTheEnvironment) {
  EXPECT_EQ(ResolvePaths("default")->state, folder_ + "/.local/state/plait/default");
  EXPECT_EQ(ResolvePaths("a-b")->run, "/tmp/plait-" + std::to_string(geteuid()) + "/a-b");
  setenv("XDG_STATE_HOME", "/x", 1);
  EXPECT_EQ(ResolvePaths("default")->state, "/x/plait/default");
  setenv("PLAIT_STATE_DIR", "/own", 1);
  EXPECT_EQ(ResolvePaths("default")->state, "/own");
  setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  EXPECT_EQ(ResolvePaths("default")->run, folder_ + "/plait/default");
}

TEST_F(Paths, AvoidARuntimeFolderThatIsTooLongOrNotOurs) {
  const std::string fallback = "/tmp/plait-" + std::to_string(geteuid()) + "/default";
  setenv("XDG_RUNTIME_DIR", "/no/such/folder", 1);
  EXPECT_EQ(ResolvePaths("default")->run, fallback);
  const std::string longer = folder_ + "/" + std::string(100, 'x');
  ASSERT_EQ(mkdir(longer.c_str(), 0700), 0);
  setenv("XDG_RUNTIME_DIR", longer.c_str(), 1);
  EXPECT_EQ(ResolvePaths("default")->run, fallback) << "a socket's path has 107 characters";
}

TEST_F(Paths, AreLeftAsTheyWereWhenWhatWasMissingIsRemovedAgain) {
  const std::string inner = folder_ + "/a/b/c";
  const std::vector<std::string> missing = {inner, folder_ + "/a/b", folder_ + "/a"};
  EXPECT_EQ(MissingFolders(inner), missing);
  ASSERT_TRUE(MakeFolders(inner));
  EXPECT_EQ(MissingFolders(inner), std::vector<std::string>());
  ASSERT_TRUE(WritePrivate(folder_ + "/a/somebody's", ""));
  RemoveEmptyFolders(missing);
  EXPECT_EQ(MissingFolders(inner), (std::vector<std::string>{inner, folder_ + "/a/b"}))
      << "what has something in it stays";
  ASSERT_EQ(unlink((folder_ + "/a/somebody's").c_str()), 0);
  RemoveEmptyFolders(missing);
  EXPECT_EQ(MissingFolders(inner), missing);
}

TEST_F(Paths, AreNotMissingWhereALinkLeadsNowhere) {
  const std::string link = folder_ + "/link";
  ASSERT_EQ(symlink("/no/such/folder", link.c_str()), 0);
  EXPECT_EQ(MissingFolders(link), std::vector<std::string>());
}

TEST_F(Paths, RefuseNamesThatAreNone) {
  for (const char* name : {"", "../x", "a/b", "-a", "UP", "a b"}) EXPECT_FALSE(ResolvePaths(name).has_value()) << name;
}

TEST_F(Paths, HideTheOtherMeshesOfTheUserToo) {
  setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  const MeshPaths paths = *ResolvePaths("one");
  EXPECT_TRUE(Hides(paths, folder_ + "/plait"));
  EXPECT_TRUE(Hides(paths, folder_ + "/.local/state/plait"));
  setenv("PLAIT_STATE_DIR", "/own/place", 1);
  const MeshPaths apart = *ResolvePaths("two");
  EXPECT_TRUE(Hides(apart, "/own/place"));
  EXPECT_TRUE(Hides(apart, folder_ + "/.local/state/plait")) << "of meshes that are where they are by default";
}

TEST_F(Paths, RefuseAPrivateFolderThatOthersCanRead) {
  const std::string open = folder_ + "/open";
  ASSERT_EQ(mkdir(open.c_str(), 0755), 0);
  EXPECT_FALSE(MakePrivateFolder(open).has_value());
  EXPECT_TRUE(MakePrivateFolder(folder_ + "/new").has_value());
}

}  // namespace
}  // namespace plait::local
