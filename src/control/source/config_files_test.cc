#include "control/source/config_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "control/source/directory_source.h"
#include "control/source/testing_folder.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Files : public ConfigFolder {
 protected:
  ConfigFiles Store() const { return ConfigFiles(root_ + "/last-good", {}); }
  // With the file that each came from.
  static std::string InForce(const ConfigFiles& files) {
    std::string out;
    for (const auto& object : files.objects()) {
      const model::Meta& meta = model::MetaOf(*object);
      out += meta.name() + "@" + fs::path(meta.at.file).filename().string() + " ";
    }
    return out;
  }
};

TEST_F(Files, AreFoundBelowTheDirectoryInTheOrderOfTheirNames) {
  Write("b.yaml", Namespace("b"));
  Write("sub/a.yml", Namespace("a"));
  Write(".hidden.yaml", "broken: [");
  Write("notes.txt", "broken: [");
  fs::create_directory_symlink(root_ + "/conf", Path("sub/loop"));
  fs::create_symlink(Path("b.yaml"), Path("again.yaml"));
  ConfigFiles files = Store();
  EXPECT_TRUE(files.Update(Look()));
  EXPECT_EQ(Names(files), "b a ");
  EXPECT_EQ(Said(files), "");
  EXPECT_FALSE(files.Update(Look())) << "nothing changed";
}

TEST_F(Files, TellABoundedNumberOfTheErrorsOfEachAndTheirPoliciesDeny) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "a\n---\n";
  Write("a.yaml", text +
                      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n"
                      "spec: {rulse: []}\n");
  // What is told only when all documents are read.
  text.clear();
  for (int i = 0; i < 400; ++i) text += Namespace("twice") + "---\n";
  Write("b.yaml", text);
  ConfigFiles files = Store();
  files.Update(Look());
  EXPECT_LE(files.findings().size(), 250U);
  EXPECT_NE(Said(files).find("a.yaml: there are more errors in this file than the 100 that are told (and 1901 more"),
            std::string::npos)
      << Said(files);
  EXPECT_NE(Said(files).find("b.yaml: there are more errors in this file than the 100 that are told (and 299 more"),
            std::string::npos);
  EXPECT_NE(Said(files).find("it is invalid, so it denies all requests"), std::string::npos);
  EXPECT_EQ(Names(files), "p twice ");
}

TEST_F(Files, SayOfAWarningThatItsPlaceIsThatOfTheLastGoodVersion) {
  Write("a.yaml", Namespace("a"));
  Write("b.yaml", Namespace("b"));
  ConfigFiles files = Store();
  files.Update(Look());
  const auto of = [&](const std::string& file, std::uint32_t line, std::string hint) {
    return model::Finding{
        model::Severity::kWarning,
        {.message = "m", .object = "Namespace x", .at = {Path(file), line, line}, .hint = std::move(hint)},
        "IST0101"};
  };
  const model::Findings said = {of("a.yaml", 9, "do it"), of("a.yaml", 9, ""), of("a.yaml", 0, "do it"),
                                of("b.yaml", 9, "do it"), of("c.yaml", 9, "do it")};
  EXPECT_EQ(files.OfVersionsInForce(said), said);
  Write("a.yaml", "a: [");
  files.Update(Look());
  const model::Findings marked = files.OfVersionsInForce(said);
  EXPECT_EQ(marked[0].ToString(), "Warning [IST0101] " + Path("a.yaml") +
                                      ":9:9: Namespace x: m (do it; line and column are those of its file's last good "
                                      "version, which is in force)");
  EXPECT_EQ(marked[1].diagnostic.hint, "line and column are those of its file's last good version, which is in force");
  EXPECT_TRUE(std::equal(said.begin() + 2, said.end(), marked.begin() + 2)) << "no place, or another file";
}

TEST_F(Files, SayOfAnObjectThatStandsTwiceThatItsPlaceIsThatOfTheLastGoodVersion) {
  Write("a.yaml", Namespace("x"));
  Write("b.yaml", Namespace("x"));
  ConfigFiles files = Store();
  files.Update(Look());
  EXPECT_EQ(Said(files).find("last good version"), std::string::npos) << Said(files);
  Write("b.yaml", "a: [");
  files.Update(Look());
  EXPECT_NE(Said(files).find("remove the other; line and column are those of its file's last good version"),
            std::string::npos)
      << Said(files);
}

TEST_F(Files, GiveEachObjectAsItWasWrittenInTheVersionInForce) {
  Write("a.yaml",
        "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: ServiceAccount\n  metadata: {name: x}\n");
  Write("b.yaml", Namespace("good"));
  ConfigFiles files = Store();
  files.Update(Look());
  Write("b.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {nam: x}\n");
  files.Update(Look());
  const auto written = files.Written();
  EXPECT_EQ(written.at("ServiceAccount default/x"),
            R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"x"}})");
  for (const auto& object : files.objects()) EXPECT_TRUE(written.contains(ObjectName(model::MetaOf(*object))));
}

TEST_F(Files, GiveAsItWasWrittenWhatIsInForceOfABrokenOne) {
  Write("a.yaml", Namespace("x") + "---\na: [\n");
  ConfigFiles files = Store();
  files.Update(Look());
  EXPECT_EQ(Names(files), "x ");
  EXPECT_TRUE(files.Written().contains("Namespace default/x"));
}

TEST_F(Files, ThatBecameBadKeepTheirLastGoodMeaningAlsoAfterARestart) {
  Write("a.yaml", Namespace("good"));
  {
    ConfigFiles files = Store();
    files.Update(Look());
    Write("a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {nam: x}\n");
    EXPECT_TRUE(files.Update(Look()));
    EXPECT_EQ(Names(files), "good ");
    EXPECT_NE(Said(files).find("the last good version of this file stays in force (correct the errors of this file)"),
              std::string::npos)
        << "who reads it may find the errors above it or below: " << Said(files);
  }
  ConfigFiles restarted = Store();
  restarted.Update(Look());
  EXPECT_EQ(Names(restarted), "good ");
  Write("a.yaml", Namespace("better"));
  restarted.Update(Look());
  EXPECT_EQ(Names(restarted), "better ");
  EXPECT_EQ(Said(restarted), "");
}

TEST_F(Files, ThatWereDeletedHaveNoLastGood) {
  Write("a.yaml", Namespace("good"));
  ConfigFiles files = Store();
  files.Update(Look());
  fs::remove(Path("a.yaml"));
  EXPECT_TRUE(files.Update(Look()));
  EXPECT_EQ(Names(files), "");
  Write("a.yaml", "kind: Namespace\nmetadata: [");
  files.Update(Look());
  EXPECT_EQ(Names(files), "");
  EXPECT_NE(Said(files).find("no last good version"), std::string::npos);
}

TEST_F(Files, KeepAnInvalidPolicyThatDeniesWhenThereIsNoLastGood) {
  Write("a.yaml",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {rulez: []}\n");
  ConfigFiles files = Store();
  files.Update(Look());
  ASSERT_EQ(files.objects().size(), 1U);
  EXPECT_TRUE(std::get<model::AuthorizationPolicy>(*files.objects()[0]).invalid);
}

TEST_F(Files, SayWhichObjectStandsTwice) {
  Write("a.yaml", Namespace("x"));
  Write("b.yaml", Namespace("x"));
  ConfigFiles files = Store();
  files.Update(Look());
  EXPECT_EQ(InForce(files), "x@a.yaml ") << "without a last good version the first file has it";
  EXPECT_EQ(Said(files),
            "Error [IST0106] " + Path("b.yaml") + ":3:18: Namespace x: the object stands twice; the one at " +
                Path("a.yaml") +
                ":3:18 is in force, this one is not (remove or rename this one; to put it in force, remove "
                "the other)\n");
}

TEST_F(Files, ThatComeFirstByNameDoNotTakeAnObjectFromTheFileThatHasIt) {
  Write("b.yaml", Namespace("x"));
  ConfigFiles files = Store();
  files.Update(Look());
  Write("a.yaml", Namespace("x") + "---\n" + Namespace("other"));
  files.Update(Look());
  EXPECT_EQ(InForce(files), "other@a.yaml x@b.yaml ") << "other objects of the new file are in force";
  EXPECT_NE(
      Said(files).find("a.yaml:3:18: Namespace x: the object stands twice; the one at " + Path("b.yaml") + ":3:18"),
      std::string::npos)
      << Said(files);
  EXPECT_EQ(files.Written().at("Namespace default/x"),
            R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}})");

  ConfigFiles restarted = Store();
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), InForce(files));
  EXPECT_EQ(Said(restarted), Said(files));
  // An edit of either changes nothing.
  Write("b.yaml", "# edited\n" + Namespace("x"));
  Write("a.yaml", "# edited\n" + Namespace("x"));
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "x@b.yaml ");
}

TEST_F(Files, TakeAnObjectThatTheOtherFileGaveUp) {
  Write("b.yaml", Namespace("x"));
  ConfigFiles files = Store();
  files.Update(Look());
  Write("a.yaml", Namespace("x"));
  Write("c.yaml", Namespace("x"));
  files.Update(Look());
  EXPECT_EQ(InForce(files), "x@b.yaml ");
  Write("b.yaml", Namespace("z"));
  files.Update(Look());
  EXPECT_EQ(InForce(files), "x@a.yaml z@b.yaml ");
  fs::remove(Path("a.yaml"));
  Write("b.yaml", Namespace("x"));
  files.Update(Look());
  EXPECT_EQ(InForce(files), "x@b.yaml ") << "neither had it; the first file has it now";
  fs::remove(Path("c.yaml"));
  files.Update(Look());
  EXPECT_EQ(Said(files), "");
}

TEST_F(Files, KeepTheirObjectsWhileTheyCannotBeRead) {
  Write("b.yaml", Namespace("x"));
  {
    ConfigFiles files = Store();
    files.Update(Look());
  }
  Write("a.yaml", Namespace("x"));
  ConfigFiles restarted = Store();
  Scan closed = Look();
  std::erase_if(closed.files, [&](const ScannedFile& file) { return file.path == Path("b.yaml"); });
  closed.unreadable_files = {Path("b.yaml")};
  restarted.Update(closed);
  EXPECT_EQ(InForce(restarted), "x@b.yaml ") << "it had the object before";
  EXPECT_TRUE(restarted.Written().contains("Namespace default/x"));
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "x@b.yaml ");
}

TEST_F(Files, ThatCannotBeReadAtARestartHaveTheirLastGoodMeaning) {
  const std::string policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n";
  Write("a.yaml", Namespace("x"));
  Write("policies/p.yaml", policy);
  {
    ConfigFiles files = Store();
    files.Update(Look());
  }
  Write("policies/p.yaml", policy + std::string(std::size_t{5} << 20, '#'));
  ConfigFiles restarted = Store();
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "x@a.yaml p@p.yaml ");
  EXPECT_FALSE(restarted.Update(Look())) << "nothing changed";
  Write("policies/p.yaml", policy);
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "x@a.yaml p@p.yaml ");
  EXPECT_EQ(Said(restarted), "");
  fs::remove(Path("policies/p.yaml"));
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "x@a.yaml ");
}

TEST_F(Files, OfADirectoryThatCannotBeReadAtARestartHaveTheirLastGoodMeaning) {
  const std::string link = root_ + "/link";
  fs::create_directory_symlink(Path("real"), link);
  for (const std::string& root : {Path("real"), link}) {
    fs::remove_all(root_ + "/last-good");
    Write("real/a.yaml", Namespace("x"));
    Write("real/sub/b.yaml", Namespace("w"));
    Write("real2/c.yaml", Namespace("z"));
    const auto look = [&] { return ScanFolders({root, Path("real2")}); };
    {
      ConfigFiles files = Store();
      files.Update(look());
      EXPECT_EQ(files.objects().size(), 3U);
    }
    fs::rename(Path("real"), root_ + "/away");
    if (root == link) Write("real", "no directory");
    fs::remove(Path("real2/c.yaml"));
    ConfigFiles restarted = Store();
    restarted.Update(look());
    ASSERT_EQ(InForce(restarted), "x@a.yaml w@b.yaml ") << "what was deleted from the other is gone";
    EXPECT_EQ(model::MetaOf(*restarted.objects().front()).at.file, root + "/a.yaml");
    restarted.Update(look());
    EXPECT_EQ(InForce(restarted), "x@a.yaml w@b.yaml ");
    fs::remove(Path("real"));
    fs::rename(root_ + "/away", Path("real"));
    fs::remove(Path("real/a.yaml"));
    restarted.Update(look());
    EXPECT_EQ(InForce(restarted), "w@b.yaml ");
  }
}

TEST_F(Files, WithAnObjectTwiceKeepTheirLastGoodMeaning) {
  const std::string twice = Namespace("x") + "---\n" + Namespace("z") + "---\n" + Namespace("x");
  Write("a.yaml", twice);
  {
    ConfigFiles first = ConfigFiles("", {});
    first.Update(Look());
    EXPECT_EQ(Names(first), "x z ") << "without a last good version the first one is in force";
  }
  Write("a.yaml", Namespace("good"));
  ConfigFiles files = Store();
  files.Update(Look());
  Write("a.yaml", twice);
  files.Update(Look());
  EXPECT_EQ(Names(files), "good ");
  EXPECT_NE(Said(files).find("a.yaml:11:18: Namespace x: the object stands twice in this file; first at " +
                             Path("a.yaml") + ":3:18 (remove or rename one of them)"),
            std::string::npos)
      << Said(files);
  ConfigFiles restarted = Store();
  restarted.Update(Look());
  EXPECT_EQ(Names(restarted), "good ");
}

TEST_F(Files, SayWhenItCannotBeKeptWhichOfThemHasAnObject) {
  Write("a.yaml", Namespace("x"));
  std::ofstream(root_ + "/last-good") << "not a folder";
  ConfigFiles files = Store();
  files.Update(Look());
  EXPECT_EQ(InForce(files), "x@a.yaml ");
  EXPECT_NE(
      Said(files).find("last-good: which file each object came from cannot be kept: open: Not a directory (after a "
                       "restart an object that stands twice would be the one of the first file; security policies of "
                       "one name that differ would deny)"),
      std::string::npos)
      << Said(files);
  EXPECT_FALSE(files.Update(Look())) << "it is told, not told again and again";
  fs::remove(root_ + "/last-good");
  EXPECT_TRUE(files.Update(Look()));
  EXPECT_EQ(Said(files).find("which file each object"), std::string::npos) << Said(files);
}

TEST_F(Files, OfADirectoryThatVanishedStayInForce) {
  Write("a.yaml", Namespace("x"));
  ConfigFiles files = Store();
  files.Update(Look());
  fs::rename(root_ + "/conf", root_ + "/away");
  files.Update(Look());
  EXPECT_EQ(Names(files), "x ");
  EXPECT_NE(Said(files).find("the directory cannot be read"), std::string::npos);
}

TEST_F(Files, CalledLocalYamlMapImages) {
  Write("local.yaml", "images:\n  web: [server, --port, \"80\"]\n  r.example/x/db:1: []\n");
  ConfigFiles files = Store();
  files.Update(Look());
  const auto* argv = files.images().Find("registry.example:5000/a/web:v3@sha256:00");
  ASSERT_NE(argv, nullptr);
  EXPECT_EQ(argv->at(2), "80");
  EXPECT_NE(Said(files).find("local.yaml:3:3: the image r.example/x/db:1 needs a list of words"), std::string::npos)
      << Said(files);
}

TEST_F(Files, CalledLocalYamlKeepTheImagesOfTheirLastGoodVersionAlsoAfterARestart) {
  const std::string good = "images: {web: [server], db: [store]}\n";
  Write("local.yaml", good);
  ConfigFiles files = Store();
  files.Update(Look());
  for (const std::string& bad :
       {good + "  x: [\n", std::string("images: {web: server, db: [store]}\n"), std::string("images: [web]\n"),
        std::string("imagse: {}\n"), std::string("images: {web: [a], other/web: [b]}\n")}) {
    Write("local.yaml", bad);
    EXPECT_TRUE(files.Update(Look()));
    EXPECT_FALSE(files.Update(Look())) << "it is told once";
    ConfigFiles restarted = Store();
    restarted.Update(Look());
    for (ConfigFiles* each : {&files, &restarted}) {
      ASSERT_NE(each->images().Find("web"), nullptr) << bad;
      EXPECT_EQ(each->images().Find("web")->at(0), "server") << bad;
      EXPECT_NE(each->images().Find("db"), nullptr) << bad;
      EXPECT_NE(Said(*each).find("Warning " + Path("local.yaml") +
                                 ": the last good version of this file stays in force (correct the errors of this "
                                 "file)"),
                std::string::npos)
          << Said(*each);
      EXPECT_EQ(Said(*each).find("Error"), Said(*each).rfind("Error")) << "each error is told once: " << Said(*each);
    }
  }
  Write("local.yaml", "# none is needed any more\nimages:\n");
  files.Update(Look());
  EXPECT_EQ(files.images(), LocalImages{}) << "what is no mistake is in force";
  EXPECT_EQ(Said(files), "");
}

TEST_F(Files, CalledLocalYamlThatSaidNothingBeforeGiveWhatIsValidInThem) {
  Write("local.yaml", "images:\n");
  ConfigFiles files = Store();
  files.Update(Look());
  Write("local.yaml", "images: {web: [server], db: store}\n");
  files.Update(Look());
  EXPECT_NE(files.images().Find("web"), nullptr);
  EXPECT_EQ(Said(files).find("stays in force"), std::string::npos) << Said(files);
}

TEST_F(Files, CalledLocalYamlThatCannotBeReadAtAStartKeepTheirImages) {
  Write("local.yaml", "images: {web: [server]}\n");
  Store().Update(Look());
  for (const bool cut : {false, true}) {
    fs::remove(Path("local.yaml"));
    if (cut)
      Write("local.yaml", std::string(std::size_t{5} << 20, '#'));
    else
      fs::create_symlink("/dev/null", Path("local.yaml"));
    ConfigFiles restarted = Store();
    restarted.Update(Look());
    EXPECT_NE(restarted.images().Find("web"), nullptr) << Said(restarted);
  }
}

TEST_F(Files, AreFollowedLive) {
  io::Loop loop;
  int changes = 0;
  Write("a.yaml", Namespace("one"));
  DirectorySource source(loop, {.directories = {root_ + "/conf"}, .state_dir = root_}, [&] { ++changes; });
  const auto objects = [&](std::size_t wanted) {
    return loop.RunUntil([&] { return source.objects().size() == wanted; }, 5s);
  };
  EXPECT_EQ(source.objects().size(), 1U);
  Write("new/deep/b.yaml", Namespace("two"));
  EXPECT_TRUE(objects(2)) << "a folder that is made later is watched, too";
  Write("new/deep/c.yaml", Namespace("three"));
  EXPECT_TRUE(objects(3));
  std::ofstream(Path("tmp.part")) << Namespace("four");
  fs::rename(Path("tmp.part"), Path("d.yaml"));
  EXPECT_TRUE(objects(4)) << "editors write beside and rename";
  fs::remove_all(Path("new"));
  EXPECT_TRUE(objects(2));
  EXPECT_GE(changes, 4);
}

TEST_F(Files, ThatAreHalfWrittenAreWaitedFor) {
  io::Loop loop;
  std::vector<std::size_t> seen;
  Write("a.yaml", Namespace("one"));
  DirectorySource* self = nullptr;
  DirectorySource source(loop, {.directories = {root_ + "/conf"}}, [&] { seen.push_back(self->objects().size()); });
  self = &source;
  std::ofstream out(Path("a.yaml"), std::ios::trunc);
  loop.RunOnce(50ms);
  loop.RunOnce(50ms);
  out << Namespace("one") << "---\n" << Namespace("two");
  out.close();
  EXPECT_TRUE(loop.RunUntil([&] { return source.objects().size() == 2; }, 5s));
  EXPECT_EQ(seen, std::vector<std::size_t>{2}) << "the empty file was never in force";
}

}  // namespace
}  // namespace plait::control::source
