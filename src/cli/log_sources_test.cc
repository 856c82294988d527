#include "cli/log_sources.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

using Names = std::vector<std::string>;

local::MeshStatus StatusWith(const Names& pods) {
  local::MeshStatus status;
  status.run_dir = "/run/plait/m";
  for (const std::string& pod : pods) {
    local::WorkloadStatus& w = status.workloads.emplace_back();
    w.name = pod;
    w.ns = "default";
    w.owner = pod.substr(0, pod.rfind('-'));
    w.proxy = pod.starts_with("plain") ? "none" : "sidecar";
    w.ready = true;
  }
  return status;
}
Names PathsOf(LogSources& sources) {
  Names paths;
  for (const LogSource& source : sources.list()) paths.push_back(source.tail.path());
  return paths;
}
std::string ProxyLog(const std::string& pod) { return "/run/plait/m/logs/default/" + pod + "/istio-proxy.log"; }

TEST(LogSources, AreTheProxiesOfAllAndFollowWhatComesAndGoes) {
  LogSources sources("", "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-0", "plain-0"})));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-0")});
  EXPECT_EQ(sources.list()[0].workload, "web-0.default");
  EXPECT_EQ(sources.list()[0].container, "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-0", "web-1"})));
  EXPECT_EQ(PathsOf(sources), (Names{ProxyLog("web-0"), ProxyLog("web-1")}));
  ASSERT_TRUE(sources.Update(StatusWith({"web-1"})));
  EXPECT_EQ(PathsOf(sources), (Names{ProxyLog("web-0"), ProxyLog("web-1")})) << "its last lines are to be read";
  ASSERT_TRUE(sources.Update(StatusWith({"web-1"})));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-1")});
}

TEST(LogSources, KeepOneThatCameBack) {
  LogSources sources("", "istio-proxy");
  for (const Names& pods : {Names{"web-0"}, Names{}, Names{"web-0"}, Names{}}) {
    ASSERT_TRUE(sources.Update(StatusWith(pods)));
    EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-0")});
  }
}

TEST(LogSources, StayWithOnePodOfADeploymentAsLongAsItRuns) {
  LogSources sources("web", "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-1"})));
  ASSERT_TRUE(sources.Update(StatusWith({"web-0", "web-1"})));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-1")});
  ASSERT_TRUE(sources.Update(StatusWith({"web-0"})));
  EXPECT_EQ(PathsOf(sources), (Names{ProxyLog("web-1"), ProxyLog("web-0")}));
  EXPECT_FALSE(sources.Update(StatusWith({"other-0"})));
}

TEST(LogSources, KnowTheMeshsOwnParts) {
  LogSources sources("plaitd", "");
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(sources.Update(StatusWith({})));
  EXPECT_EQ(PathsOf(sources), Names{"/run/plait/m/logs/plait-system/plaitd/plaitd.log"});
}

}  // namespace
}  // namespace plait::cli
