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
// As it is shown.
Names NamesOf(LogSources& sources) {
  Names names;
  for (const LogSource& source : sources.list())
    names.push_back((source.one_of_several ? "one of several: " : "") + source.workload);
  return names;
}
std::string ProxyLog(const std::string& pod) { return "/run/plait/m/logs/default/" + pod + "/istio-proxy.log"; }

TEST(LogSources, AreTheProxiesOfAllAndFollowWhatComesAndGoes) {
  LogSources sources("", "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-0", "plain-0"})));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-0")});
  EXPECT_EQ(NamesOf(sources), Names{"one of several: web-0.default"});
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

TEST(LogSources, AreAllPodsOfADeploymentByTheirNames) {
  for (const char* name : {"web", "web.default"}) {
    LogSources sources(name, "istio-proxy");
    ASSERT_TRUE(sources.Update(StatusWith({"web-0", "other-0", "web-1"})));
    EXPECT_EQ(PathsOf(sources), (Names{ProxyLog("web-0"), ProxyLog("web-1")}));
    EXPECT_EQ(NamesOf(sources), (Names{"one of several: web-0.default", "one of several: web-1.default"}));
  }
}

TEST(LogSources, AreOnePodByItsOwnName) {
  for (const char* name : {"web-1", "web-1.default"}) {
    LogSources sources(name, "istio-proxy");
    for (const Names& pods : {Names{"web-0", "web-1"}, Names{"web-0", "web-1", "web-2"}}) {
      ASSERT_TRUE(sources.Update(StatusWith(pods)));
      EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-1")});
      EXPECT_EQ(NamesOf(sources), Names{name});
    }
  }
}

TEST(LogSources, CallTheOnlyPodAsItWasAskedForUntilThereIsAnother) {
  LogSources sources("web", "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-1"})));
  EXPECT_EQ(NamesOf(sources), Names{"web"});
  ASSERT_TRUE(sources.Update(StatusWith({"web-0", "web-1"})));
  EXPECT_EQ(PathsOf(sources), (Names{ProxyLog("web-1"), ProxyLog("web-0")}));
  const Names both = {"one of several: web-1.default", "one of several: web-0.default"};
  EXPECT_EQ(NamesOf(sources), both);
  ASSERT_TRUE(sources.Update(StatusWith({"web-0"})));
  EXPECT_EQ(NamesOf(sources), both) << "its last lines are to be read";
  ASSERT_TRUE(sources.Update(StatusWith({"web-0"})));
  EXPECT_EQ(NamesOf(sources), Names{both[1]}) << "a reader who knows the names goes on with them";
}

TEST(LogSources, GoOnWithTheNextPodOfADeploymentWhenItsOnlyOneHasGone) {
  LogSources sources("web", "istio-proxy");
  ASSERT_TRUE(sources.Update(StatusWith({"web-1"})));
  EXPECT_FALSE(sources.Update(StatusWith({"other-0"})));
  ASSERT_TRUE(sources.Update(StatusWith({"web-0"})));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("web-0")});
  EXPECT_EQ(NamesOf(sources), Names{"web"});
  EXPECT_FALSE(sources.Update(StatusWith({"other-0"})));
}

TEST(LogSources, StayInTheNamespaceOfTheDeploymentThatWasFound) {
  local::MeshStatus status = StatusWith({"web-0", "web-1", "web-2"});
  status.workloads[0].ns = "shop";
  status.workloads[0].ready = false;
  LogSources sources("web", "istio-proxy");
  ASSERT_TRUE(sources.Update(status));
  const Names found = {ProxyLog("web-1"), ProxyLog("web-2")};
  EXPECT_EQ(PathsOf(sources), found) << "of which a pod is ready";
  for (local::WorkloadStatus& w : status.workloads) w.ready = !w.ready;
  ASSERT_TRUE(sources.Update(status));
  EXPECT_EQ(PathsOf(sources), found);
  status.workloads.resize(1);
  ASSERT_TRUE(sources.Update(status));
  EXPECT_EQ(PathsOf(sources), (Names{found[0], found[1], "/run/plait/m/logs/shop/web-0/istio-proxy.log"}));
}

TEST(LogSources, WaitForAPodThatHasNotBegunSinceItsFirstContainerIsNotKnown) {
  local::MeshStatus status = StatusWith({"web-0", "web-1"});
  status.workloads[0].containers = {{.name = "app"}};
  LogSources sources("web", "");
  ASSERT_TRUE(sources.Update(status));
  EXPECT_EQ(PathsOf(sources), Names{"/run/plait/m/logs/default/web-0/app.log"});
  status.workloads[1].containers = {{.name = "app"}};
  ASSERT_TRUE(sources.Update(status));
  EXPECT_EQ(PathsOf(sources),
            (Names{"/run/plait/m/logs/default/web-0/app.log", "/run/plait/m/logs/default/web-1/app.log"}));
}

TEST(LogSources, OfAGatewayAreThoseOfItsProxy) {
  local::MeshStatus status = StatusWith({"gateway-0"});
  status.workloads[0].proxy = "gateway";
  LogSources sources("gateway", "");
  ASSERT_TRUE(sources.Update(status));
  EXPECT_EQ(PathsOf(sources), Names{ProxyLog("gateway-0")});
}

TEST(LogSources, KnowTheMeshsOwnParts) {
  LogSources sources("plaitd", "");
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(sources.Update(StatusWith({})));
  EXPECT_EQ(PathsOf(sources), Names{"/run/plait/m/logs/plait-system/plaitd/plaitd.log"});
}

}  // namespace
}  // namespace plait::cli
