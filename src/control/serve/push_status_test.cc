#include "control/serve/push_status.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::serve {
namespace {

using model::testing::RunningPod;
using model::testing::SnapshotOf;

std::string Object(const std::string& kind, const std::string& name, const std::string& spec) {
  const std::string version = kind == "Service" ? "v1" : "networking.istio.io/v1";
  return "---\napiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}
const std::string kWeb = Object("Service", "web", "{selector: {app: web}, ports: [{name: http, port: 80}]}");

// The message under a metric and key; empty: nothing is told.
std::string Told(const PushStatus& status, std::string_view metric, const std::string& key) {
  const auto events = status.find(metric);
  if (events == status.end() || !events->second.contains(key)) return "";
  return events->second.at(key).message;
}

TEST(PushStatus, SaysNothingOfAConfigurationThatIsWell) {
  EXPECT_TRUE(PushStatusOf(*SnapshotOf(kWeb, {RunningPod("web-0", "web", {{"app", "web"}}, "10.0.0.1")})).empty());
}

TEST(PushStatus, NamesClustersWithoutAnEndpointAndPodsThatAreNotReady) {
  auto pod = RunningPod("web-0", "web", {{"app", "web"}, {"version", "v1"}}, "10.0.0.1");
  const std::string rule =
      Object("DestinationRule", "web",
             "{host: web, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: "
             "v2}}]}");
  const auto ready = PushStatusOf(*SnapshotOf(kWeb + rule, {pod}));
  const std::string metric = "pilot_eds_no_instances";
  EXPECT_EQ(Told(ready, metric, "outbound|80||web.default.svc.cluster.local"), "");
  EXPECT_EQ(Told(ready, metric, "outbound|80|v1|web.default.svc.cluster.local"), "");
  EXPECT_NE(Told(ready, metric, "outbound|80|v2|web.default.svc.cluster.local").find("subset v2"), std::string::npos);
  pod.ready = false;
  const auto unready = PushStatusOf(*SnapshotOf(kWeb, {pod}));
  EXPECT_NE(Told(unready, metric, "outbound|80||web.default.svc.cluster.local").find("test.yaml:"), std::string::npos);
  EXPECT_EQ(unready.at("pilot_endpoint_not_ready").at("10.0.0.1").proxy, "web-0.default");
  EXPECT_EQ(Told(unready, "pilot_endpoint_not_ready", "10.0.0.1"),
            "pod default/web-0 is not ready, so Service default/web (test.yaml:4) leads nothing to its port 80");
  EXPECT_EQ(Told(PushStatusOf(*SnapshotOf("", {pod})), "pilot_endpoint_not_ready", "10.0.0.1"),
            "pod default/web-0 is not ready");
}

TEST(PushStatus, NamesTheRuleInWhichASubsetWithoutAnEndpointStands) {
  const auto rule = [](const std::string& name, const std::string& version) {
    return Object("DestinationRule", name,
                  "{host: web, subsets: [{name: " + version + ", labels: {version: " + version + "}}]}");
  };
  const auto status = PushStatusOf(*SnapshotOf(kWeb + rule("one", "v1") + rule("two", "v7") + rule("three", "v7"),
                                               {RunningPod("web-0", "web", {{"app", "web"}}, "10.0.0.1")}));
  const auto told = [&](const std::string& subset) {
    return Told(status, "pilot_eds_no_instances", "outbound|80|" + subset + "|web.default.svc.cluster.local");
  };
  EXPECT_EQ(told("v1"), "subset v1 of DestinationRule default/one (test.yaml:9) selects no ready endpoint");
  EXPECT_EQ(told("v7"), "subset v7 of DestinationRule default/three (test.yaml:19) selects no ready endpoint");
}

TEST(PushStatus, NamesNoRuleForChosenClientsAsTheOneInWhichASubsetForAllStands) {
  const std::string subset = "{host: web, subsets: [{name: v7, labels: {version: v7}}]";
  std::vector<model::ObjectRef> objects = model::DecodeText(kWeb, "web.yaml").objects;
  const auto add = [&](const std::string& name, const std::string& spec) {  // each at the same place of its file
    for (auto& object : model::DecodeText(Object("DestinationRule", name, spec), name + ".yaml").objects)
      objects.push_back(std::move(object));
  };
  add("chosen", subset + ", workloadSelector: {matchLabels: {app: client}}}");
  add("of-all", subset + "}");
  const auto mesh = model::Snapshot::Build(std::move(objects),
                                           std::make_shared<const std::vector<model::Workload>>(
                                               std::vector{RunningPod("web-0", "web", {{"app", "web"}}, "10.0.0.1")}),
                                           {});
  EXPECT_EQ(Told(PushStatusOf(*mesh), "pilot_eds_no_instances", "outbound|80|v7|web.default.svc.cluster.local"),
            "subset v7 of DestinationRule default/of-all (of-all.yaml:4) selects no ready endpoint");
}

TEST(PushStatus, NamesHostsAndSubsetsThatStandTwice) {
  const std::string route = "{hosts: [web], http: [{route: [{destination: {host: web}}]}]}";
  const std::string subset = "{host: web, subsets: [{name: v1, labels: {version: v1}}]}";
  const auto status =
      PushStatusOf(*SnapshotOf(kWeb + Object("VirtualService", "a", route) + Object("VirtualService", "b", route) +
                               Object("DestinationRule", "c", subset) + Object("DestinationRule", "d", subset)));
  const std::string host = "web.default.svc.cluster.local";
  EXPECT_NE(Told(status, "pilot_vservice_dup_domain", host).find("VirtualService default/b"), std::string::npos);
  EXPECT_NE(Told(status, "pilot_destrule_subsets", host).find("subset v1 of DestinationRule default/d"),
            std::string::npos);
}

TEST(PushStatus, NamesHostsPortsAndAddressesThatTwoServicesClaim) {
  const auto entry = [](const std::string& name, const std::string& host) {
    return Object("ServiceEntry", name,
                  "{hosts: [" + host +
                      "], addresses: [192.0.2.1], resolution: STATIC, ports: [{name: tcp, number: 99, "
                      "protocol: TCP}], endpoints: [{address: 192.0.2.7}]}");
  };
  const auto status =
      PushStatusOf(*SnapshotOf(entry("a", "one.example") + entry("b", "two.example") + entry("c", "two.example")));
  EXPECT_NE(Told(status, "pilot_duplicate_envoy_clusters", "outbound|99||two.example"), "");
  EXPECT_NE(Told(status, "pilot_conflict_outbound_listener_tcp_over_current_tcp", "192.0.2.1_99"), "");
}

TEST(PushStatus, NamesTheHostsOfOneServiceEntryThatShareAnAddress) {
  const auto status = PushStatusOf(*SnapshotOf(
      Object("ServiceEntry", "a",
             "{hosts: [one.example, two.example], addresses: [192.0.2.1], resolution: STATIC, ports: [{name: tcp, "
             "number: 99, protocol: TCP}], endpoints: [{address: 192.0.2.7}]}")));
  EXPECT_EQ(Told(status, "pilot_conflict_outbound_listener_tcp_over_current_tcp", "192.0.2.1_99"),
            "two.example of ServiceEntry default/a (test.yaml:4) has address and port of one.example of ServiceEntry "
            "default/a (test.yaml:4), which gets the connections");
}

TEST(PushStatus, NamesPortsOfPodsThatTwoServicesDeclareDifferently) {
  const auto status = PushStatusOf(
      *SnapshotOf(kWeb + Object("Service", "other", "{selector: {app: web}, ports: [{name: tcp, port: 80}]}"),
                  {RunningPod("web-0", "web", {{"app", "web"}}, "10.0.0.1")}));
  EXPECT_EQ(
      Told(status, "pilot_conflict_inbound_listener", "10.0.0.1:80"),
      "Service default/web (test.yaml:4) declares another protocol than Service default/other (test.yaml:9), which "
      "is in force");
}

}  // namespace
}  // namespace plait::control::serve
