#include "control/model/decode.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>

#include "control/model/testing_objects.h"
#include "testing/source_dir.h"

namespace plait::control::model {
namespace {
using namespace std::chrono_literals;

Decoded Read(const std::string& text) { return DecodeText(text, "f.yaml"); }
std::string Said(const Decoded& decoded) { return testing::Said(decoded.findings); }
template <class T>
const T& Only(const Decoded& decoded) {
  EXPECT_EQ(decoded.objects.size(), 1U) << Said(decoded);
  return std::get<T>(*decoded.objects.at(0));
}
std::string ReadFile(const std::string& path) {
  std::ifstream in(std::string(plait::testing::SourceDir()) + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}
std::string Virtual(const std::string& spec) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [reviews]\n" +
         spec;
}
std::string Policy(const std::string& spec) {
  return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n" +
         spec;
}

TEST(Decode, ReadsTheSamples) {
  std::size_t objects = 0;
  for (const char* file :
       {"bookinfo.yaml", "gateway.yaml", "policy.yaml", "destination-rules.yaml", "reviews-split.yaml"}) {
    const Decoded decoded = DecodeText(ReadFile(std::string("samples/bookinfo/") + file), file);
    EXPECT_EQ(Said(decoded), "") << file;
    objects += decoded.objects.size();
  }
  EXPECT_GT(objects, 20U);
}

TEST(Decode, ReadsAServiceAndItsProtocols) {
  const Decoded decoded = Read(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, creationTimestamp: null, managedFields: [{manager: x, fieldsV1: {"f:a": {}}}]}
spec:
  clusterIP: None
  selector: {app: web}
  ports:
  - {name: http-main, port: 80, targetPort: main}
  - {name: raw, port: 3306}
  - {name: x, port: 9000, appProtocol: grpc}
status: {loadBalancer: {}}
)");
  const Service& service = Only<Service>(decoded);
  EXPECT_EQ(Said(decoded), "");
  EXPECT_TRUE(service.headless);
  EXPECT_EQ(service.ports[0].target_name, "main");
  EXPECT_EQ(service.ports[0].protocol, Protocol::kHttp);
  EXPECT_EQ(service.ports[1].protocol, Protocol::kTcp) << "the server speaks first on 3306";
  EXPECT_EQ(service.ports[2].protocol, Protocol::kGrpc);
  EXPECT_EQ(service.meta.at, (Position{"f.yaml", 4, 18}));
}

TEST(Decode, ReadsADeploymentWithProbesAndEnvironment) {
  const Decoded decoded = Read(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  replicas: 2
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a, version: v1}, annotations: {plait.dev/exec.main: '["x"]'}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: main
        image: r/a:1
        ports: [{name: http, containerPort: 80}]
        env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: K, valueFrom: {secretKeyRef: {name: s, key: k}}}]
        resources: {limits: {cpu: 1, memory: 64Mi}}
        livenessProbe: {httpGet: {path: /live, port: http}, periodSeconds: 3}
        volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
)");
  EXPECT_EQ(Said(decoded), "");
  const Deployment& deployment = Only<Deployment>(decoded);
  const Container& container = deployment.pod.spec.containers.at(0);
  EXPECT_EQ(deployment.replicas, 2U);
  EXPECT_EQ(deployment.pod.spec.grace_seconds, 5U);
  EXPECT_EQ(container.mounts.at(0), (VolumeMount{.volume = "tmp", .path = "/tmp"}));
  EXPECT_TRUE(deployment.pod.spec.volumes.at(0).empty_dir);
  EXPECT_EQ(container.env[0].field, "status.podIP");
  EXPECT_EQ(container.env[1].secret, "s");
  ASSERT_TRUE(container.liveness);
  EXPECT_EQ(container.liveness->port, 80);
  EXPECT_EQ(container.liveness->period, 3s);
}

TEST(Decode, TellsWhatAProcessDoesNotHaveOfItsPod) {
  EXPECT_EQ(
      Said(Read(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata:
      labels: {app: a}
      annotations:
        proxy.istio.io/config: |
          proxyMetadata: {SECRET_TTL: 1h, ISTIO_META_X: "y"}
          concurrency: 4
          holdApplicationUntilProxyStarts: true
          concurency: 4
    spec:
      dnsConfig: {nameservers: [10.0.0.1]}
      containers:
      - name: main
        image: a
        lifecycle: {postStart: {tcpSocket: {port: 1}}, preStop: {httpGet: {port: 1, host: example.com}}, stopSignal: SIGUSR1}
        volumeMounts: [{name: v, mountPath: /v}]
      - {name: istio-proxy, image: auto, lifecycle: {}}
      volumes: [{name: v, downwardAPI: {items: [{path: cpu, resourceFieldRef: {resource: limits.cpu}}]}}]
)")),
      "Warning [IST0133] f.yaml:15:11: Deployment default/a: proxy.istio.io/config: unknown field \"concurency\" "
      "(did you mean \"concurrency\"?)\n"
      "Warning [IST0133] f.yaml:13:24: Deployment default/a: proxy.istio.io/config: \"concurrency\" is not "
      "honoured yet (remove it, or set it for all proxies in MeshConfig.defaultConfig; plait docs configuration "
      "MeshConfig lists what is honoured)\n"
      "Warning [IST0133] f.yaml:12:57: Deployment default/a: proxy.istio.io/config: "
      "\"proxyMetadata.ISTIO_META_X\" is not honoured yet (remove it, or set it for all proxies in "
      "MeshConfig.defaultConfig; plait docs configuration MeshConfig lists what is honoured)\n"
      "Warning [IST0133] f.yaml:21:118: Deployment default/a: stopSignal is not honoured: SIGTERM is the signal "
      "(remove it, or send it in preStop)\n"
      "Warning f.yaml:21:44: Deployment default/a: Kubernetes runs no hook of tcpSocket: it fails "
      "whenever it is called (use exec, httpGet or sleep)\n"
      "Warning [IST0133] f.yaml:21:91: Deployment default/a: the host of a hook is not honoured: the pod itself is "
      "asked (remove it, or use exec)\n"
      "Warning [IST0133] f.yaml:24:49: Deployment default/a: the volume v is mounted without cpu: only fieldRef "
      "is honoured (write the number into a ConfigMap, or remove the item)\n"
      "Warning [IST0133] f.yaml:17:32: Deployment default/a: nameservers are not honoured: the mesh's DNS has all "
      "questions of the pod, and asks the resolvers of this host what is not of the mesh (name what these do not "
      "know in hostAliases or a ServiceEntry)\n");
  EXPECT_EQ(Said(Read("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{name: u, port: 1, protocol: "
                      "UDP}, {name: s, port: 2, protocol: SCTP}]}\n")),
            "Warning [IST0133] f.yaml:4:45: Service default/a: port 1 is of UDP, which proxies do not carry (workloads "
            "without a proxy reach it; others call the pods at their own addresses)\n"
            "Warning [IST0133] f.yaml:4:80: Service default/a: port 2 is of SCTP, which is not honoured: nobody "
            "reaches it (use TCP)\n");
}

TEST(Decode, ReadsHooksAndNamesOfAPod) {
  const Decoded decoded = Read(R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  hostAliases: [{ip: 10.0.0.1, hostnames: [db.example.com, db]}, {ip: "fd01::1", hostnames: [six]}]
  dnsPolicy: Default
  dnsConfig: {searches: [a.example, .], options: [{name: ndots, value: "2"}, {name: edns0}]}
  containers:
  - name: c
    image: i
    ports: [{name: admin, containerPort: 9000}]
    lifecycle:
      postStart: {exec: {command: [touch, /tmp/x]}}
      preStop: {httpGet: {port: admin, path: /quit, scheme: HTTPS, httpHeaders: [{name: a, value: b}]}}
  - {name: d, image: i, lifecycle: {preStop: {sleep: {seconds: 7}}}}
)");
  EXPECT_EQ(Said(decoded), "");
  const PodSpec& pod = Only<Pod>(decoded).spec;
  EXPECT_EQ(pod.host_aliases, (std::vector<HostAlias>{{"10.0.0.1", {"db.example.com", "db"}}, {"fd01::1", {"six"}}}));
  EXPECT_EQ(pod.dns,
            (PodDns{.policy = "Default", .searches = {"a.example", "."}, .options = {{"ndots", "2"}, {"edns0", ""}}}));
  EXPECT_EQ(pod.containers.at(0).post_start, (Hook{.argv = {"touch", "/tmp/x"}}));
  EXPECT_EQ(
      pod.containers.at(0).pre_stop,
      (Hook{.kind = Hook::Kind::kHttp, .port = 9000, .path = "/quit", .scheme = "HTTPS", .headers = {{"a", "b"}}}));
  EXPECT_FALSE(pod.containers.at(1).post_start);
  EXPECT_EQ(pod.containers.at(1).pre_stop, (Hook{.kind = Hook::Kind::kSleep, .sleep = 7s}));
}

TEST(Decode, RefusesHooksAndNamesAsKubernetesDoes) {
  for (const auto& [spec, container, said] : std::initializer_list<std::array<std::string, 3>>{
           {"hostAliases: [{ip: nowhere, hostnames: [x]}]", "", "\"nowhere\" is no IP address"},
           {"hostAliases: [{ip: 10.0.0.1, hostnames: ['*.x']}]", "", "\"*.x\" is no name of a host"},
           {"dnsPolicy: Sometimes", "", "there is no DNS policy \"Sometimes\""},
           {"dnsPolicy: None", "", "refuses the DNS policy None without nameservers"},
           {"dnsConfig: {searches: ['a b']}", "", "\"a b\" is no domain"},
           {"dnsConfig: {options: [{value: '1'}]}", "", "\"\" with the value \"1\" is no option"},
           {"", "lifecycle: {preStop: {}}", "a hook is one of exec, httpGet and sleep"},
           {"", "lifecycle: {postStart: {exec: {command: [a]}, sleep: {seconds: 1}}}", "a hook is one of"},
           {"", "lifecycle: {preStop: {sleep: {seconds: -1}}}", "cannot sleep less than no time"},
           {"", "lifecycle: {preStop: {httpGet: {port: http}}}", "has no port named \"http\""}}) {
    const Decoded decoded = Read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: "
        "i, " +
        container + "}]\n  " + spec + "\n");
    EXPECT_TRUE(decoded.objects.empty()) << spec << container;
    EXPECT_NE(Said(decoded).find(said), std::string::npos) << Said(decoded);
  }
}

std::string PodWith(const std::string& mounts, const std::string& volumes) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: i, volumeMounts: [" +
         mounts + "]}]\n  volumes: [" + volumes + "]\n";
}

TEST(Decode, ReadsFilesOfVolumes) {
  const Decoded decoded = Read(PodWith(
      "{name: a, mountPath: /etc/a, subPath: x/y, readOnly: true}, {name: all, mountPath: /all}",
      "{name: a, configMap: {name: m, defaultMode: 0440, optional: true, items: [{key: k, path: d/f, mode: 0400}]}}, "
      "{name: all, projected: {defaultMode: 0600, sources: [{secret: {name: s}}, {downwardAPI: {items: [{path: name, "
      "fieldRef: {fieldPath: metadata.name}}]}}]}}"));
  EXPECT_EQ(Said(decoded), "");
  const PodSpec& pod = Only<Pod>(decoded).spec;
  EXPECT_EQ(pod.containers.at(0).mounts.at(0),
            (VolumeMount{.volume = "a", .path = "/etc/a", .sub_path = "x/y", .read_only = true}));
  ASSERT_EQ(pod.volumes.size(), 2U);
  EXPECT_EQ(pod.volumes[0],
            (Volume{.name = "a",
                    .default_mode = 0440,
                    .sources = {{.config_map = "m", .items = {{"k", "d/f", 0400}}, .optional = true}}}));
  EXPECT_EQ(pod.volumes[1],
            (Volume{.name = "all",
                    .default_mode = 0600,
                    .sources = {{.secret = "s"}, {.items = {{.key = "metadata.name", .path = "name"}}}}}));
}

TEST(Decode, SaysOnceWhichVolumesAProcessCannotHave) {
  EXPECT_EQ(
      Said(Read(PodWith("{name: d, mountPath: /d}, {name: h, mountPath: /h}",
                        "{name: d, persistentVolumeClaim: {claimName: c}}, {name: h, hostPath: {path: /}}, {name: "
                        "unused, hostPath: {path: /}}"))),
      "Info f.yaml:6:12: Pod default/p: volumes are not mounted when the pod runs as a process: d "
      "(persistentVolumeClaim), h "
      "(hostPath)\n");
}

TEST(Decode, RefusesVolumesAsKubernetesDoes) {
  const std::string empty = "{name: v, emptyDir: {}}";
  for (const auto& [mounts, volumes, said] : std::initializer_list<std::array<std::string, 3>>{
           {"{name: v, mountPath: etc}", empty, "\"etc\" is no absolute path"},
           {"{name: v, mountPath: /a/../b}", empty, "\"/a/../b\" is no absolute path"},
           {"{name: v, mountPath: /a, subPath: ../b}", empty, "\"../b\" is no path within the volume"},
           {"{name: v, mountPath: /a, subPathExpr: $(X)}", empty, "subPathExpr is not honoured yet"},
           {"{name: w, mountPath: /a}", empty, "the pod has no volume \"w\""},
           {"", "{name: ../v, emptyDir: {}}", "\"../v\" is not the name of a volume"},
           {"", "{name: v, configMap: {defaultMode: 0400}}", "has no name of what is mounted"},
           {"", "{name: v, secret: {secretName: s, defaultMode: 1000}}", "the mode 1000 is not between 0 and 0777"},
           {"", "{name: v, secret: {secretName: s, items: [{key: k, path: /etc}]}}", "\"/etc\" is no path within"},
           {"", "{name: v, configMap: {name: m, items: [{key: k, path: a/..}]}}", "\"a/..\" is no path within"}}) {
    EXPECT_NE(Said(Read(PodWith(mounts, volumes))).find(said), std::string::npos)
        << said << " not in " << Said(Read(PodWith(mounts, volumes)));
  }
}

TEST(Decode, OpensListsAndIgnoresForeignKinds) {
  const Decoded decoded = Read(R"({apiVersion: v1, kind: List, items: [
    {apiVersion: v1, kind: Namespace, metadata: {name: a}},
    {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: b}}]})");
  EXPECT_EQ(decoded.objects.size(), 1U);
  EXPECT_EQ(decoded.ignored_kinds, std::vector<std::string>{"helm.toolkit.fluxcd.io/v2 HelmRelease"});
  EXPECT_EQ(Said(decoded), "");
}

TEST(Decode, SaysWhatToDoWithWrongObjects) {
  EXPECT_EQ(Said(Read("apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: g}\n")),
            "Error [IST0106] f.yaml:1:13: Gateway has no version \"v2\" (use networking.istio.io/v1)\n");
  EXPECT_EQ(Said(Read("kind: Service\n")),
            "Error [IST0106] f.yaml:1:1: \"apiVersion\" is missing (every object begins with apiVersion and kind)\n");
  EXPECT_NE(Said(Read("apiVersion: v1\nkind: Service\nmetadata: {}\n")).find("metadata.name is missing"),
            std::string::npos);
  EXPECT_NE(Said(Read("apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s}\n"))
                .find("is not honoured yet; it is ignored"),
            std::string::npos);
  EXPECT_EQ(Said(Read("apiVersion: security.istio.io/v1\nkind: AuthorizationPolice\nmetadata: {name: p}\n")),
            "Error [IST0106] f.yaml:2:7: unknown kind AuthorizationPolice (did you mean \"AuthorizationPolicy\"?)\n");
  EXPECT_EQ(Said(Read("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n")),
            "Error [IST0106] f.yaml:4:8: Service default/a: unknown field \"spec.prots\" (did you mean \"ports\"?)\n");
}

TEST(Decode, ReadsAVirtualService) {
  const Decoded decoded = Read(Virtual(R"(  gateways: [mesh, gw]
  http:
  - match: [{uri: {prefix: /a}, headers: {End-User: {exact: jason}}, queryParams: {q: {regex: "x.*"}}}]
    route: [{destination: {host: reviews, subset: v2, port: {number: 80}}, weight: 80}, {destination: {host: reviews}, weight: 20}]
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: 5xx}
    fault: {abort: {httpStatus: 503, percentage: {value: 10}}}
    headers: {request: {set: {x: z}}, response: {remove: [z]}}
  - redirect: {uri: /b, redirectCode: 307}
)"));
  EXPECT_EQ(Said(decoded), "");
  const VirtualService& service = Only<VirtualService>(decoded);
  EXPECT_EQ(service.gateways, (std::vector<std::string>{"mesh", "default/gw"}));
  ASSERT_EQ(service.http.size(), 2U);
  EXPECT_TRUE(service.http[0].matches[0].headers.contains("end-user"));
  EXPECT_EQ(service.http[0].destinations[0].weight, 80U);
  EXPECT_EQ(service.http[0].timeout, 5s);
  EXPECT_EQ(service.http[0].retries->attempts, 3U);
  EXPECT_EQ(service.http[0].fault->abort_percent, 10);
  EXPECT_EQ(service.http[1].redirect->code, 307);
}

TEST(Decode, TellsOfAMatchForAGatewayOnWhichItsVirtualServiceIsNot) {
  const std::string route = "route: [{destination: {host: a}}]}\n";
  const Decoded decoded =
      Read(Virtual("  gateways: [gw]\n  tls:\n  - {match: [{sniHosts: [reviews], gateways: [gw, other]}], " + route +
                   "  tcp:\n  - {match: [{gateways: [mesh]}], " + route));
  EXPECT_EQ(Said(decoded),
            "Warning [IST0133] f.yaml:8:51: VirtualService default/v: the gateway \"default/other\" is not among "
            "spec.gateways, so nothing comes from it (add it there)\n"
            "Warning [IST0133] f.yaml:10:26: VirtualService default/v: the gateway \"mesh\" is not among "
            "spec.gateways, so nothing comes from it (add it there)\n");
  EXPECT_EQ(Said(Read(Virtual("  http:\n  - {match: [{gateways: [mesh]}], " + route))), "");
}

TEST(Decode, AFaultWithoutPercentageHitsNoRequestAndIsTold) {
  const auto fault = [](const std::string& text, std::string* said = nullptr) {
    const Decoded decoded = Read(Virtual("  http:\n  - fault: " + text + "\n    route: [{destination: {host: a}}]\n"));
    if (said) *said = Said(decoded);
    return *Only<VirtualService>(decoded).http.at(0).fault;
  };
  std::string said;
  const HttpFault idle = fault("{delay: {fixedDelay: 1s}, abort: {httpStatus: 503}}", &said);
  EXPECT_EQ(idle.delay_percent, 0);
  EXPECT_EQ(idle.abort_percent, 0);
  EXPECT_EQ(said,
            "Warning [IST0133] f.yaml:7:20: VirtualService default/v: the delay hits no request: it has no percentage "
            "(percentage: {value: 100} is every request)\n"
            "Warning [IST0133] f.yaml:7:45: VirtualService default/v: the abort hits no request: it has no percentage "
            "(percentage: {value: 100} is every request)\n");
  const HttpFault given =
      fault("{delay: {fixedDelay: 1s, percent: 5}, abort: {grpcStatus: UNAVAILABLE, percentage: {value: 0.5}}}", &said);
  EXPECT_EQ(given.delay_percent, 5);
  EXPECT_EQ(given.abort_percent, 0.5);
  EXPECT_EQ(said, "");
}

// Envoy refuses it, with the routes of all hosts of the port.
TEST(Decode, AServiceEntryThatIsResolvedOnceForAllHasOneEndpoint) {
  const auto read = [](const char* endpoints) {
    return Read(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\n"
        "spec: {hosts: [a.example], ports: [{number: 80, name: http}], resolution: DNS_ROUND_ROBIN, endpoints: " +
        std::string(endpoints) + "}\n");
  };
  EXPECT_EQ(Said(read("[{address: b.example}]")), "");
  const Decoded two = read("[{address: b.example}, {address: c.example}]");
  EXPECT_TRUE(two.objects.empty());
  EXPECT_NE(Said(two).find("the resolution DNS_ROUND_ROBIN knows one endpoint alone (keep one endpoint, or use "
                           "resolution: DNS)"),
            std::string::npos)
      << Said(two);
}

TEST(Decode, ADelayOfNothingIsLeftOutAndTold) {
  const Decoded decoded =
      Read(Virtual("  http:\n  - fault: {delay: {fixedDelay: 0s, percentage: {value: 100}}}\n    route: [{destination: "
                   "{host: a}}]\n"));
  EXPECT_FALSE(Only<VirtualService>(decoded).http.at(0).fault->delay);
  EXPECT_EQ(
      Said(decoded),
      "Warning [IST0133] f.yaml:7:33: VirtualService default/v: a delay of 0s delays nothing (take it out, or write "
      "e.g. 5s)\n");
}

TEST(Decode, AMatchOfAQueryParameterWithoutANameIsRefused) {
  const Decoded decoded =
      Read(Virtual("  http:\n  - match: [{queryParams: {\"\": {exact: x}}}]\n    route: [{destination: {host: a}}]\n"
                   "  - route: [{destination: {host: b}}]\n"));
  EXPECT_EQ(Only<VirtualService>(decoded).http.size(), 1U);
  EXPECT_NE(Said(decoded).find("the name is empty (name a query parameter)"), std::string::npos) << Said(decoded);
}

TEST(Decode, LeavesOnlyTheInvalidRoutingRuleOut) {
  const Decoded decoded = Read(Virtual(R"(  http:
  - {match: [{uri: {regex: "(["}}], route: [{destination: {host: a}}]}
  - {match: [{uri: {exact: /x}}], rout: [{destination: {host: a}}]}
  - {match: [{uri: {exact: /y}}], route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]}
  - {route: [{destination: {host: good}}]}
)"));
  const VirtualService& service = Only<VirtualService>(decoded);
  ASSERT_EQ(service.http.size(), 1U);
  EXPECT_EQ(service.http[0].destinations[0].destination.host, "good");
  const std::string said = Said(decoded);
  EXPECT_NE(said.find("f.yaml:7:28: VirtualService default/v: the regular expression"), std::string::npos) << said;
  EXPECT_NE(said.find("f.yaml:8:35: VirtualService default/v: unknown field \"rout\" (did you mean \"route\"?)"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("the weights are all 0"), std::string::npos) << said;
}

TEST(Decode, WarnsOfFieldsThatAreNotHonoured) {
  const std::string said = Said(Read(
      Virtual("  http: [{route: [{destination: {host: a}}], retries: {attempts: 1, retryRemoteLocalities: true}}]\n")));
  EXPECT_EQ(said.find("Warning [IST0133] f.yaml:6:"), 0U) << said;
  EXPECT_NE(said.find("retryRemoteLocalities\" is not honoured yet"), std::string::npos);
}

TEST(Decode, KeepsAnInvalidPolicyWithItsScope) {
  const Decoded decoded =
      Read(Policy("  selector: {matchLabels: {app: a}}\n  rules: [{to: [{operation: {method: [GET]}}]}]\n"));
  const AuthorizationPolicy& policy = Only<AuthorizationPolicy>(decoded);
  EXPECT_TRUE(policy.invalid);
  EXPECT_EQ(policy.scope.selector, (Labels{{"app", "a"}}));
  EXPECT_NE(Said(decoded).find("did you mean \"methods\"?"), std::string::npos) << Said(decoded);
  for (const char* bad :
       {"  action: CUSTOM\n  provider: {name: x}\n", "  rules: [{from: [{source: {requestPrincipals: ['*']}}]}]\n",
        "  rules: [{to: [{operation: {ports: ['http']}}]}]\n", "  rules: [{from: [{source: {ipBlocks: [1.2.3]}}]}]\n",
        "  rules: [{when: [{key: 'request.auth.claims[a]', values: [b]}]}]\n", "  rules: [{from: [{source: {}}]}]\n"})
    EXPECT_TRUE(Only<AuthorizationPolicy>(Read(Policy(bad))).invalid) << bad;
  EXPECT_FALSE(Only<AuthorizationPolicy>(Read(Policy("  rules: [{}]\n"))).invalid);
}

TEST(Decode, ReadsPeerAuthenticationAndItsPorts) {
  const Decoded decoded = Read(
      "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {name: p}\n"
      "spec: {selector: {matchLabels: {a: b}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}\n");
  const PeerAuthentication& policy = Only<PeerAuthentication>(decoded);
  EXPECT_FALSE(policy.invalid) << Said(decoded);
  EXPECT_EQ(policy.mode, PeerAuthentication::Mode::kStrict);
  EXPECT_EQ(policy.ports.at(8080), PeerAuthentication::Mode::kDisable);
}

constexpr char kMesh[] =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n";

TEST(Decode, ReadsMeshConfig) {
  const Decoded good =
      Read(std::string(kMesh) +
           "    accessLogFile: /dev/stdout\n    outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n    trustDomain: td\n");
  const ConfigMap& map = Only<ConfigMap>(good);
  EXPECT_EQ(Said(good), "");
  EXPECT_TRUE(map.mesh->registry_only);
  EXPECT_EQ(map.mesh->trust_domain, "td");
}

TEST(Decode, SaysTheFilesOwnPlaceOfAMistakeInMeshConfig) {
  const auto said = [](const std::string& mesh) { return Said(Read(kMesh + mesh)); };
  const std::string near = said("    trustDomain: td\n    accesLogFile: x\n");
  EXPECT_NE(
      near.find("f.yaml:7:5: ConfigMap istio-system/istio: mesh configuration: unknown field \"accesLogFile\" (did "
                "you mean \"accessLogFile\"?)"),
      std::string::npos)
      << near;
  const std::string far = said("\n      defaultConfig:\n        foo: 1\n");
  EXPECT_NE(
      far.find("f.yaml:8:9: ConfigMap istio-system/istio: mesh configuration: unknown field \"defaultConfig.foo\" "
               "(remove it, or correct its name: plait docs configuration MeshConfig lists what is honoured)"),
      std::string::npos)
      << far;
  const std::string often = said("    trustDomain: td\n    dnsRefreshRate: 0s\n");
  EXPECT_NE(often.find("f.yaml:7:21: ConfigMap istio-system/istio: mesh configuration: dnsRefreshRate must be above"),
            std::string::npos)
      << often;
  const std::string ignored = said("    trustDomain: td\n    defaultConfig: {statNameLength: 9}\n");
  EXPECT_NE(ignored.find("f.yaml:7:37: ConfigMap istio-system/istio: \"defaultConfig.statNameLength\" of the mesh"),
            std::string::npos)
      << ignored;
  const std::string open = said("    trustDomain: td\n    ecdh: [1,\n    y: 2\n");
  EXPECT_NE(open.find("f.yaml:9:5: ConfigMap istio-system/istio: mesh configuration: did not find expected ',' or ']'"),
            std::string::npos)
      << open;
  EXPECT_NE(open.find("(close the [ opened at 7:11"), std::string::npos) << open;
  const std::string twice = said("    trustDomain: td\n    trustDomain: td\n");
  EXPECT_NE(
      twice.find("f.yaml:7:5: ConfigMap istio-system/istio: mesh configuration: the key \"trustDomain\" stands twice; "
                 "first in line 6"),
      std::string::npos)
      << twice;
}

TEST(Decode, SaysThePlaceInTheTextOfAMeshConfigWhoseLinesAreNotTheFiles) {
  const std::string head =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: ";
  for (const char* text :
       {"\"trustDomain: td\\naccesLogFile: x\\n\"\n", ">\n    trustDomain: td\n\n    accesLogFile: x\n"}) {
    const std::string said = Said(Read(head + text));
    EXPECT_NE(said.find("f.yaml:5:9: ConfigMap istio-system/istio: mesh configuration: line 2, column 1 of this text: "
                        "unknown field \"accesLogFile\" (did you mean"),
              std::string::npos)
        << said;
  }
}

TEST(Decode, SaysTheFilesOwnPlaceOfAMistakeInMeshNetworks) {
  const std::string said = Said(Read(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  meshNetworks: |-\n"
      "   networks:\n     n1:\n       endpoints: [{fromCidr: 10.0.0.0/99}]\n"));
  EXPECT_NE(said.find("f.yaml:8:20: ConfigMap istio-system/istio: mesh networks: \"10.0.0.0/99\" is neither"),
            std::string::npos)
      << said;
}

TEST(Decode, ReadsADestinationRuleAndLeavesABadSubsetOut) {
  const Decoded decoded = Read(R"(
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: d}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]
  subsets:
  - {name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 7}}}}
  - {name: v1, labels: {version: v2}}
)");
  const DestinationRule& rule = Only<DestinationRule>(decoded);
  EXPECT_EQ(rule.subsets.size(), 1U);
  EXPECT_NE(Said(decoded).find("f.yaml:12:12: DestinationRule default/d: the subset \"v1\" stands twice"),
            std::string::npos)
      << Said(decoded);
  EXPECT_EQ(rule.policy.load_balancer->simple, LoadBalancer::Simple::kRoundRobin);
  EXPECT_EQ(rule.subsets[0].policy.connection_pool->http2_max_requests, 7U);
  ASSERT_EQ(rule.policy.ports.size(), 1U);
  EXPECT_EQ(rule.policy.ports[0].first, 80);
  EXPECT_EQ(rule.policy.ports[0].second.tls->mode, ClientTls::Mode::kDisable);
}

TEST(Decode, ReadsServiceEntriesAndGateways) {
  const Decoded entry = Read(
      "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\n"
      "spec: {hosts: [a.example.com], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}\n");
  EXPECT_EQ(Only<ServiceEntry>(entry).ports[0].protocol, Protocol::kTls) << Said(entry);
  EXPECT_NE(Said(Read("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\n"
                      "spec: {hosts: ['*.a.com'], resolution: DNS, ports: [{number: 80, name: http}]}\n"))
                .find("cannot be resolved by DNS"),
            std::string::npos);
  const Decoded gateway = Read(
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {istio: "
      "ingressgateway}\n"
      "  servers:\n  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*', 'ns/a.b']}\n"
      "  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*']}\n");
  EXPECT_EQ(Only<Gateway>(gateway).servers.size(), 1U);
  EXPECT_NE(Said(gateway).find("f.yaml:8:5: Gateway default/g: a server of protocol HTTPS needs tls"),
            std::string::npos)
      << Said(gateway);
}

}  // namespace
}  // namespace plait::control::model
