#include "proxy/record/response_flags.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "testing/source_dir.h"

namespace plait::proxy::record {
namespace {

std::string Read(const std::string& path) {
  std::ifstream in(std::string(testing::SourceDir()) + "/" + path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// The first column of a row may name several flags.
bool HasRow(const std::string& page, std::string_view flag) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string column = line.substr(2, line.find(" |", 2) - 2);
    if (column.find("`" + std::string(flag) + "`") != std::string::npos) return true;
  }
  return false;
}

TEST(ResponseFlags, EachHasARowInThePageOnTroubleshooting) {
  const std::string page = Read("docs/troubleshooting.md");
  ASSERT_FALSE(page.empty());
  for (unsigned i = 1; i <= static_cast<unsigned>(ResponseFlag::kLast); ++i) {
    const std::string_view flag = ShortName(static_cast<ResponseFlag>(i));
    EXPECT_TRUE(HasRow(page, flag)) << flag;
  }
}

TEST(ResponseFlags, AreFoundByTheirShortNames) {
  for (unsigned i = 1; i <= static_cast<unsigned>(ResponseFlag::kLast); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    EXPECT_EQ(FlagByShortName(ShortName(flag)), flag);
  }
  EXPECT_EQ(FlagByShortName("XX"), ResponseFlag::kNone);
}

}  // namespace
}  // namespace plait::proxy::record
