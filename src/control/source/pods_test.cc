#include "control/source/pods.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/model/decode.h"
#include "control/source/pod_json.h"
#include "control/source/supervisor_channel.h"
#include "core/io/socket.h"

namespace plait::control::source {
namespace {
using namespace std::chrono_literals;

constexpr char kDeployment[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {plait.dev/exec.main: '["server", "80"]'}}
    spec:
      serviceAccountName: sa
      containers: [{name: main, image: x, ports: [{name: http, containerPort: 80}], env: [{name: A, value: b}]}]
)";

PodSets Render(const std::string& yaml, const LocalImages& images = {}) {
  return RenderPodSets(model::DecodeText(yaml, "f.yaml").objects, images, {});
}

class Pods : public testing::Test {
 protected:
  std::unique_ptr<PodsController> Controller() {
    return std::make_unique<PodsController>(
        loop_, PodsOptions{.end_delay = 10ms, .new_uid = [this] { return "u" + std::to_string(next_++); }},
        [this] { ++changes_; });
  }
  static std::string Names(const PodsController& pods) {
    std::string out;
    for (const DesiredPod& pod : pods.desired()) out += pod.name + "=" + pod.uid + (pod.ending ? "(ending) " : " ");
    return out;
  }
  static PodStatus Ready(const std::string& uid, const std::string& ip = "10.244.0.9") {
    return {.uid = uid, .ips = {*io::IpAddress::Parse(ip)}, .ready = true, .phase = "Running"};
  }
  io::Loop loop_;
  int changes_ = 0;
  int next_ = 1;
};

TEST_F(Pods, HaveStableNamesAndTheStateOfTheSupervisor) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2 ");
  EXPECT_TRUE(pods->workloads()->empty());
  pods->SetStatuses({Ready("u1"), {.uid = "u2"}});
  ASSERT_EQ(pods->workloads()->size(), 1U);
  const model::Workload& workload = pods->workloads()->front();
  EXPECT_TRUE(workload.ready && workload.meshed);
  EXPECT_EQ(workload.owner, "web");
  EXPECT_EQ(workload.hostname, "web-0");
  EXPECT_EQ(workload.ports.at(0).name, "http");
  EXPECT_TRUE(loop_.RunUntil([&] { return changes_ == 1; }, 1s));
}

TEST_F(Pods, SayNothingWhenTheSameTemplatesComeAgain) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  EXPECT_TRUE(loop_.RunUntil([&] { return changes_ == 1; }, 1s));
  pods->SetTemplates(Render(kDeployment).sets);
  pods->SetStatuses({});
  EXPECT_FALSE(loop_.RunUntil([&] { return changes_ > 1; }, 20ms));
}

TEST_F(Pods, OfAChangedTemplateAreReadyBeforeTheOldOnesEnd) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  pods->SetStatuses({Ready("u1", "10.244.0.1"), Ready("u2", "10.244.0.2")});
  std::string changed = kDeployment;
  changed.replace(changed.find("value: b"), 8, "value: c");
  pods->SetTemplates(Render(changed).sets);
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2 web-2=u3 ") << "one more than wanted";
  pods->SetStatuses({Ready("u1", "10.244.0.1"), Ready("u2", "10.244.0.2"), Ready("u3", "10.244.0.3")});
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2(ending) web-2=u3 web-3=u4 ");
  for (const model::Workload& workload : *pods->workloads())
    EXPECT_EQ(workload.ready, workload.uid != "u2") << "out of the endpoints before it is stopped";
  EXPECT_TRUE(loop_.RunUntil([&] { return Names(*pods) == "web-0=u1 web-2=u3 web-3=u4 "; }, 1s));
}

TEST_F(Pods, FollowReplicasAndDisappear) {
  auto pods = Controller();
  auto sets = Render(kDeployment).sets;
  pods->SetTemplates(sets);
  sets[0].replicas = 1;
  pods->SetTemplates(sets);
  EXPECT_TRUE(loop_.RunUntil([&] { return Names(*pods) == "web-0=u1 "; }, 1s));
  sets[0].replicas = 3;
  pods->SetTemplates(sets);
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u3 web-2=u4 ");
  pods->SetTemplates({});
  EXPECT_TRUE(loop_.RunUntil([&] { return pods->desired().empty(); }, 1s));
}

TEST_F(Pods, GoOnByTheirLastTemplateWhenNothingSaysAnyMoreHowTheyAreRun) {
  std::string other = kDeployment;
  other.replace(other.find("'[\"server\", \"80\"]'"), 18, "sleep infinity");
  const PodSets broken = Render(other);
  ASSERT_EQ(broken.unrendered.size(), 1U);
  EXPECT_NE(broken.findings.at(0).ToString().find("; what runs of it goes on as it is)"), std::string::npos)
      << broken.findings[0].ToString();
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  pods->SetStatuses({Ready("u1"), Ready("u2")});
  const std::vector<DesiredPod> running = pods->desired();
  pods->SetTemplates(broken.sets, broken.unrendered);
  EXPECT_EQ(pods->desired(), running);

  auto next = Controller();
  next->Adopt(running);
  next->SetTemplates(broken.sets, broken.unrendered);
  next->SetStatuses({Ready("u1"), Ready("u2")});
  EXPECT_EQ(next->desired(), running) << "the next plaitd has not seen the template";

  for (PodsController* each : {pods.get(), next.get()}) {
    each->SetTemplates({});
    EXPECT_TRUE(loop_.RunUntil([&] { return each->desired().empty(); }, 1s)) << "deleted, they end";
  }
}

TEST_F(Pods, OfAGatewayThatNothingSaysHowToRunKeepItsPortsAndItsPlace) {
  const std::string gateway =
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
      "spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: "
      "['*']}]}\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: edge, labels: {istio: ingressgateway}, annotations: "
      "{inject.istio.io/templates: gateway}}\nspec: {containers: [{name: helper, image: x}]}\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {sidecar.istio.io/inject: 'false'}}\n"
      "spec: {containers: [{name: c, image: x}]}\n";
  const PodSets sets = Render(gateway);
  EXPECT_EQ(sets.unrendered.size(), 2U);
  EXPECT_EQ(sets.gateway_ports,
            (std::vector<GatewayPort>{{.port = 80, .gateways = {"default/Pod/edge"}, .scheme = "http"}}));
  ASSERT_EQ(sets.sets.size(), 1U) << "no second gateway";
  EXPECT_EQ(sets.sets[0].name, "plait-dns") << "of what has no proxy";
}

TEST_F(Pods, ThatRunAlreadyGoOnWithTheNextPlaitd) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  const std::vector<DesiredPod> running = pods->desired();
  pods = Controller();
  pods->Adopt(running);
  pods->SetStatuses({Ready("u1"), Ready("u2")});
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2 ") << "nothing ends before the templates are known";
  pods->SetTemplates(Render(kDeployment).sets);
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2 ");
  EXPECT_EQ(pods->desired(), running);
  EXPECT_EQ(pods->workloads()->size(), 2U);
}

TEST_F(Pods, OfAnOldTemplateServeOnWhenPlaitdRestartsInTheMiddleOfARollout) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  const std::vector<DesiredPod> running = pods->desired();
  std::string changed = kDeployment;
  changed.replace(changed.find("value: b"), 8, "value: c");
  pods = Controller();
  pods->Adopt(running);
  pods->SetTemplates(Render(changed).sets);
  pods->SetStatuses({Ready("u1", "10.244.0.1"), Ready("u2", "10.244.0.2")});
  EXPECT_EQ(Names(*pods), "web-0=u1 web-1=u2 web-2=u3 ");
  ASSERT_EQ(pods->workloads()->size(), 2U);
  for (const model::Workload& workload : *pods->workloads()) {
    EXPECT_TRUE(workload.ready);
    EXPECT_EQ(workload.labels.at("app"), "web");
    EXPECT_EQ(workload.service_account, "sa");
  }
}

TEST_F(Pods, ThatAreBeingStoppedKeepTheirNamesUntilTheyAreGone) {
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  std::vector<DesiredPod> running = pods->desired();
  running[0].ending = true;
  pods = Controller();
  pods->Adopt(running);
  pods->SetTemplates(Render(kDeployment).sets);
  EXPECT_EQ(Names(*pods), "web-1=u2 web-2=u3 ");
}

TEST_F(Pods, ThatShallEndDoSoWhenAllKnowOrWhenThatTakesTooLong) {
  for (const Duration limit : {Duration(1h), Duration(20ms)}) {
    const auto uid = [this] { return std::to_string(next_++); };
    PodsController pods(loop_, {.end_delay = 10ms, .end_limit = limit, .new_uid = uid}, [] {});
    auto sets = Render(kDeployment).sets;
    pods.SetTemplates(sets);
    const std::vector<DesiredPod> both = pods.desired();
    ASSERT_EQ(both.size(), 2U);
    pods.SetStatuses({Ready(both[0].uid, "10.244.0.1"), Ready(both[1].uid, "10.244.0.2")});
    const auto before = pods.workloads();
    sets[0].replicas = 1;
    pods.SetTemplates(sets);
    EXPECT_TRUE(pods.awaits_knowledge());
    if (limit > 1s) {
      pods.AllKnow(*before);
      const MonotonicTime later = loop_.Now() + 20ms;
      ASSERT_TRUE(loop_.RunUntil([&] { return loop_.Now() >= later; }, 1s));
      EXPECT_EQ(pods.desired().size(), 2U) << "there it was not ending";
      pods.AllKnow(*pods.workloads());
    }
    EXPECT_TRUE(loop_.RunUntil([&] { return pods.desired().size() == 1; }, 1s));
    EXPECT_FALSE(pods.awaits_knowledge());
  }
}

TEST_F(Pods, ThatAreBeingStoppedAreKnownByTheirAddressUntilTheyAreGone) {
  auto pods = Controller();
  auto sets = Render(kDeployment).sets;
  pods->SetTemplates(sets);
  const PodStatus first = Ready("u1", "10.244.0.1");
  const PodStatus second = Ready("u2", "10.244.0.2");
  pods->SetStatuses({first, second});
  sets[0].replicas = 1;
  pods->SetTemplates(sets);
  const auto known = [&] { return pods->workloads(); };
  ASSERT_EQ(known()->size(), 2U);
  const model::Workload ending = known()->at(1);
  EXPECT_TRUE(ending.ending && !ending.ready);
  ASSERT_TRUE(loop_.RunUntil([&] { return Names(*pods) == "web-0=u1 "; }, 1s)) << "the supervisor stops it";
  ASSERT_EQ(known()->size(), 2U) << "its requests and its proxy's last ones are still going on";
  EXPECT_EQ(known()->at(1), ending);

  // The same for the plaitd after this one.
  std::vector<DesiredPod> running = pods->desired();
  running.push_back(running[0]);
  running[1].uid = "u2";
  running[1].name = "web-1";
  running[1].index = 1;
  running[1].ending = true;
  auto next = Controller();
  next->Adopt(running);
  next->SetTemplates(sets);
  next->SetStatuses({first, second});
  ASSERT_EQ(next->workloads()->size(), 2U);
  EXPECT_EQ(next->workloads()->at(1), ending);

  pods->SetStatuses({first});
  ASSERT_EQ(known()->size(), 1U);
  EXPECT_EQ(known()->at(0).name, "web-0");
}

TEST_F(Pods, TakeTheirCommandFromAnnotationImageOrContainer) {
  LocalImages images;
  model::Findings findings;
  images.Add("images: {db: [play, db]}", "local.yaml", findings);
  const auto pod = [&](const std::string& container) {
    const PodSets sets = Render(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, " + container + "}]}\n", images);
    return sets.sets.empty() ? std::vector<std::string>{} : sets.sets[0].pod.containers[0].argv;
  };
  using Argv = std::vector<std::string>;
  EXPECT_EQ(pod("image: 'r/db:1'"), (Argv{"play", "db"}));
  EXPECT_EQ(pod("image: 'r/db:1', args: [x]"), (Argv{"play", "db", "x"}));
  EXPECT_EQ(pod("image: 'r/db:1', command: [own], args: [x]"), (Argv{"own", "x"}));
  EXPECT_EQ(pod("image: other"), Argv{});
  const PodSets none =
      Render("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: other}]}\n");
  ASSERT_EQ(none.findings.size(), 1U);
  EXPECT_NE(none.findings[0].ToString().find("nothing says which program plays the image other"), std::string::npos);
}

TEST(PodTemplates, NeedNoProgramWhereNothingIsRun) {
  const auto decoded = model::DecodeText(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
      "spec: {initContainers: [{name: i, image: first}],\n"
      "       containers: [{name: c, image: other, args: [x], ports: [{containerPort: 80}]}]}\n",
      "f.yaml");
  const PodSets sets = RenderPodSets(decoded.objects, {}, {}, Programs::kOptional);
  EXPECT_TRUE(sets.findings.empty());
  ASSERT_EQ(sets.sets.size(), 1U);
  EXPECT_EQ(sets.sets[0].pod.containers.at(0).ports.at(0).port, 80);
}

constexpr char kWithInit[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers:
  - {name: istio-init, image: istio/proxyv2:1.30}
  - {name: migrate, image: x, command: [migrate]}
  - {name: istio-proxy, image: auto, restartPolicy: Always}
  - {name: logs, image: x, command: [ship], restartPolicy: Always, ports: [{name: http-logs, containerPort: 9000}]}
  containers: [{name: c, image: x, command: [serve]}]
)";

TEST_F(Pods, HaveInitContainersExceptWhatIsTheMeshesOwn) {
  const PodSets sets = Render(kWithInit);
  ASSERT_EQ(sets.sets.size(), 1U);
  const PodTemplate& pod = sets.sets[0].pod;
  ASSERT_EQ(pod.init_containers.size(), 2U);
  EXPECT_EQ(pod.init_containers[0].name, "migrate");
  EXPECT_FALSE(pod.init_containers[0].sidecar);
  EXPECT_EQ(pod.init_containers[1].name, "logs");
  EXPECT_TRUE(pod.init_containers[1].sidecar);
  const auto same = DecodePod(EncodePod({.uid = "u", .name = "p", .spec = pod}));
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->spec, pod);

  auto pods = Controller();
  pods->SetTemplates(sets.sets);
  pods->SetStatuses({Ready("u1")});
  ASSERT_EQ(pods->workloads()->size(), 1U);
  ASSERT_EQ(pods->workloads()->front().ports.size(), 1U) << "a sidecar serves beside the others";
  EXPECT_EQ(pods->workloads()->front().ports[0].name, "http-logs");
}

constexpr const char* kWithHooks = R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  hostAliases: [{ip: 10.0.0.1, hostnames: [db]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [10.0.0.2], searches: [a.example], options: [{name: ndots, value: "2"}]}
  containers:
  - name: c
    image: x
    command: [serve]
    lifecycle:
      postStart: {httpGet: {port: 9000, path: /warm, httpHeaders: [{name: a, value: b}]}}
      preStop: {sleep: {seconds: 7}}
)";

TEST_F(Pods, AreTheSameAfterTheSupervisorHasToldOfThemWithTheirHooksAndNames) {
  const PodSets sets = Render(kWithHooks);
  ASSERT_EQ(sets.sets.size(), 1U);
  const PodTemplate& pod = sets.sets[0].pod;
  ASSERT_TRUE(pod.containers.at(0).post_start && pod.containers.at(0).pre_stop);
  EXPECT_EQ(pod.dns.policy, "None");
  EXPECT_EQ(pod.host_aliases.size(), 1U);
  const auto same = DecodePod(EncodePod({.uid = "u", .name = "p", .spec = pod}));
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->spec, pod);
}

TEST_F(Pods, AreReplacedForOtherHooksAndNames) {
  const std::string before = Render(kWithHooks).sets.at(0).hash;
  for (const auto& [from, to] :
       std::initializer_list<std::pair<std::string, std::string>>{{"10.0.0.1", "10.0.0.9"},
                                                                  {"[db]", "[da]"},
                                                                  {"None", "Default"},
                                                                  {"a.example", "b.example"},
                                                                  {"\"2\"", "\"3\""},
                                                                  {"/warm", "/hot"},
                                                                  {"value: b", "value: c"},
                                                                  {"seconds: 7", "seconds: 8"},
                                                                  {"      preStop: {sleep: {seconds: 7}}\n", ""}}) {
    std::string edited = kWithHooks;
    edited.replace(edited.find(from), from.size(), to);
    EXPECT_NE(Render(edited).sets.at(0).hash, before) << to;
  }
}

TEST_F(Pods, TakeVariablesFromConfigMapsAndSecrets) {
  const PodSets sets = Render(R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOR: red, SIZE: "7"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: t}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: x
    command: [serve]
    envFrom:
    - {configMapRef: {name: settings}}
    - {prefix: KEY_, secretRef: {name: keys}}
    - {configMapRef: {name: nowhere, optional: true}}
    - {secretRef: {name: lost}}
    env:
    - {name: SIZE, value: "8"}
    - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
    - {name: MAYBE, valueFrom: {configMapKeyRef: {name: settings, key: none, optional: true}}}
    - {name: MISSING, valueFrom: {configMapKeyRef: {name: settings, key: none}}}
)");
  ASSERT_EQ(sets.sets.size(), 1U);
  std::string variables;
  for (const model::EnvVar& variable : sets.sets[0].pod.containers[0].env)
    variables += variable.name + "=" + variable.value + " ";
  EXPECT_EQ(variables, "COLOR=red SIZE=7 KEY_token=t SIZE=8 TOKEN=t MISSING= ");
  ASSERT_EQ(sets.findings.size(), 2U);
  EXPECT_NE(sets.findings[0].ToString().find("envFrom: there is no Secret lost"), std::string::npos);
  EXPECT_NE(sets.findings[1].ToString().find("variable MISSING: there is no key none in ConfigMap settings"),
            std::string::npos);
}

constexpr char kWithVolumes[] = R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {app.conf: "color = red", ../bad: x}
binaryData: {logo: //79}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: t, other: o}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: x
    command: [serve]
    volumeMounts:
    - {name: scratch, mountPath: /scratch, subPath: c}
    - {name: settings, mountPath: /etc/app}
    - {name: all, mountPath: /all}
    - {name: nowhere, mountPath: /nowhere}
  volumes:
  - {name: scratch, emptyDir: {}}
  - {name: settings, configMap: {name: settings, defaultMode: 0444}}
  - name: all
    projected:
      sources:
      - {secret: {name: keys, items: [{key: token, path: a/token, mode: 0400}, {key: lost, path: b}]}}
      - {downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
      - {configMap: {name: maybe, optional: true}}
  - {name: unused, configMap: {name: istio-ca-root-cert}}
  - {name: nowhere, secret: {secretName: nothing}}
)";

TEST_F(Pods, HaveVolumesWithWhatConfigMapsAndSecretsHold) {
  const PodSets sets = Render(kWithVolumes);
  ASSERT_EQ(sets.sets.size(), 1U);
  const PodTemplate& pod = sets.sets[0].pod;
  ASSERT_EQ(pod.volumes.size(), 4U) << "what nobody mounts is not looked for";
  EXPECT_EQ(pod.volumes[0], (ResolvedVolume{.name = "scratch", .empty_dir = true, .files = {}}));
  EXPECT_EQ(pod.volumes[1].files,
            (std::vector<VolumeFile>{{"app.conf", "color = red", "", 0444}, {"logo", "\xff\xfe\xfd", "", 0444}}));
  EXPECT_EQ(pod.volumes[2].files,
            (std::vector<VolumeFile>{{"a/token", "t", "", 0400}, {"labels", "", "metadata.labels", 0644}}));
  EXPECT_TRUE(pod.volumes[3].files.empty());
  EXPECT_EQ(pod.containers[0].mounts.size(), 4U);
  ASSERT_EQ(sets.findings.size(), 2U);
  EXPECT_NE(sets.findings[0].ToString().find("volume all: there is no key lost in Secret keys"), std::string::npos);
  EXPECT_NE(sets.findings[1].ToString().find("volume nowhere: there is no Secret nothing"), std::string::npos);

  const auto same = DecodePod(EncodePod({.uid = "u", .name = "p", .spec = pod}));
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->spec, pod);
  std::string edited = kWithVolumes;
  edited.replace(edited.find("red"), 3, "tan");
  EXPECT_NE(Render(edited).sets.at(0).hash, sets.sets[0].hash) << "an edited ConfigMap replaces its pods";
}

TEST_F(Pods, IncludeTheIngressGatewayThatAGatewaySelects) {
  const std::string gateway =
      "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {istio: "
      "ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n";
  const PodSets sets = Render(gateway);
  ASSERT_EQ(sets.sets.size(), 1U);
  EXPECT_EQ(sets.sets[0].Key(), "istio-system/istio-ingressgateway");
  EXPECT_EQ(sets.sets[0].pod.proxy, ProxyKind::kGateway);
  EXPECT_EQ(
      sets.gateway_ports,
      (std::vector<GatewayPort>{{.port = 80, .gateways = {"istio-system/istio-ingressgateway"}, .scheme = "http"}}));
  EXPECT_TRUE(Render(kDeployment).gateway_ports.empty());
}

constexpr char kPlain[] = R"(
---
apiVersion: v1
kind: Pod
metadata: {name: plain, annotations: {sidecar.istio.io/inject: "false", plait.dev/exec.c: '["sleep", "1"]'}}
spec: {containers: [{name: c, image: x}]}
)";

TEST_F(Pods, WithoutAProxyGetTheNamesOfTheMeshFromOneThatIsMadeForThem) {
  EXPECT_EQ(Render(kDeployment).sets.size(), 1U) << "nobody needs it";
  const PodSets sets = Render(std::string(kDeployment) + kPlain);
  ASSERT_EQ(sets.sets.size(), 3U);
  const auto dns =
      std::find_if(sets.sets.begin(), sets.sets.end(), [](const PodSet& set) { return set.name == "plait-dns"; });
  ASSERT_NE(dns, sets.sets.end());
  EXPECT_EQ(dns->pod.proxy, ProxyKind::kDns);
  EXPECT_EQ(dns->pod.name_space, "plait-system");
  auto pods = Controller();
  pods->SetTemplates(sets.sets);
  EXPECT_NE(EncodeDesired(pods->desired()).find("\"proxy\":\"dns\""), std::string::npos);
}

TEST_F(Pods, ThatAreReadyAreTheEndpointsOfServiceAddresses) {
  const std::string services = R"(
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: pods}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 81}]}
)";
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  pods->SetStatuses({Ready("u1", "10.244.0.2"), {.uid = "u2", .ips = {*io::IpAddress::Parse("10.244.0.3")}}});
  const auto objects = model::DecodeText(kDeployment + services, "f.yaml").objects;
  const std::string line = EncodeServices(*model::Snapshot::Build(objects, pods->workloads(), {}));
  EXPECT_NE(line.find(R"({"at":"10.96.7.7:80","endpoints":["10.244.0.2:80"],"udp":false})"), std::string::npos) << line;
  EXPECT_EQ(line.find(":81"), std::string::npos) << "a headless service has no address";
}

TEST_F(Pods, AreToldToTheSupervisorAndTheirStateComesBack) {
  auto [ours, theirs] = io::StreamPair(loop_);
  std::vector<PodStatus> seen;
  SupervisorChannel channel(std::move(ours),
                            {.on_status = [&](std::vector<PodStatus> s) { seen = std::move(s); }, .on_closed = {}});
  auto pods = Controller();
  pods->SetTemplates(Render(kDeployment).sets);
  channel.Send(pods->desired());
  Buffer received;
  ASSERT_TRUE(
      loop_.RunUntil([&] { return theirs->Read(received, 65536) && received.Find("\n") != std::string::npos; }, 1s));
  const std::string line = received.ToString();
  EXPECT_NE(line.find("\"argv\":[\"server\",\"80\"]"), std::string::npos) << line;
  EXPECT_NE(line.find("\"proxy\":true"), std::string::npos);
  Buffer answer(
      "{\"type\":\"status\",\"pods\":[{\"uid\":\"u1\",\"ips\":[\"10.244.0.5\",\"fd00:10:244::5\"],\"ready\":true,"
      "\"phase\":\"Running\"}]}\n{\"type\":\"sta");
  ASSERT_TRUE(theirs->Write(answer));
  ASSERT_TRUE(loop_.RunUntil([&] { return !seen.empty(); }, 1s));
  EXPECT_EQ(seen[0].ips.size(), 2U);
  EXPECT_FALSE(DecodeSupervisorMessage("{\"type\":\"status\",\"pods\":5}"));
}

}  // namespace
}  // namespace plait::control::source
