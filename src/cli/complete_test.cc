#include "cli/complete.h"

#include <gtest/gtest.h>

#include "cli/tree.h"

namespace plait::cli {
namespace {

class Completion : public testing::Test {
 protected:
  std::vector<std::string> Words(const std::vector<std::string>& typed) {
    std::vector<std::string> words;
    found_ = Complete(tree_, typed, [this](Offers what, const std::string& mesh, const std::string& workload) {
      asked_ = what;
      asked_mesh_ = mesh;
      asked_workload_ = workload;
      return std::vector<Candidate>{{"reviews-v1", "deployment"}, {"ratings-v1", "deployment"}, {"details-v1"}};
    });
    for (const Candidate& candidate : found_.candidates) words.push_back(candidate.word);
    return words;
  }
  MeshOptions mesh_;
  const Command tree_ = Tree(mesh_);
  Completions found_;
  Offers asked_ = Offers::kNothing;
  std::string asked_mesh_, asked_workload_;
};
using Row = std::vector<std::string>;

TEST_F(Completion, OffersTheCommandsThatBeginSo) {
  EXPECT_EQ(Words({"pro"}), (Row{"proxy-status", "proxy-config", "proxy"}));
  EXPECT_EQ(Words({"pc", "clu"}), Row{"cluster"});
  EXPECT_EQ(Words({"proxy-config", "e"}), Row{"endpoint"});
  EXPECT_EQ(Words({"demo", ""}), Row{"tour"});
  EXPECT_EQ(Words({"demo", "tour", "--y"}), Row{"--yes"});
}

TEST_F(Completion, OffersWorkloadsOfTheMeshThatTheLineNames) {
  EXPECT_EQ(Words({"exec", "--name", "shop", "r"}), (Row{"reviews-v1", "ratings-v1"}));
  EXPECT_EQ(asked_, Offers::kWorkloads);
  EXPECT_EQ(asked_mesh_, "shop");
  EXPECT_EQ(Words({"pc", "--mesh=shop", "route", "det"}), Row{"details-v1"});
  EXPECT_EQ(asked_mesh_, "shop");
}

TEST_F(Completion, OffersContainersOfTheWorkloadOnTheLine) {
  Words({"logs", "details-v1", "-c", ""});
  EXPECT_EQ(asked_, Offers::kContainers);
  EXPECT_EQ(asked_workload_, "details-v1");
}

TEST_F(Completion, OffersTheWordsThatAnOptionTakes) {
  EXPECT_EQ(Words({"status", "-o", "j"}), Row{"json"});
  EXPECT_EQ(Words({"status", "--output=y"}), Row{"--output=yaml"});
  EXPECT_EQ(Words({"completion", ""}), (Row{"bash", "zsh", "fish"}));
}

TEST_F(Completion, OffersNamesOfTheProxysConfigurationForTheFiltersOfPc) {
  const auto asked = [this](const Row& words) {
    asked_ = Offers::kNothing;
    Words(words);
    EXPECT_EQ(asked_workload_, "details-v1") << words.back();
    return asked_;
  };
  EXPECT_EQ(asked({"pc", "endpoint", "details-v1", "--cluster", ""}), Offers::kClusters);
  EXPECT_EQ(asked({"pc", "cluster", "details-v1", "--fqdn", ""}), Offers::kServiceHosts);
  EXPECT_EQ(asked({"pc", "route", "details-v1", "--name="}), Offers::kRouteConfigs);
  EXPECT_EQ(asked({"pc", "secret", "details-v1", "--name", ""}), Offers::kSecrets);
  EXPECT_EQ(asked({"log", "details-v1", "--level", ""}), Offers::kLogLevels);
}

TEST_F(Completion, OffersTheLastWordOfAList) {
  EXPECT_EQ(Words({"logs", "-A", "--flag", "UF,re"}), Row{"UF,reviews-v1"});
  EXPECT_EQ(asked_, Offers::kResponseFlags);
  EXPECT_EQ(Words({"logs", "-A", "--flag=UF,UH,det"}), Row{"--flag=UF,UH,details-v1"});
  EXPECT_EQ(Words({"logs", "-A", "--flag", "det"}), Row{"details-v1"});
}

TEST_F(Completion, OffersALevelOfAllLoggersOnlyWhereItStandsAlone) {
  const auto levels = [this](const std::string& typed) {
    const Completions found =
        Complete(tree_, {"log", "web", "--level", typed}, [](Offers, const std::string&, const std::string&) {
          return std::vector<Candidate>{{"debug"}, {"http:debug"}};
        });
    Row words;
    for (const Candidate& candidate : found.candidates) words.push_back(candidate.word);
    return words;
  };
  EXPECT_EQ(levels(""), (Row{"debug", "http:debug"}));
  EXPECT_EQ(levels("ads:info,"), Row{"ads:info,http:debug"});
}

TEST_F(Completion, OffersKindsOfObjects) {
  Words({"docs", "configuration", ""});
  EXPECT_EQ(asked_, Offers::kKinds);
}

TEST_F(Completion, OffersOptionsOfTheCommandAndLeavesHiddenOnesOut) {
  EXPECT_EQ(Words({"test", "--"}), (Row{"--keep", "--name", "--output", "--help"}));
}

TEST_F(Completion, LeavesPathsToTheShell) {
  EXPECT_TRUE(Words({"up", ""}).empty());
  EXPECT_EQ(found_.paths, Offers::kFolders);
  EXPECT_TRUE(Words({"pc", "all", "--file", "d"}).empty());
  EXPECT_EQ(found_.paths, Offers::kFiles);
}

TEST_F(Completion, OffersNothingForWhatIsNoCommandNorBehindTwoDashes) {
  EXPECT_TRUE(Words({"fly", ""}).empty());
  EXPECT_TRUE(Words({"exec", "web", "--", ""}).empty());
  EXPECT_TRUE(Words({}).empty());
  EXPECT_EQ(asked_, Offers::kNothing);
}

}  // namespace
}  // namespace plait::cli
