// Files that nobody should write, and file systems that do not behave: said with their place, and what was in force
// stays.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "control/source/config_files.h"
#include "control/source/testing_folder.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;

// A directory with two good files that were read once; then the test spoils a.yaml.
class BadFiles : public ConfigFolder {
 public:
  ~BadFiles() override { fs::permissions(root_ + "/conf", fs::perms::owner_all); }

 protected:
  BadFiles() {
    ::chmod(root_.c_str(), 0755);
    Write("a.yaml", Namespace("good"));
    Write("b.yaml", Namespace("neighbour"));
    files_.Update(Look());
  }
  std::string Names() const { return ConfigFolder::Names(files_); }
  std::string Said() const { return ConfigFolder::Said(files_); }

  ConfigFiles files_{root_ + "/last-good", {}};
};

struct Text {
  const char* what;
  std::string text;
  const char* said;
};
void PrintTo(const Text& one, std::ostream* out) { *out << one.what; }

std::string Bomb() {
  std::string out = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    const std::string before = "*" + std::string(1, static_cast<char>(c - 1));
    out += std::string(1, c) + ": &" + c + " [" + before;
    for (int i = 0; i < 9; ++i) out += ", " + before;
    out += "]\n";
  }
  return out;
}

class BadTexts : public BadFiles, public testing::WithParamInterface<Text> {};

TEST_P(BadTexts, KeepTheLastGoodVersionInForceAndSayWhere) {
  Write("a.yaml", GetParam().text);
  EXPECT_TRUE(files_.Update(Look()));
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find(Path("a.yaml") + GetParam().said), std::string::npos) << Said();
  Write("a.yaml", Namespace("better"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "better neighbour ");
  EXPECT_EQ(Said(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadTexts,
    testing::Values(Text{"aliases in a circle", "a: &a [*a]\n", ":1:8: "}, Text{"aliases that explode", Bomb(), ":6:"},
                    Text{"an alias of nothing", "a: *b\n", ":1:4: "},
                    Text{"no UTF-8", "apiVersion: v1\nkind: \xff\xfe\n",
                         ":2:7: a byte that is not UTF-8 (save the file as UTF-8)"},
                    Text{"an overlong form", "a: \xc0\xaf\n", ":1:4: a byte that is not UTF-8"},
                    Text{"a NUL byte", std::string("a: b\nc: \0\n", 10), ":2:4: a NUL byte; this is not a text file"},
                    Text{"a tab", "apiVersion: v1\nkind: Namespace\nmetadata:\n\tname: x\n", ":4:"},
                    Text{"half of a file", Namespace("good").substr(0, 50), ":4:1:"},
                    Text{"half of a key", "apiVersion: v1\nkind: Namespace\nmeta", ":4:1:"},
                    Text{"another encoding",
                         std::string("\xff\xfe"
                                     "a\0:\0",
                                     6),
                         ":1:1: the text is UTF-16 (save the file as UTF-8)"},
                    Text{"deep nesting", std::string(5000, '['), ":1:10"}));

TEST_F(BadFiles, OfAHundredMegabytesAreNotReadToTheirEnd) {
  {
    const int fd = ::open(Path("a.yaml").c_str(), O_WRONLY);
    ASSERT_EQ(::ftruncate(fd, 100 << 20), 0);
    ::close(fd);
  }
  const Scan scan = Look();
  ASSERT_EQ(scan.files.size(), 2U);
  EXPECT_TRUE(scan.files[0].cut);
  EXPECT_EQ(scan.files[0].text.size(), std::size_t{4} << 20);
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("a.yaml: the file has 104857600 bytes, more than 4194304 (split it into several files)"),
            std::string::npos)
      << Said();
}

TEST_F(BadFiles, ThatAreLinksToEachOtherAreSaidAndKeepTheirMeaning) {
  fs::remove(Path("a.yaml"));
  fs::create_symlink("c.yaml", Path("a.yaml"));
  fs::create_symlink("a.yaml", Path("c.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("a.yaml: the file cannot be read: Too many levels of symbolic links (links lead to each other"),
            std::string::npos)
      << Said();
}

TEST_F(BadFiles, ThatAreLinksToEachOtherKeepTheirMeaningBehindALinkToTheirDirectory) {
  fs::create_directory_symlink(root_ + "/conf", root_ + "/link");
  const auto look = [this] { return ScanFolders({root_ + "/link"}); };
  files_.Update(look());
  fs::remove(Path("a.yaml"));
  fs::create_symlink("a.yaml", Path("a.yaml"));
  ConfigFiles restarted{root_ + "/last-good", {}};
  for (ConfigFiles* files : {&files_, &restarted}) {
    files->Update(look());
    EXPECT_EQ(ConfigFolder::Names(*files), "good neighbour ") << (files == &files_ ? "running" : "restarted");
  }
}

TEST_F(BadFiles, ThatAreLinksToNothingAreSaid) {
  fs::create_symlink("nowhere", Path("d.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("d.yaml: the link leads to nothing"), std::string::npos) << Said();
}

TEST_F(BadFiles, ThatComeAndGoWhileTheyAreLookedForAreWholeOrNotThere) {
  const std::string text = Namespace("restless");
  std::ofstream(root_ + "/whole") << text;
  const std::jthread other([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      EXPECT_EQ(::link((root_ + "/whole").c_str(), Path("c.yaml").c_str()), 0);
      EXPECT_EQ(::unlink(Path("c.yaml").c_str()), 0);
    }
  });
  int with = 0;
  int without = 0;
  while ((with < 1000 || without < 1000) && !HasFailure()) {
    const Scan scan = Look();
    EXPECT_TRUE(scan.findings.empty()) << scan.findings[0].ToString();
    const auto found = std::ranges::find(scan.files, Path("c.yaml"), &ScannedFile::path);
    const bool there = found != scan.files.end();
    if (there) {
      EXPECT_EQ(found->text, text);
    }
    ++(there ? with : without);
    // Known before or not: one that came back too late to be read keeps its meaning until the next look.
    const bool kept = !scan.unreadable_files.empty() && Names().ends_with("restless ");
    files_.Update(scan);
    EXPECT_EQ(Names(), there || kept ? "good neighbour restless " : "good neighbour ");
    EXPECT_EQ(Said(), "");
  }
}

TEST_F(BadFiles, ThatCannotBeReadToTheirEndAreSaidAndNotReadInPart) {
  fs::create_symlink("/proc/self/mem", Path("c.yaml"));  // opens like any file; nothing can be read at its beginning
  const Scan scan = Look();
  EXPECT_EQ(scan.files.size(), 2U);
  EXPECT_EQ(scan.unreadable_files, std::vector{fs::canonical("/proc/self/mem").string()});
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("c.yaml: the file cannot be read to its end: Input/output error"), std::string::npos) << Said();
}

// What may stand in place of a file and is none.
struct NoFile {
  const char* what;
  void (*make)(const std::string& path);
};
void PrintTo(const NoFile& one, std::ostream* out) { *out << one.what; }

class NoFiles : public BadFiles, public testing::WithParamInterface<NoFile> {
 protected:
  static std::string ToldAs(const std::string& path, const std::string& more) {
    return path + ": it is a pipe, a socket or a device, which is not read" + more + "\n";
  }
};

TEST_P(NoFiles, InPlaceOfAFileKeepItsMeaningAndAreSaid) {
  fs::remove(Path("a.yaml"));
  GetParam().make(Path("a.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour ");
  const std::string told =
      ToldAs(Path("a.yaml"), " (make it a regular file, or remove it; what it held stays in force)");
  EXPECT_NE(Said().find(told), std::string::npos) << Said();
  ConfigFiles restarted{root_ + "/last-good", {}};
  restarted.Update(Look());
  EXPECT_EQ(ConfigFolder::Names(restarted), "good neighbour ");
  EXPECT_NE(ConfigFolder::Said(restarted).find(told), std::string::npos) << ConfigFolder::Said(restarted);
  fs::remove(Path("a.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "neighbour ");
  EXPECT_EQ(Said(), "");
}

TEST_P(NoFiles, ThatNeverWereFilesAreSaid) {
  GetParam().make(Path("c.yaml"));
  GetParam().make(Path("c.txt"));
  fs::create_directory(Path("folder.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_EQ(Said(), "Error " + ToldAs(Path("c.yaml"),
                                      "; it has no last good version, so what it says, a policy too, is not in force "
                                      "(make it a regular file, or remove it)"));
}

TEST_P(NoFiles, InPlaceOfALinkKeepWhatItLedTo) {
  std::ofstream(root_ + "/elsewhere") << Namespace("linked");
  fs::create_symlink(root_ + "/elsewhere", Path("c.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour linked ");
  fs::remove(Path("c.yaml"));
  GetParam().make(Path("c.yaml"));
  files_.Update(Look());
  EXPECT_EQ(Names(), "good neighbour linked ");
  EXPECT_NE(Said().find("what it held stays in force"), std::string::npos) << Said();
}

INSTANTIATE_TEST_SUITE_P(
    Each, NoFiles,
    testing::Values(
        NoFile{"a pipe", [](const std::string& path) { EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0); }},
        NoFile{"a socket", [](const std::string& path) { EXPECT_EQ(::mknod(path.c_str(), S_IFSOCK | 0600, 0), 0); }},
        NoFile{"a link to a device", [](const std::string& path) { fs::create_symlink("/dev/null", path); }}));

TEST_F(BadFiles, ThatALinkLeadsToAndThatBecomePipesKeepWhatWasThere) {
  std::ofstream(root_ + "/elsewhere") << Namespace("linked");
  fs::create_symlink(root_ + "/elsewhere", Path("c.yaml"));
  files_.Update(Look());
  fs::remove(root_ + "/elsewhere");
  ASSERT_EQ(::mkfifo((root_ + "/elsewhere").c_str(), 0600), 0);
  ConfigFiles restarted{root_ + "/last-good", {}};
  for (ConfigFiles* files : {&files_, &restarted}) {
    files->Update(Look());
    EXPECT_EQ(ConfigFolder::Names(*files), "good neighbour linked ") << (files == &files_ ? "running" : "restarted");
  }
}

// Root may read everything; the kernel asks for the effective user.
class AsSomebody {
 public:
  AsSomebody() : root_(::geteuid() == 0) {
    if (root_) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~AsSomebody() {
    if (root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  const bool root_;
};

TEST_F(BadFiles, InADirectoryWithoutPermissionStayInForce) {
  fs::permissions(root_ + "/conf", fs::perms::none);
  Scan scan;
  {
    const AsSomebody somebody;
    scan = Look();
  }
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("conf: the directory cannot be read: Permission denied (make it readable for this user"),
            std::string::npos)
      << Said();
}

// For as long as it lives, no file can be opened.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoMoreFiles() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

TEST_F(BadFiles, InADirectoryThatCannotBeOpenedForTheLimitOfOpenFilesStayInForceAndNameTheLimit) {
  const std::vector<std::string> folders{root_ + "/conf"};
  Scan scan;
  {
    const NoMoreFiles none;  // no member is called meanwhile: UBSan, too, needs a file to look at an object
    scan = ScanFolders(folders);
  }
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("conf: the directory cannot be read: Too many open files (raise the limit of open files "
                        "(\"ulimit -n\") of this process; what it held stays in force)"),
            std::string::npos)
      << Said();
}

class ManyFolders : public BadFiles {
 protected:
  static constexpr int kMost = 20;
  Scan Look() const { return ScanFolders({root_ + "/conf"}, kMost); }
  static void Make(const std::string& in) {
    for (int i = 0; i < kMost; ++i) fs::create_directories(in + "/" + std::to_string(i));
  }
};

TEST_F(ManyFolders, AreReadInPartLinkedOnesLastAndThePlaceOfMostIsSaid) {
  Make(root_ + "/many");
  fs::create_directory_symlink(root_ + "/many", Path("0"));
  Write("z/policies/c.yaml", Namespace("below"));
  const Scan scan = Look();
  EXPECT_EQ(scan.folders.size(), kMost);
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour below ");
  EXPECT_EQ(Said(), "Error " + root_ +
                        "/conf: it holds more than 20 directories, with those that links lead to; what is in the "
                        "rest, a policy too, is not read (move what is no configuration elsewhere; " +
                        Path("0") + " has most of them; what it held stays in force)\n");
  fs::remove(Path("0"));
  files_.Update(Look());
  EXPECT_EQ(Said(), "");
}

TEST_F(ManyFolders, KeepInForceWhatIsNotReachedAnyMore) {
  Write("z/policies/c.yaml", Namespace("below"));
  files_.Update(Look());
  Make(root_ + "/conf");
  ConfigFiles restarted{root_ + "/last-good", {}};
  for (ConfigFiles* files : {&files_, &restarted}) {
    const Scan scan = Look();
    EXPECT_EQ(scan.files.size(), 2U) << "the third one is too far away";
    files->Update(scan);
    EXPECT_EQ(ConfigFolder::Names(*files), "good neighbour below ") << (files == &files_ ? "running" : "restarted");
  }
}

TEST_F(BadFiles, WithoutPermissionStayInForce) {
  fs::permissions(Path("a.yaml"), fs::perms::none);
  Scan scan;
  {
    const AsSomebody somebody;
    scan = Look();
  }
  files_.Update(scan);
  EXPECT_EQ(Names(), "good neighbour ");
  EXPECT_NE(Said().find("a.yaml: the file cannot be read: Permission denied (make it readable for this user; what it "
                        "held stays in force)"),
            std::string::npos)
      << Said();
}

TEST_F(BadFiles, WithoutPermissionThatHeldNothingAreToldAsNotInForce) {
  Write("a.yaml", "");
  files_.Update(Look());
  Write("a.yaml", Namespace("unseen"));
  Write("c.yaml", "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n");
  fs::create_directory(Path("folder"));
  const std::string closed[] = {Path("a.yaml"), Path("c.yaml"), Path("folder")};
  for (const std::string& path : closed) fs::permissions(path, fs::perms::none);
  Scan scan;
  {
    const AsSomebody somebody;
    scan = Look();
  }
  for (const std::string& path : closed) fs::permissions(path, fs::perms::owner_all);
  files_.Update(scan);
  EXPECT_EQ(Names(), "neighbour ");
  for (const std::string& path : closed) {
    std::string told(path);
    told.append(": the ").append(path.ends_with(".yaml") ? "file" : "directory");
    told +=
        " cannot be read: Permission denied; it has no last good version, so what it says, a policy too, is not in "
        "force (make it readable for this user)\n";
    EXPECT_NE(Said().find(told), std::string::npos) << path << "\n" << Said();
  }
  EXPECT_EQ(Said().find("held"), std::string::npos) << Said();
}

TEST_F(BadFiles, OfImagesThatAreTooLargeKeepWhatTheyWere) {
  const std::string images = "images: {demo: [/bin/demo]}\n";
  Write("local.yaml", images);
  files_.Update(Look());
  Write("local.yaml", "# none\n" + std::string(std::size_t{5} << 20, '#'));
  files_.Update(Look());
  EXPECT_NE(files_.images().Find("demo"), nullptr) << Said();
  EXPECT_NE(Said().find("local.yaml: the file has 5242887 bytes, more than 4194304"), std::string::npos) << Said();
  EXPECT_FALSE(files_.Update(Look())) << "it is told once";
}

}  // namespace
}  // namespace plait::control::source
