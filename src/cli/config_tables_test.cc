#include "cli/config_tables.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

// MATCH of a route with this match.
std::string MatchOf(const char* match) {
  const Json config = {{"name", "9080"},
                       {"virtual_hosts", {{{"name", "reviews:9080"}, {"routes", {{{"match", Json::parse(match)}}}}}}}};
  return ConfigTable("route", Json::array({config})).rows.at(0).at(3);
}

TEST(RouteTable, TellsWhatARequestMustHaveBesideThePath) {
  EXPECT_EQ(MatchOf(R"({"prefix":"/"})"), "/*");
  EXPECT_EQ(MatchOf(R"({"prefix":"/","headers":[{"name":"end-user","string_match":{"exact":"jason"}}]})"),
            "/*; Header: end-user=jason");
  EXPECT_EQ(MatchOf(R"({"path":"/x","headers":[{"name":"a","string_match":{"prefix":"v"}},
{"name":":method","string_match":{"exact":"GET"}},{"name":"b","present_match":true}],
"query_parameters":[{"name":"page","string_match":{"exact":"1"}},{"name":"q","present_match":true}]})"),
            "/x; Method: GET; Header: a=v*, b; Query: page=1, q");
}

TEST(RouteTable, TellsEveryFormOfAMatchOfAHeader) {
  const auto header = [](const std::string& more) {
    return MatchOf((R"({"prefix":"/","headers":[{"name":"a")" + more + "}]}").c_str()).substr(12);
  };
  EXPECT_EQ(header(""), "a") << "it must be there";
  EXPECT_EQ(header(R"(,"present_match":false)"), "!a");
  EXPECT_EQ(header(R"(,"present_match":true,"invert_match":true)"), "!a");
  EXPECT_EQ(header(R"(,"present_match":false,"invert_match":true)"), "a");
  EXPECT_EQ(header(R"(,"string_match":{"suffix":"s"})"), "a=*s");
  EXPECT_EQ(header(R"(,"string_match":{"contains":"s","ignore_case":true})"), "a=*s* (any case)");
  EXPECT_EQ(header(R"(,"string_match":{"safe_regex":{"regex":"j.*"}},"invert_match":true)"), "!a=regex j.*");
  EXPECT_EQ(header(R"(,"string_match":{"exact":""})"), "a=");
  EXPECT_EQ(header(R"(,"range_match":{"start":"1","end":"9"})"), "a=1..9");
  EXPECT_EQ(header(R"(,"exact_match":"x")"), "a=x") << "of an older Envoy";
  EXPECT_EQ(header(R"(,"safe_regex_match":{"regex":"x"})"), "a=regex x");
}

TEST(RouteTable, TakesMatchesOfAnyShape) {
  for (const char* match : {"3", R"({"headers":3})", R"({"headers":[3,{"name":4},{"string_match":[]}]})",
                            R"({"query_parameters":[[],{"string_match":{"exact":{}}}]})"})
    EXPECT_NO_THROW(MatchOf(match)) << match;
}

TEST(EndpointTable, TellsTheLocalityAndPriorityOfEachEndpoint) {
  const Json assignment = Json::parse(R"({"cluster_name":"c","endpoints":[
 {"locality":{"region":"east","zone":"a","sub_zone":"x"},"lb_endpoints":[{"load_balancing_weight":2}]},
 {"locality":{"region":"east"},"priority":1,"lb_endpoints":[{}]},
 {"locality":{"sub_zone":"x"},"priority":2,"lb_endpoints":[{}]},
 {"lb_endpoints":[{}]}]})");
  const Table table = ConfigTable("endpoint", Json::array({assignment}));
  EXPECT_EQ((std::vector<std::string>(table.columns.end() - 3, table.columns.end())),
            (std::vector<std::string>{"LOCALITY", "PRIORITY", "WEIGHT"}));
  std::vector<std::string> rows;
  for (const auto& row : table.rows) rows.push_back(row[5] + " " + row[6] + " " + row[7]);
  EXPECT_EQ(rows, (std::vector<std::string>{"- 0 -", "//x 2 -", "east 1 -", "east/a/x 0 2"}));
}

}  // namespace
}  // namespace plait::cli
