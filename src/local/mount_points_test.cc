// Volumes in the roots of real applications: what they see, and that nothing of the host is changed or shown.
#include "local/mount_points.h"

#include "local/testing_launch.h"

namespace plait::local {
namespace {

class VolumesTest : public LaunchTest {
 protected:
  void SetUp() override {
    LaunchTest::SetUp();
    volume_ = folder_ + "/volume";
    ASSERT_EQ(mkdir(volume_.c_str(), 0755), 0);
  }
  VolumeMount At(std::string place) const {
    return {.name = "v", .from = volume_, .sub_path = "", .at = std::move(place)};
  }
  // A shell with these mounts of one volume, a file system of its own that `fill` has written to. The volume is at
  // /look as well.
  std::string Run(
      const std::string& script, std::vector<VolumeMount> volumes, std::function<void()> fill = [] {},
      std::vector<std::string> shown = {}) {
    volumes.push_back(At("/look"));
    return Shell(script, [&](LaunchPlan& plan) {
      MountTmpfs(volume_, "mode=777").value();
      fill();
      plan.root.volumes = volumes;
      plan.root.shown = shown;
    });
  }
  static bool Exists(const std::string& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0;
  }
  std::string volume_;
};

TEST_F(VolumesTest, AreMountedWhereTheHostHasNothingAndLeaveItSo) {
  WriteWholeFile(folder_ + "/open/kept", "of the host\n").value();
  ASSERT_EQ(symlink("kept", (folder_ + "/open/link").c_str()), 0);
  const std::string at = folder_ + "/open/new/deep";
  EXPECT_EQ(Run("echo hello >" + at + "/written; cat " + folder_ + "/open/link /look/written; ls " + folder_ + "/open",
                {At(at)}),
            "of the host\nhello\nkept\nlink\nnew\n");
  EXPECT_FALSE(Exists(folder_ + "/open/new"));
}

TEST_F(VolumesTest, AreFilesAndFoldersOfAVolumeThatMayNotBeWritten) {
  VolumeMount file = At("/etc/plait-test.conf");
  VolumeMount folder = At("/opt/plait-test/all");
  file.sub_path = "conf";
  folder.sub_path = "all";
  file.read_only = folder.read_only = true;
  const std::string text =
      Run("cat /etc/plait-test.conf; echo x >/etc/plait-test.conf; touch /opt/plait-test/all/x", {file, folder}, [&] {
        WriteWholeFile(volume_ + "/conf", "color\n").value();
        MakeFolder(volume_ + "/all", 0777).value();
      });
  EXPECT_TRUE(text.starts_with("color\n")) << text;
  EXPECT_NE(text.find("plait-test.conf: Read-only file system"), std::string::npos) << text;
  EXPECT_NE(text.find("'/opt/plait-test/all/x': Read-only file system"), std::string::npos) << text;
  EXPECT_FALSE(Exists("/etc/plait-test.conf") || Exists("/opt/plait-test"));
}

TEST_F(VolumesTest, MakeTheFolderOfASubPathAndSayWhichFileIsMissing) {
  VolumeMount made = At("/made");
  made.sub_path = "a/b";
  made.make_sub_path = true;
  EXPECT_EQ(Run("touch /made/x && ls /look/a/b", {made}), "x\n");
  VolumeMount missing = At("/etc/app.conf");
  missing.sub_path = "app.conf";
  const std::string text = Run("true", {missing});
  EXPECT_NE(text.find("cannot mount volume v at /etc/app.conf: cannot find app.conf in it"), std::string::npos) << text;
  EXPECT_NE(Run("true", {At("/proc/x")}).find("volume v at /proc/x: that place is the container's own"),
            std::string::npos);
}

TEST_F(VolumesTest, HaveNoLinkThatLeadsOut) {
  // As an application may leave it for the next container of its pod.
  const auto links = [&] {
    EXPECT_EQ(symlink((folder_ + "/home/state").c_str(), (volume_ + "/out").c_str()), 0);
    EXPECT_EQ(symlink((folder_ + "/elsewhere").c_str(), (volume_ + "/link").c_str()), 0);
  };
  VolumeMount secret = At("/stolen");
  secret.sub_path = "out/ca-key.pem";
  const std::string text = Run("cat /stolen", {secret}, links);
  EXPECT_NE(text.find("cannot find out/ca-key.pem in it"), std::string::npos) << text;
  EXPECT_EQ(
      Run("touch /v/link/made/x && ls " + folder_ + "/elsewhere && cat /look/x", {At("/v"), At("/v/link/made")}, links),
      "made\n");
  EXPECT_FALSE(Exists(folder_ + "/elsewhere/made"));
}

TEST_F(VolumesTest, LieInEachOther) {
  EXPECT_EQ(Run("touch /v/inner/x && ls /v /look", {At("/v/inner"), At("/v")}), "/look:\ninner\nx\n\n/v:\ninner\nx\n")
      << "the place is made in the outer one";
}

TEST_F(VolumesTest, ShowNothingOfWhatIsHidden) {
  const std::string text = Run("ls " + folder_ + "/home; cat " + folder_ + "/home/state/ca-key.pem",
                               {At(folder_ + "/home/new"), At(folder_ + "/new")});
  EXPECT_TRUE(text.starts_with("new\nstate\n")) << text;
  EXPECT_EQ(text.find("secret-key"), std::string::npos) << text;
}

TEST_F(VolumesTest, ShowNothingOfAFolderThatTheApplicationMayNotEnter) {
  const std::string closed = folder_ + "/closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0755), 0);
  WriteWholeFile(closed + "/secret", "secret-file\n").value();
  ASSERT_EQ(chmod(closed.c_str(), 0000), 0);
  EXPECT_EQ(Run("touch " + closed + "/new/x; ls -R " + closed, {At(closed + "/new")}),
            closed + ":\nnew\n\n" + closed + "/new:\nx\n");
  ASSERT_EQ(chmod(closed.c_str(), 0755), 0);
}

TEST_F(VolumesTest, AreRefusedInAFolderThatTheApplicationMayEnterAndNobodyHereCanRead) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root can give a folder to another user";
  }
  const std::string unlisted = folder_ + "/unlisted";
  ASSERT_EQ(mkdir(unlisted.c_str(), 0755), 0);
  WriteWholeFile(unlisted + "/known", "of the host\n").value();
  ASSERT_TRUE(chmod(unlisted.c_str(), 0711) == 0 && chown(unlisted.c_str(), 65534, 65534) == 0);
  EXPECT_EQ(Run("cat " + unlisted + "/known", {}), "of the host\n");
  const std::string text = Run("cat " + unlisted + "/known", {At(unlisted + "/new")});
  EXPECT_NE(text.find("cannot mount volume v at " + unlisted + "/new: a place in " + unlisted +
                      " would hide what is in it: cannot read " + unlisted +
                      ": Permission denied (choose another mountPath)"),
            std::string::npos)
      << text;
}

TEST_F(VolumesTest, AtTmpLeaveWhatMustBeSeenThere) {
  char name[] = "/tmp/plait-shown-XXXXXX";
  const std::string shown = mkdtemp(name);
  chmod(shown.c_str(), 0755);
  WriteWholeFile(shown + "/program", "seen\n").value();
  EXPECT_EQ(Run("cat " + shown + "/program; touch /tmp/x; cat /look/x", {At("/tmp")}, [] {}, {shown}), "seen\n");
  RemoveTree(shown);
}

}  // namespace
}  // namespace plait::local
