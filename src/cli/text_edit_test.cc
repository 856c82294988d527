#include "cli/text_edit.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace plait::cli {
namespace {

TEST(Edit, ReplacesWhatStandsThereOnce) {
  EXPECT_EQ(Edited("a: 1\nb: 2\n", {{"a: 1", "a: 3"}, {"b: 2", "b: 4"}}).value(), "a: 3\nb: 4\n");
}

TEST(Edit, OfWhatStandsThereTwiceOrNeverIsRefused) {
  EXPECT_FALSE(Edited("a: 1\na: 1\n", {{"a: 1", "a: 3"}}).has_value());
  EXPECT_NE(Edited("a: 1\n", {{"b: 1", "b: 3"}}).error().message.find("\"b: 1\""), std::string::npos);
}

TEST(Edit, IsShownByTheLinesThatDiffer) {
  EXPECT_EQ(ChangedLines("a\nb\nc\n", "a\nB\nc\n"), (std::vector<std::string>{"   2 - b", "   2 + B"}));
  EXPECT_TRUE(ChangedLines("a\n", "a\n").empty());
}

class AFile : public testing::Test {
 protected:
  AFile() { std::ofstream(path_) << "weight: 80\n"; }
  ~AFile() override { std::filesystem::remove_all(folder_); }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  static std::string NewFolder() {
    char name[] = "/tmp/plait-edit-XXXXXX";
    return ::mkdtemp(name);
  }
  const std::string folder_ = NewFolder();
  const std::string path_ = folder_ + "/a.yaml";
};

TEST_F(AFile, HasItsTextBackWhenTheEditGoes) {
  {
    auto file = EditedFile::Open(path_);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(file->Apply({{"80", "0"}}).has_value());
    EXPECT_EQ(Text(), "weight: 0\n");
    ASSERT_TRUE(file->Apply({{"weight", "height"}}).has_value());
    EXPECT_EQ(Text(), "height: 80\n") << "edits are of the original";
  }
  EXPECT_EQ(Text(), "weight: 80\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing else is left there";
}

// Edits in a process that ends without a word.
void EditAndDie(const std::string& path, const std::vector<TextEdit>& first, const std::vector<TextEdit>& second) {
  const pid_t child = fork();
  if (child == 0) {
    auto file = EditedFile::Open(path);
    const bool edited = file && file->Apply(first) && file->Apply(second);
    _exit(edited ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
}

TEST_F(AFile, OfAKilledEditIsPutBackAtTheNextStart) {
  EditAndDie(path_, {{"80", "0"}}, {{"80", "100"}});
  ASSERT_EQ(Text(), "weight: 100\n");
  const Undone undone = UndoKilledEdits(folder_);
  EXPECT_TRUE(undone.all);
  EXPECT_EQ(undone.files, std::vector{path_});
  EXPECT_EQ(Text(), "weight: 80\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing else is left there";
  EXPECT_TRUE(UndoKilledEdits(folder_).files.empty());

  EditAndDie(path_, {{"80", "0"}}, {{"80", "100"}});
  const auto file = EditedFile::Open(path_);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->original(), "weight: 80\n") << "the next edit is of what it was, too";
}

TEST_F(AFile, ThatSomebodyChangedAfterAKilledEditIsLeftAsItIs) {
  EditAndDie(path_, {{"80", "0"}}, {{"80", "100"}});
  std::ofstream(path_) << "weight: 50\n";
  EXPECT_TRUE(UndoKilledEdits(folder_).files.empty());
  EXPECT_EQ(Text(), "weight: 50\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(AFile, ThatIsBeingEditedIsNobodyElses) {
  auto file = EditedFile::Open(path_);
  ASSERT_TRUE(file && file->Apply({{"80", "0"}}));
  EXPECT_TRUE(UndoKilledEdits(folder_).files.empty());
  EXPECT_EQ(Text(), "weight: 0\n");
  auto other = EditedFile::Open(path_);
  ASSERT_TRUE(other);
  const auto applied = other->Apply({{"weight", "height"}});
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message.find("is being edited by another process"), std::string::npos);
  EXPECT_EQ(Text(), "weight: 0\n");
}

TEST_F(AFile, WithADamagedNoteOfAnEditIsLeftAsItIs) {
  for (const char* note : {"", "x", "\"weight: 1\\n\"", "\"a\"\n\"weight: 80\\n", "[1]\n{}\n"}) {
    std::ofstream(folder_ + "/.a.yaml.undo") << note;
    EXPECT_TRUE(UndoKilledEdits(folder_).files.empty()) << note;
    EXPECT_EQ(Text(), "weight: 80\n") << note;
  }
}

TEST_F(AFile, IsLeftAloneByAnEditThatDoesNotFit) {
  auto file = EditedFile::Open(path_);
  ASSERT_TRUE(file.has_value());
  const auto applied = file->Apply({{"depth", "x"}});
  ASSERT_FALSE(applied.has_value());
  EXPECT_NE(applied.error().message.find(path_), std::string::npos);
  EXPECT_EQ(Text(), "weight: 80\n");
}

TEST_F(AFile, ThatCannotBeWrittenIsNamedAndHasNothingToPutBack) {
  auto file = EditedFile::Open(path_);
  ASSERT_TRUE(file.has_value());
  std::filesystem::remove_all(folder_);
  const auto applied = file->Apply({{"80", "0"}});
  ASSERT_FALSE(applied.has_value());
  EXPECT_NE(applied.error().message.find("cannot write " + path_), std::string::npos);
  EXPECT_FALSE(applied.error().hint.empty());
  EXPECT_TRUE(file->Restore().has_value());
}

TEST(EditedFile, ThatIsNotThereIsNamed) {
  const auto file = EditedFile::Open("/nowhere/a.yaml");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("/nowhere/a.yaml"), std::string::npos);
}

}  // namespace
}  // namespace plait::cli
