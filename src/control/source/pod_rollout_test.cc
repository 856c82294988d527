// StatefulSets and Jobs in local mode. Deployments: pods_test.cc.
#include <gtest/gtest.h>

#include "control/model/decode.h"
#include "control/source/pods.h"
#include "control/source/supervisor_channel.h"

namespace plait::control::source {
namespace {
using namespace std::chrono_literals;

std::string Set(const std::string& value, const std::string& fields = "") {
  return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: dbs\n  replicas: 3\n" +
         fields +
         "  selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    spec: {containers: "
         "[{name: c, image: i, command: [db], env: [{name: A, value: " +
         value + "}]}]}\n";
}
std::string AJob(const std::string& fields, const std::string& policy = "Never") {
  return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  template: {spec: {restartPolicy: " +
         policy + ", containers: [{name: c, image: i, command: [x]}]}}\n" + fields;
}
std::vector<PodSet> Render(const std::string& yaml) {
  return RenderPodSets(model::DecodeText(yaml, "f.yaml").objects, {}, {}).sets;
}

// Plays the supervisor: what it was told to run, in the state that the test gives it.
class Rollout : public testing::Test {
 protected:
  std::string Names() const {
    std::string out;
    for (const DesiredPod& pod : pods_.desired()) out += pod.name + "=" + pod.uid + (pod.ending ? "(ending) " : " ");
    return out;
  }
  void Say(std::vector<std::pair<std::string, std::string>> phases) {
    std::vector<PodStatus> table;
    for (const auto& [uid, phase] : phases)
      table.push_back({.uid = uid,
                       .ips = {*io::IpAddress::Parse("10.244.0." + uid.substr(1))},
                       .ready = phase == "Ready",
                       .phase = phase == "Ready" ? "Running" : phase});
    pods_.SetStatuses(std::move(table));
  }
  bool Becomes(const std::string& names) {
    return loop_.RunUntil([&] { return Names() == names; }, 5s);
  }
  io::Loop loop_;
  int next_ = 1;
  PodsController pods_{loop_, {.end_delay = 1ms, .new_uid = [this] { return "u" + std::to_string(next_++); }}, [] {}};
};

TEST_F(Rollout, ChangesItsRevisionOnlyWithItsPods) {
  pods_.SetTemplates(Render(Set("a")));
  const std::uint64_t first = pods_.revision();
  pods_.SetTemplates(Render(Set("a")));
  Say({{"u1", "Running"}});
  EXPECT_EQ(pods_.revision(), first);
  Say({{"u1", "Ready"}});
  EXPECT_NE(pods_.revision(), first);
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 ");
}

TEST_F(Rollout, OfAStatefulSetGoesFromTheFirstPodToTheLast) {
  pods_.SetTemplates(Render(Set("a")));
  EXPECT_EQ(Names(), "db-0=u1 ");
  Say({{"u1", "Running"}});
  EXPECT_EQ(Names(), "db-0=u1 ") << "not before it is ready";
  Say({{"u1", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 ");
  Say({{"u1", "Ready"}, {"u2", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u3 ");
  const DesiredPod pod = pods_.desired()[1];
  EXPECT_EQ(pod.spec.labels.at("statefulset.kubernetes.io/pod-name"), "db-1");
  EXPECT_EQ(pod.spec.labels.at("apps.kubernetes.io/pod-index"), "1");
  EXPECT_EQ(pods_.workloads()->at(1).hostname, "db-1");
  EXPECT_EQ(pods_.workloads()->at(1).subdomain, "dbs");
  EXPECT_NE(EncodeDesired(pods_.desired()).find("\"owner_kind\":\"StatefulSet\""), std::string::npos);
}

TEST_F(Rollout, OfAChangedStatefulSetReplacesTheLastPodFirstUnderItsName) {
  pods_.SetTemplates(Render(Set("a", "  podManagementPolicy: Parallel\n")));
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u3 ");
  Say({{"u1", "Ready"}, {"u2", "Ready"}, {"u3", "Ready"}});
  pods_.SetTemplates(Render(Set("b", "  podManagementPolicy: Parallel\n")));
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u3(ending) ");
  EXPECT_TRUE(Becomes("db-0=u1 db-1=u2 ")) << "the old db-2 still stops";
  Say({{"u1", "Ready"}, {"u2", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u4 ") << "now its name is free";
  Say({{"u1", "Ready"}, {"u2", "Ready"}, {"u4", "Running"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u4 ") << "the next one waits";
  Say({{"u1", "Ready"}, {"u2", "Ready"}, {"u4", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2(ending) db-2=u4 ");
}

TEST_F(Rollout, OfAMendedStatefulSetReplacesWhatNeverGotReadyLastPodFirst) {
  pods_.SetTemplates(Render(Set("a")));
  Say({{"u1", "Ready"}});
  Say({{"u1", "Running"}, {"u2", "Running"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 ") << "db-2 waits for them";
  pods_.SetTemplates(Render(Set("b")));
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2(ending) ");
  EXPECT_TRUE(Becomes("db-0=u1 "));
  Say({{"u1", "Running"}});
  EXPECT_EQ(Names(), "db-0=u1(ending) ");
  EXPECT_TRUE(Becomes(""));
  Say({});
  EXPECT_EQ(Names(), "db-0=u3 ");
  Say({{"u3", "Ready"}});
  Say({{"u3", "Ready"}, {"u4", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u3 db-1=u4 db-2=u5 ");
}

TEST_F(Rollout, OfAStatefulSetEndsNoOlderPodThatIsNotReadyWhileANewerOneGetsReady) {
  pods_.SetTemplates(Render(Set("a", "  podManagementPolicy: Parallel\n")));
  Say({{"u1", "Ready"}, {"u2", "Ready"}, {"u3", "Ready"}});
  pods_.SetTemplates(Render(Set("b", "  podManagementPolicy: Parallel\n")));
  EXPECT_TRUE(Becomes("db-0=u1 db-1=u2 "));
  Say({{"u1", "Ready"}, {"u2", "Ready"}});
  Say({{"u1", "Ready"}, {"u2", "Running"}, {"u4", "Running"}});
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u4 ") << "the new template may be the worse one";
  Say({{"u1", "Running"}, {"u2", "Ready"}, {"u4", "Ready"}});
  EXPECT_EQ(Names(), "db-0=u1(ending) db-1=u2 db-2=u4 ");
}

TEST_F(Rollout, OfASmallerStatefulSetEndsTheLastPodsOneByOne) {
  auto sets = Render(Set("a"));
  pods_.SetTemplates(sets);
  Say({{"u1", "Ready"}});
  Say({{"u1", "Ready"}, {"u2", "Ready"}});
  Say({{"u1", "Ready"}, {"u2", "Ready"}, {"u3", "Ready"}});
  sets[0].replicas = 1;
  pods_.SetTemplates(sets);
  EXPECT_EQ(Names(), "db-0=u1 db-1=u2 db-2=u3(ending) ");
  EXPECT_TRUE(Becomes("db-0=u1 db-1=u2 "));
  Say({{"u1", "Ready"}, {"u2", "Ready"}});
  EXPECT_TRUE(Becomes("db-0=u1 "));
}

TEST_F(Rollout, OfAJobEndsWhenEnoughPodsHaveSucceeded) {
  pods_.SetTemplates(Render(AJob("  completions: 3\n  parallelism: 2\n")));
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 ");
  EXPECT_NE(EncodeDesired(pods_.desired()).find("\"completions\":3"), std::string::npos);
  Say({{"u1", "Succeeded"}, {"u2", "Ready"}});
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 once-2=u3 ") << "the ended one stays to be looked at";
  EXPECT_TRUE(pods_.workloads()->at(0).ending) << "and is no endpoint";
  Say({{"u1", "Succeeded"}, {"u2", "Succeeded"}, {"u3", "Running"}});
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 once-2=u3 ") << "only one is missing";
  Say({{"u1", "Succeeded"}, {"u2", "Succeeded"}, {"u3", "Succeeded"}});
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 once-2=u3 ");
  EXPECT_EQ(pods_.desired()[0].spec.labels.at("job-name"), "once");
}

TEST_F(Rollout, OfAJobTriesAgainUntilItsBackoffLimit) {
  pods_.SetTemplates(Render(AJob("  backoffLimit: 1\n")));
  Say({{"u1", "Failed"}});
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 ");
  Say({{"u1", "Failed"}, {"u2", "Failed"}});
  EXPECT_EQ(Names(), "once-0=u1 once-1=u2 ") << "it has failed";
}

TEST_F(Rollout, OfAJobThatRestartsItsContainersLeavesTheCountToThem) {
  pods_.SetTemplates(Render(AJob("  backoffLimit: 4\n", "OnFailure")));
  EXPECT_NE(EncodeDesired(pods_.desired()).find("\"max_restarts\":4"), std::string::npos);
  Say({{"u1", "Failed"}});
  EXPECT_EQ(Names(), "once-0=u1 ");
}

TEST_F(Rollout, OfAChangedOrSuspendedJobEndsWhatRuns) {
  pods_.SetTemplates(Render(AJob("")));
  Say({{"u1", "Ready"}});
  pods_.SetTemplates(Render(AJob("  suspend: true\n")));
  EXPECT_TRUE(Becomes(""));
  Say({});
  pods_.SetTemplates(Render(AJob("")));
  EXPECT_EQ(Names(), "once-0=u2 ");
  Say({{"u2", "Succeeded"}});
  pods_.SetTemplates(Render(AJob("", "OnFailure")));
  EXPECT_TRUE(Becomes("once-1=u3 ")) << "another template is another Job";
}

TEST_F(Rollout, IsRefusedToASecondOwnerOfTheSameName) {
  const std::string yaml = Set("a") + "---\n" + AJob("").replace(AJob("").find("once"), 4, "db");
  const PodSets sets = RenderPodSets(model::DecodeText(yaml, "f.yaml").objects, {}, {});
  EXPECT_EQ(sets.sets.size(), 1U);
  ASSERT_EQ(sets.findings.size(), 1U);
  EXPECT_EQ(sets.findings[0].ToString(),
            "Error f.yaml:14:18: Job default/db: it would have the name of a pod of StatefulSet default/db in f.yaml:3 "
            "(rename one of them; the Job is not run)");
  const auto pod = [](const char* name) {
    return std::string("---\napiVersion: v1\nkind: Pod\nmetadata: {name: ") + name +
           "}\nspec: {containers: [{name: c, image: i, command: [x]}]}\n";
  };
  EXPECT_EQ(Render(Set("a") + pod("db") + pod("db-x") + pod("db-1")).size(), 3U) << "db-1 is the set's";
}

}  // namespace
}  // namespace plait::control::source
