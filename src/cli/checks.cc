#include "cli/checks.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/strings.h"

namespace plait::cli {
namespace {

const char* ResultName(Mark result) {
  return result == Mark::kPassed ? "success" : result == Mark::kWarning ? "warning" : "error";
}

long Count(const std::vector<Check>& checks, Mark result) {
  return std::count_if(checks.begin(), checks.end(), [&](const Check& check) { return check.result == result; });
}

// Behind the description; several lines below it.
std::string TextOf(const std::string& detail) {
  if (detail.find('\n') == std::string::npos) return detail.empty() ? "" : ": " + detail;
  std::string out = ":";
  for (const std::string_view line : Split(detail, '\n')) out.append("\n      ").append(line);
  return out;
}

}  // namespace

Json ChecksJson(const std::vector<Check>& checks) {
  Json categories = Json::array();
  for (const Check& check : checks) {
    if (categories.empty() || categories.back()["categoryName"] != check.category)
      categories.push_back({{"categoryName", check.category}, {"checks", Json::array()}});
    const bool passed = check.result == Mark::kPassed;
    Json entry = {{"description", check.description},
                  {"result", ResultName(check.result)},
                  {"error", passed ? "" : check.detail},
                  {"hint", passed ? "" : check.fix}};
    if (passed && !check.detail.empty()) entry["detail"] = check.detail;
    categories.back()["checks"].push_back(std::move(entry));
  }
  return {{"success", Count(checks, Mark::kFailed) == 0}, {"categories", std::move(categories)}};
}

Output ChecksOutput(const std::vector<Check>& checks) {
  Output output{.table = {{"CHECK", "RESULT", "DETAIL", "FIX"}, {}}, .data = Data(ChecksJson(checks))};
  std::string category;
  for (const Check& check : checks) {
    if (check.category != category) output.text += (category.empty() ? "" : "\n") + check.category + "\n";
    category = check.category;
    output.text += "  " + MarkText(check.result) + " " + check.description + TextOf(check.detail) + "\n";
    if (check.result != Mark::kPassed && !check.fix.empty()) output.text += "      fix: " + check.fix + "\n";
    output.table.rows.push_back({check.description, ResultName(check.result), check.detail, check.fix});
    output.names.push_back("check/" + check.category + "/" + check.description);
  }
  output.text += "\n" + std::to_string(Count(checks, Mark::kPassed)) + " ok, " +
                 std::to_string(Count(checks, Mark::kWarning)) + " warnings, " +
                 std::to_string(Count(checks, Mark::kFailed)) + " failed\n";
  output.code = Count(checks, Mark::kFailed) == 0 ? kDone : kNo;
  return output;
}

}  // namespace plait::cli
