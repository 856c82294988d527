// StatefulSet, Job and Node as they are written, and what is said of bad ones.
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::RunningPod;
using testing::Said;
using testing::SnapshotOf;

Decoded Read(const std::string& text) { return DecodeText(text, "f.yaml"); }
template <class T>
const T& Only(const Decoded& decoded) {
  EXPECT_EQ(decoded.objects.size(), 1U) << Said(decoded.findings);
  return std::get<T>(*decoded.objects.at(0));
}

constexpr char kPod[] = "{metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i}]}}";
std::string Set(const std::string& fields, const std::string& pod = kPod) {
  return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: a}\nspec:\n  selector: {matchLabels: "
         "{app: db}}\n  template: " +
         pod + "\n" + fields;
}
std::string AJob(const std::string& fields, const std::string& policy) {
  return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  template: {spec: {restartPolicy: " +
         policy + ", containers: [{name: c, image: i}]}}\n" + fields;
}

TEST(Controllers, AStatefulSetNamesItsPodsInItsService) {
  const Decoded decoded = Read(
      Set("  serviceName: dbs\n  replicas: 3\n  podManagementPolicy: Parallel\n  ordinals: {start: 5}\n",
          "{metadata: {labels: {app: db}}, spec: {hostname: own, subdomain: own, containers: [{name: c, image: i}]}}"));
  EXPECT_EQ(Said(decoded.findings), "");
  const StatefulSet& set = Only<StatefulSet>(decoded);
  EXPECT_EQ(set.replicas, 3U);
  EXPECT_EQ(set.first_ordinal, 5U);
  EXPECT_TRUE(set.parallel);
  EXPECT_EQ(set.pod.spec.hostname, "") << "each pod has its own name";
  EXPECT_EQ(set.pod.spec.subdomain, "dbs");
}

TEST(Controllers, AJobKnowsHowOftenItMayFail) {
  const Job plain = Only<Job>(Read(AJob("", "OnFailure")));
  EXPECT_EQ(plain.completions, 1U);
  EXPECT_EQ(plain.backoff_limit, 6U);
  const Job job = Only<Job>(Read(AJob("  completions: 4\n  parallelism: 2\n  backoffLimit: 0\n", "Never")));
  EXPECT_EQ(job.completions, 4U);
  EXPECT_EQ(job.parallelism, 2U);
  EXPECT_EQ(job.backoff_limit, 0U);
  EXPECT_EQ(Only<Job>(Read(AJob("  parallelism: 3\n", "Never"))).completions, 3U);
}

struct Bad {
  std::string yaml;
  std::string said;
};
class BadControllers : public ::testing::TestWithParam<Bad> {};

TEST_P(BadControllers, AreRefusedWithTheirPlace) {
  const Decoded decoded = Read(GetParam().yaml);
  EXPECT_TRUE(decoded.objects.empty());
  EXPECT_NE(Said(decoded.findings).find(GetParam().said), std::string::npos) << Said(decoded.findings);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadControllers,
    ::testing::Values(
        Bad{Set("  serviceName: a.b\n"),
            "f.yaml:7:16: StatefulSet a/db: \"a.b\" is not the name of a Service (name a "},
        Bad{Set("  replicas: -1\n"), "f.yaml:7:13: StatefulSet a/db: replicas must be between 0 and 1000"},
        Bad{Set("  podManagementPolicy: Random\n"), "f.yaml:7:24: StatefulSet a/db: there is no policy \"Random\""},
        Bad{Set("  ordinals: {start: -3}\n"), "f.yaml:7:21: StatefulSet a/db: the first ordinal must not be negative"},
        Bad{Set("", "{metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}"),
            "f.yaml:5:13: StatefulSet a/db: the selector does not match the labels of the template"},
        Bad{Set("", "{metadata: {labels: {app: db}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}"),
            "f.yaml:6:67: StatefulSet a/db: the pods of a StatefulSet restart always, not Never"},
        Bad{Set("", "{metadata: {labels: {app: db}}, spec: {restartPolicy: Ever, containers: [{name: c, image: i}]}}"),
            "there is no restart policy \"Ever\" (Always, OnFailure or Never)"},
        Bad{Set("",
                "{metadata: {labels: {app: db}}, spec: {initContainers: [{name: c, image: i}], containers: [{name: "
                "c, image: i}]}}"),
            "two containers of the pod are called \"c\" (rename one of them)"},
        Bad{Set("",
                "{metadata: {labels: {app: db}}, spec: {initContainers: [{name: i, restartPolicy: Never}], "
                "containers: [{name: c, image: i}]}}"),
            "an init container cannot have the restart policy \"Never\" (Always makes it a sidecar"},
        Bad{Set("  serviceNam: x\n"), "unknown field \"spec.serviceNam\" (did you mean \"serviceName\"?)"},
        Bad{AJob("", "Always"), "f.yaml:5:36: Job default/once: the pods of a Job must end: restartPolicy is required"},
        Bad{AJob("  completions: 0\n", "Never"),
            "f.yaml:6:16: Job default/once: completions must be between 1 and 1000"},
        Bad{AJob("  backoffLimit: -2\n", "Never"), "backoffLimit must be between 0 and 1000"},
        Bad{"apiVersion: batch/v1beta1\nkind: Job\nmetadata: {name: j}\n",
            "f.yaml:1:13: Job has no version \"v1beta1\" (use batch/v1)"},
        Bad{"apiVersion: v1\nkind: Node\nmetadata: {name: node}\nspec: {podCidr: 10.0.0.0/8}\n",
            "f.yaml:4:8: Node node: unknown field \"spec.podCidr\" (did you mean \"podCIDR\"?)"}));

TEST(Controllers, WhatAJobDoesNotHonourIsSaid) {
  const std::string said =
      Said(Read(AJob("  completionMode: Indexed\n  activeDeadlineSeconds: 5\n", "Never")).findings);
  EXPECT_NE(said.find("f.yaml:6:19: Job default/once: completionMode Indexed is not honoured"), std::string::npos)
      << said;
  EXPECT_NE(said.find("f.yaml:7:26: Job default/once: activeDeadlineSeconds is not honoured"), std::string::npos)
      << said;
}

TEST(Controllers, AStatefulSetWithoutItsHeadlessServiceIsWarnedOf) {
  const auto service = [](const char* spec) {
    return std::string("---\napiVersion: v1\nkind: Service\nmetadata: {name: dbs, namespace: a}\nspec: ") + spec + "\n";
  };
  const std::string set = Set("  serviceName: dbs\n");
  const std::string missing = Said(SnapshotOf(set)->findings());
  EXPECT_NE(missing.find("test.yaml:7:16: StatefulSet a/db: Referenced serviceName not found: \"dbs\""),
            std::string::npos)
      << missing;
  EXPECT_NE(Said(SnapshotOf(set + service("{ports: [{port: 1}]}"))->findings()).find("is not headless"),
            std::string::npos);
  EXPECT_EQ(Said(SnapshotOf(set + service("{clusterIP: None}"))->findings()), "");
}

TEST(Controllers, AWorkloadStandsWhereItsNodeStands) {
  const std::string yaml = R"(
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1}}
spec: {podCIDR: 10.1.0.0/24}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
)";
  Workload there = RunningPod("web-0", "web", {{"app", "web"}}, "10.244.0.1");
  there.node = "n1";
  const Workload labelled = RunningPod("web-1", "web", {{"app", "web"}, {"istio-locality", "r2.z2.s2"}}, "10.244.0.2");
  const Workload unknown = RunningPod("web-2", "web", {{"app", "web"}}, "10.244.0.3");
  const SnapshotRef snapshot = SnapshotOf(yaml, {there, labelled, unknown});
  const ServiceView* web = snapshot->FindService("web.default.svc.cluster.local", "default");
  ASSERT_EQ(web->endpoints[0].size(), 3U);
  EXPECT_EQ(web->endpoints[0][0].locality, "r1/z1");
  EXPECT_EQ(web->endpoints[0][1].locality, "r2/z2/s2");
  EXPECT_EQ(web->endpoints[0][2].locality, "");
}

TEST(Controllers, ANodeStandsWhereItsLabelsSayAlsoWithoutARegion) {
  const std::string region = "topology.kubernetes.io/region: r", zone = "topology.kubernetes.io/zone: z",
                    subzone = "topology.istio.io/subzone: s";
  for (const auto& [labels, locality] :
       std::vector<std::pair<std::string, std::string>>{{region, "r"},
                                                        {region + ", " + zone + ", " + subzone, "r/z/s"},
                                                        {zone, "/z"},
                                                        {region + ", " + subzone, "r//s"},
                                                        {subzone, "//s"},
                                                        {"a: b", ""}}) {
    const Decoded read =
        DecodeText("apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {" + labels + "}}\n", "f.yaml");
    ASSERT_EQ(read.objects.size(), 1U) << labels << Said(read.findings);
    EXPECT_EQ(std::get<Node>(*read.objects[0]).locality, locality) << labels;
  }
}

}  // namespace
}  // namespace plait::control::model
