#include "cli/manual.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/tree.h"
#include "testing/source_dir.h"

namespace plait::cli {
namespace {

class Manual : public ::testing::Test {
 protected:
  MeshOptions mesh_;
  const Command tree_ = Tree(mesh_);
};

// Every command below, with whether it can be run.
void Each(const Command& command, const std::function<void(const Command&)>& call) {
  call(command);
  for (const Command& child : command.children) Each(child, call);
}

TEST_F(Manual, IsWhatDocsCommandsSays) {
  std::ifstream in(std::string(plait::testing::SourceDir()) + "/docs/commands.md");
  std::ostringstream page;
  page << in.rdbuf();
  EXPECT_EQ(page.str(), MarkdownText(tree_)) << "docs/commands.md is stale: plait docs markdown > docs/commands.md";
}

TEST_F(Manual, SaysOfEveryCommandWhatItIs) {
  Each(tree_, [](const Command& command) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_FALSE(command.summary.ends_with('.')) << command.name << ": a summary is no sentence";
    EXPECT_TRUE(command.run || !command.children.empty()) << command.name << " does nothing";
    for (const Option& option : command.options) EXPECT_FALSE(option.help.empty()) << command.name << option.names;
  });
}

TEST_F(Manual, HasAPageForEveryCommandWithItsExitCodes) {
  const auto pages = ManPages(tree_);
  std::size_t commands = 0;
  Each(tree_, [&](const Command&) { ++commands; });
  EXPECT_EQ(pages.size(), commands);
  for (const auto& [name, text] : pages) {
    EXPECT_TRUE(name.starts_with("plait") && name.ends_with(".1")) << name;
    EXPECT_NE(text.find(".SH EXIT STATUS"), std::string::npos) << name;
    EXPECT_NE(text.find(".B 130"), std::string::npos) << name;
  }
}

TEST_F(Manual, GivesTroffNoTextThatItWouldTakeForARequest) {
  Command command{.name = "x", .summary = "s", .details = ".SH is a request\n'so is this\\n and -o an option"};
  const std::string page = ManPages(command).front().second;
  EXPECT_NE(page.find("\\&.SH is a request\n\\&'so is this\\en and \\-o an option"), std::string::npos) << page;
}

TEST_F(Manual, ListsEveryCommandThatCanRunAsData) {
  const Output output = CommandsOutput(tree_);
  std::size_t runs = 0;
  Each(tree_, [&](const Command& command) { runs += command.run ? 1U : 0U; });
  EXPECT_EQ((*output.data)["commands"].size(), runs);
  EXPECT_EQ(output.table.rows.size(), runs);
  bool found = false;
  for (const Json& command : (*output.data)["commands"])
    found = found || command["words"] == Json::array({"proxy-config", "route"});
  EXPECT_TRUE(found);
  EXPECT_EQ((*output.data)["exitCodes"].size(), std::size(kExitCodes));
}

TEST(Configuration, OfOneKindIsShownWhateverTheCaseOfItsName) {
  const Json reference = Json::parse(R"({"kinds": [
      {"kind": "Gateway", "note": "n", "fields": [{"field": "spec.selector", "effect": "honoured"},
                                                  {"field": "spec.x", "effect": "refused", "note": "why"}]},
      {"kind": "Namespace", "note": "only its name", "fields": []}], "ignoredKinds": ["EnvoyFilter"]})");
  const Output one = ConfigurationOutput(reference, "gateway");
  ASSERT_EQ(one.table.rows.size(), 2U);
  EXPECT_EQ(one.table.rows[1], (std::vector<std::string>{"Gateway", "spec.x", "refused", "why"}));
  EXPECT_EQ((*one.data)["kinds"].size(), 1U);
  const Output all = ConfigurationOutput(reference, "");
  EXPECT_EQ(all.names, (std::vector<std::string>{"kind/Gateway", "kind/Namespace"}));
  EXPECT_EQ(all.table.rows.back().back(), "only its name") << "a kind without fields is told of too";
  EXPECT_TRUE(ConfigurationOutput(reference, "Weather").table.rows.empty());
}

}  // namespace
}  // namespace plait::cli
