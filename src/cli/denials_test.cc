#include "cli/denials.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

TEST(Denials, NameTheAllowRulesThatDidNotMatch) {
  const Json dump = Json::parse(R"({"configs":[{"dynamic_listeners":[{"active_state":{"listener":{"filter_chains":[
    {"rules":{"policies":{"ns[default]-policy[details-viewer]-rule[0]":{}}}},
    {"rules":{"action":"DENY","policies":{"ns[default]-policy[never]-rule[0]":{}}}},
    {"rules":{"action":"ALLOW","policies":{"ns[default]-policy[details-viewer]-rule[0]":{},"other":{}}}}]}}}]}]})");
  EXPECT_EQ(AllowRulesOf(dump), (std::vector<std::string>{"default/details-viewer rule[0]", "other"}));
  EXPECT_EQ(ExplainDenial(AllowRulesOf(dump)),
            "    plait: denied, since it matches no rule of the ALLOW policies in scope: default/details-viewer "
            "rule[0], other\n");
}

TEST(Denials, NeedNoExplanationWhenTheLogNamesThePolicy) {
  EXPECT_TRUE(IsDenialWithoutRule("\"GET / HTTP/1.1\" 403 - rbac_access_denied_matched_policy[none] - \"-\""));
  EXPECT_FALSE(IsDenialWithoutRule("403 - rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]"));
  EXPECT_EQ(ExplainDenial({}), "");
}

TEST(Denials, SurviveAnyShapeOfDump) {
  for (const char* text : {"null", "[]", R"({"policies":3})", R"({"policies":{"ns[":1,"ns[]-rule[":2},"action":7})"})
    EXPECT_NO_THROW(AllowRulesOf(Json::parse(text))) << text;
}

}  // namespace
}  // namespace plait::cli
