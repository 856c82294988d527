#include "cli/versions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

TEST(Versions, AreOfTheClientAloneWithoutAMesh) {
  const Output output = VersionsOutput({.client = "0.1.0"}, "");
  EXPECT_EQ(output.table.rows.size(), 1u);
  EXPECT_TRUE(output.warnings.empty());
}

TEST(Versions, SayThatTheControlPlaneIsUnreachableAndWhy) {
  const Output output = VersionsOutput(
      {.client = "0.1.0", .control_error = "it does not answer within 5s", .proxies = {{"0.1.0", 6}}}, " --name shop");
  ASSERT_EQ(output.table.rows.size(), 3u);
  EXPECT_EQ(output.table.rows[1], (std::vector<std::string>{"control plane", "unreachable", "1"}));
  EXPECT_EQ(output.table.rows[2], (std::vector<std::string>{"data plane", "0.1.0", "6"}));
  ASSERT_EQ(output.warnings.size(), 1u);
  EXPECT_NE(output.warnings[0].find("it does not answer within 5s"), std::string::npos);
  EXPECT_NE(output.warnings[0].find("plait logs --name shop plaitd"), std::string::npos);
  EXPECT_EQ((*output.data)["control_plane_error"], "it does not answer within 5s");
}

TEST(Versions, OfProxiesThatPlaitdDoesNotNameAreTheirOwn) {
  local::MeshStatus status;
  status.workloads = {{.name = "a-0", .ns = "default", .proxy_pid = 7, .proxy = "sidecar"},
                      {.name = "plain-0", .ns = "default", .proxy = "none"},
                      {.name = "late-0", .ns = "default", .proxy = "sidecar"},
                      {.name = "e-0", .ns = "default", .proxy_pid = 8, .proxy = "sidecar", .proxy_program = "envoy"},
                      {.name = "hangs-0", .ns = "default", .proxy_pid = 9, .proxy = "sidecar"},
                      {.name = "gw-0", .ns = "default", .proxy_pid = 10, .proxy = "gateway"}};
  std::vector<std::string> asked;
  const Json proxies = ProxiesOf(status, [&](const std::string& proxy) -> Outcome<Json> {
    asked.push_back(proxy);
    if (proxy == "hangs-0.default") return Explain(Errc::kUnavailable, "no answer");
    return Json{{"version", "0.1.0"}};
  });
  EXPECT_EQ(proxies, Json::parse(R"([{"proxy":"a-0.default","istio_version":"0.1.0"},
{"proxy":"e-0.default","program":"envoy"},{"proxy":"hangs-0.default","istio_version":"unknown"},
{"proxy":"gw-0.default","istio_version":"unknown"}])"));
  EXPECT_EQ(asked, (std::vector<std::string>{"a-0.default", "hangs-0.default"})) << "one silence is enough";
  const Output output = VersionsOutput({.client = "0.1.0", .proxies = {{"unknown", 2}}}, "");
  EXPECT_EQ(output.warnings, std::vector<std::string>{"plait check says which proxies do not answer"});
}

}  // namespace
}  // namespace plait::cli
