// What is told of names of pods' accounts, of callers and of container ports, and what is not (bad_objects_test.cc has
// the messages).
#include "control/model/pod_references.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::RunningPod;
using testing::SnapshotOf;

std::string Said(const SnapshotRef& snapshot) {
  std::string out;
  for (const Finding& finding : CheckPodReferences(*snapshot)) {
    EXPECT_EQ(finding.severity, Severity::kWarning);
    EXPECT_EQ(finding.remedy, "") << "no edit waits for it";
    const Diagnostic& said = finding.diagnostic;
    out += said.object + ": " + said.message + " (" + said.hint.substr(0, said.hint.find("? ")) + ")\n";
  }
  return out;
}

std::string Object(const std::string& kind, const std::string& name, const std::string& rest = {}) {
  const auto version = [&] {
    if (kind == "Deployment" || kind == "StatefulSet") return "apps/v1";
    if (kind == "Job") return "batch/v1";
    if (kind == "AuthorizationPolicy") return "security.istio.io/v1";
    return kind == "ServiceEntry" ? "networking.istio.io/v1" : "v1";
  };
  const auto slash = name.find('/');
  const std::string metadata = slash == std::string::npos
                                   ? "name: " + name
                                   : "name: " + name.substr(slash + 1) + ", namespace: " + name.substr(0, slash);
  return std::string("---\napiVersion: ") + version() + "\nkind: " + kind + "\nmetadata: {" + metadata + "}\n" + rest;
}
std::string Pods(const std::string& kind, const std::string& name, const std::string& account,
                 const std::string& ports = {}) {
  const std::string spec = "{" + (account.empty() ? "" : "serviceAccountName: " + account + ", ") +
                           "containers: [{name: c, image: i, ports: [" + ports + "]}]}";
  if (kind == "Pod") return Object(kind, name, "spec: " + spec + "\n");
  const std::string selector = kind == "Job" ? "" : "selector: {matchLabels: {app: a}}, ";
  const std::string pod = kind == "Job" ? "{restartPolicy: Never, " + spec.substr(1) : spec;
  return Object(kind, name,
                "spec: {" + selector + "template: {metadata: {labels: {app: a, tier: web}}, spec: " + pod + "}}\n");
}
std::string Policy(const std::string& name, const std::string& source) {
  return Object("AuthorizationPolicy", name, "spec: {rules: [{from: [{source: {" + source + "}}]}]}\n");
}

TEST(PodReferences, AreToldOfEachKindThatMakesPods) {
  for (const std::string kind : {"Deployment", "StatefulSet", "Job", "Pod"}) {
    EXPECT_EQ(Said(SnapshotOf(Object("ServiceAccount", "shop/web") + Pods(kind, "shop/x", "wep"))),
              kind + " shop/x: Referenced service account not found: \"wep\" (did you mean \"web\")\n");
  }
}

TEST(PodReferences, ToAccountsAreGoodWhereTheyLead) {
  const std::string web = Object("ServiceAccount", "shop/web");
  EXPECT_EQ(Said(SnapshotOf(web + Pods("Deployment", "shop/x", "web"))), "");
  EXPECT_EQ(Said(SnapshotOf(web + Pods("Deployment", "shop/x", "default"))), "") << "each namespace has it";
  EXPECT_EQ(Said(SnapshotOf(web + Pods("Deployment", "shop/x", ""))), "");
  EXPECT_EQ(Said(SnapshotOf(web + Pods("Deployment", "other/x", "wep"))), "")
      << "nobody makes accounts in this namespace";
  EXPECT_EQ(Said(SnapshotOf(Object("ServiceAccount", "istio-system/a") +
                            Pods("Pod", "istio-system/x", "istio-ingressgateway-service-account"))),
            "")
      << "that of the ingress gateway, which nobody writes down";
}

TEST(PodReferences, ToNamespacesAreGoodWhereSomethingIsInThem) {
  const std::string policy = Policy("shop/p", "namespaces: [crowd]");
  const std::string missing =
      "AuthorizationPolicy shop/p: Referenced namespace not found: \"crowd\" (correct the name, or create the "
      "Namespace; until then it matches no caller)\n";
  EXPECT_EQ(Said(SnapshotOf(policy)), missing);
  EXPECT_EQ(Said(SnapshotOf(policy + Object("Namespace", "crowd"))), "");
  EXPECT_EQ(Said(SnapshotOf(policy + Object("ConfigMap", "crowd/c"))), "");
  EXPECT_EQ(Said(SnapshotOf(policy, {RunningPod("x", "x", {}, "10.0.0.1", "default", "crowd")})), "");
  EXPECT_EQ(Said(SnapshotOf(
                Policy("shop/p", "namespaces: [shop, default, istio-system, plait-system, kube-system, 'cro*', '*']"))),
            "");
  EXPECT_EQ(Said(SnapshotOf(Policy("shop/p", "notNamespaces: [crowd]"))), "");
}

TEST(PodReferences, ToNamespacesKnowTheRootNamespace) {
  SnapshotOptions options;
  options.mesh.root_namespace = "roots";
  EXPECT_EQ(Said(SnapshotOf(Policy("shop/p", "namespaces: [roots]"), {}, options)), "");
}

TEST(PodReferences, ToCallersAreGoodWhereSomebodyHasTheAccount) {
  const std::string policy = Policy("shop/p", "principals: [cluster.local/ns/crowd/sa/web]");
  EXPECT_EQ(Said(SnapshotOf(policy)),
            "AuthorizationPolicy shop/p: Referenced service account not found: \"cluster.local/ns/crowd/sa/web\" "
            "(correct the principal, or create the ServiceAccount and pods that have it; until then it matches no "
            "caller)\n");
  EXPECT_EQ(Said(SnapshotOf(policy + Object("ServiceAccount", "crowd/web"))), "");
  EXPECT_EQ(Said(SnapshotOf(policy + Pods("Job", "crowd/x", "web"))), "");
  EXPECT_EQ(Said(SnapshotOf(policy, {RunningPod("x", "x", {}, "10.0.0.1", "web", "crowd")})), "");
  EXPECT_EQ(Said(SnapshotOf(policy + Object("ServiceEntry", "crowd/e",
                                            "spec: {hosts: [a.com], ports: [{number: 80, name: http}], resolution: "
                                            "STATIC, endpoints: [{address: 10.1.0.1, serviceAccount: web}]}\n"))),
            "");
}

TEST(PodReferences, ToCallersAreNotToldOfPatternsAndOtherTrustDomains) {
  for (const char* source :
       {"principals: ['*']", "principals: ['*/ns/crowd/sa/web']", "principals: ['cluster.local/ns/crowd/*']",
        "principals: [elsewhere/ns/crowd/sa/web]", "principals: [cluster.local/web]",
        "notPrincipals: [cluster.local/ns/crowd/sa/web]", "principals: [cluster.local/ns/shop/sa/default]",
        "principals: [cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account]"}) {
    EXPECT_EQ(Said(SnapshotOf(Policy("shop/p", source))), "") << source;
  }
}

TEST(PodReferences, ToCallersAreReadInTheTrustDomainOfTheMesh) {
  SnapshotOptions options;
  options.mesh.trust_domain = "td";
  for (const std::string domain : {"td", "cluster.local"}) {
    const std::string said = Said(SnapshotOf(
        Policy("shop/p", "principals: [" + domain + "/ns/shop/sa/wep]") + Object("ServiceAccount", "shop/web"), {},
        options));
    EXPECT_NE(said.find("(did you mean \"" + domain + "/ns/shop/sa/web\")"), std::string::npos) << said;
  }
}

TEST(PodReferences, ToCallersOfAnotherNamespaceNameTheRightOne) {
  const std::string said = Said(
      SnapshotOf(Policy("shop/p", "principals: [cluster.local/ns/shop/sa/web, cluster.local/ns/crowds/sa/default]") +
                 Object("ServiceAccount", "crowd/web")));
  EXPECT_NE(said.find("(did you mean \"cluster.local/ns/crowd/sa/web\")"), std::string::npos) << said;
  EXPECT_NE(said.find("(did you mean \"cluster.local/ns/crowd/sa/default\")"), std::string::npos) << said;
}

TEST(PodReferences, AreToldOnceOfACallerThatAPolicyNamesTwice) {
  const SnapshotRef snapshot = SnapshotOf(
      Object("AuthorizationPolicy", "shop/p",
             "spec: {rules: [{from: [{source: {namespaces: [crowd]}}, {source: {namespaces: [crowd]}}]}]}\n"));
  EXPECT_EQ(CheckPodReferences(*snapshot).size(), 1U);
  const auto policies = snapshot->PoliciesOf("shop", {});
  ASSERT_EQ(policies.size(), 1U);
  EXPECT_FALSE(policies[0]->invalid) << "it is in force as it is written";
  EXPECT_EQ(policies[0]->rules.at(0).from.size(), 2U);
}

class TargetPorts : public ::testing::Test {
 protected:
  static std::string SaidOf(const std::string& more, std::vector<Workload> workloads = {}) {
    return Said(SnapshotOf(
        Object("Service", "shop/s", "spec: {selector: {app: a}, ports: [{port: 80, targetPort: web}]}\n") + more,
        std::move(workloads)));
  }
  static Workload Running(const std::string& port) {
    Workload pod = RunningPod("x", "x", {{"app", "a"}}, "10.0.0.1", "default", "shop");
    pod.ports = {{.name = port, .port = 1}};
    return pod;
  }
  static constexpr char kNotFound[] = "Service shop/s: Referenced targetPort not found: \"web\" of port 80";
};

TEST_F(TargetPorts, AreSoughtInPodsThatRunAndInThoseToCome) {
  EXPECT_EQ(SaidOf(Pods("Deployment", "shop/x", "", "{name: web, containerPort: 1}")), "");
  EXPECT_EQ(SaidOf("", {Running("web")}), "");
  EXPECT_EQ(SaidOf(Pods("Deployment", "shop/x", "", "{name: web, containerPort: 1}"), {Running("old")}), "")
      << "pods are being replaced";
  const std::string said = SaidOf(Pods("Deployment", "shop/x", "", "{name: new, containerPort: 1}"), {Running("old")});
  EXPECT_TRUE(said.starts_with(kNotFound)) << said;
  EXPECT_NE(said.find("they have new, old:"), std::string::npos) << said;
  Workload ending = Running("web");
  ending.ending = true;
  EXPECT_TRUE(SaidOf(Pods("Deployment", "shop/x", ""), {ending}).starts_with(kNotFound));
}

TEST_F(TargetPorts, AreNotSoughtWhereTheServiceSelectsNothing) {
  EXPECT_EQ(SaidOf(""), "");
  EXPECT_EQ(SaidOf(Pods("Deployment", "other/x", "", "{name: wep, containerPort: 1}")), "");
  EXPECT_EQ(Said(SnapshotOf(Object("Service", "shop/s", "spec: {ports: [{port: 80, targetPort: web}]}\n") +
                            Pods("Deployment", "shop/x", ""))),
            "");
}

TEST_F(TargetPorts, OfSidecarsCountAndThoseOfInitContainersDoNot) {
  const auto pod = [](const std::string& policy) {
    return Object("Pod", "shop/x, labels: {app: a}",
                  "spec: {initContainers: [{name: i, image: i, " + policy +
                      "ports: [{name: web, containerPort: 1}]}], containers: [{name: c, image: i}]}\n");
  };
  EXPECT_EQ(SaidOf(pod("restartPolicy: Always, ")), "");
  EXPECT_TRUE(SaidOf(pod("")).starts_with(kNotFound));
}

}  // namespace
}  // namespace plait::control::model
