// Every kind of bad object: a clear message with its place and the next step, and nothing else is affected.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::RunningPod;

// Before the bad objects stands what must stay in force, in 20 lines.
constexpr char kGood[] = R"(apiVersion: v1
kind: Service
metadata: {name: good}
spec: {selector: {app: good}, clusterIP: 10.96.5.5, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: good}
spec:
  hosts: [good]
  http: [{route: [{destination: {host: good}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: good}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [good.example.com]}
---
)";

struct Case {
  const char* what;
  std::string yaml;
  const char* said;  // with the place
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.what; }

class BadObjects : public ::testing::TestWithParam<Case> {};

TEST_P(BadObjects, AreNamedWithTheirPlaceAndTouchNothingElse) {
  Decoded decoded = DecodeText(kGood + GetParam().yaml, "f.yaml");
  Findings findings = decoded.findings;
  const SnapshotRef snapshot = Snapshot::Build(decoded.objects,
                                               std::make_shared<const std::vector<Workload>>(std::vector<Workload>{
                                                   RunningPod("good-0", "good", {{"app", "good"}}, "10.244.0.1")}),
                                               {});
  findings.insert(findings.end(), snapshot->findings().begin(), snapshot->findings().end());
  std::string said;
  for (const Finding& finding : findings) {
    said += finding.ToString() + "\n";
    EXPECT_FALSE(finding.diagnostic.message.empty());
    EXPECT_FALSE(finding.diagnostic.hint.empty()) << "no next step: " << finding.ToString();
    EXPECT_NE(finding.diagnostic.at.column, 0U) << "no place: " << finding.ToString();
    EXPECT_GE(finding.diagnostic.at.line, 21U) << "said of what is good: " << finding.ToString();
  }
  EXPECT_NE(said.find(GetParam().said), std::string::npos) << said;

  const ServiceView* good = snapshot->FindService("good.default.svc.cluster.local", "default");
  ASSERT_NE(good, nullptr);
  EXPECT_EQ(good->endpoints.at(0).size(), 1U);
  EXPECT_EQ(snapshot->FindByVip(*io::IpAddress::Parse("10.96.5.5")), good);
  const auto rules = snapshot->VirtualServices("default", "mesh");
  ASSERT_FALSE(rules.empty());
  EXPECT_TRUE(std::any_of(rules.begin(), rules.end(), [](const auto* rule) { return rule->meta.name() == "good"; }));
  EXPECT_FALSE(snapshot->GatewaysOf({{"istio", "ingressgateway"}}).empty());
}

std::string Istio(const std::string& kind, const std::string& name) {
  return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec:\n";
}
std::string Rules(const std::string& name) { return Istio("VirtualService", name); }
std::string Edge(const std::string& name) { return Istio("Gateway", name); }
std::string Entry(const std::string& name) { return Istio("ServiceEntry", name); }
std::string Settings(const std::string& name) { return Istio("DestinationRule", name); }
std::string Svc(const std::string& name) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n";
}

std::string Pods(const std::string& name, const std::string& spec) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name +
         "}\nspec: {selector: {matchLabels: {app: " + name + "}}, template: {metadata: {labels: {app: " + name +
         "}}, spec: {" + spec + "}}}\n";
}
std::string Account(const std::string& name) {
  return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: " + name + "}\n";
}
std::string Callers(const std::string& source) {
  return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x}\nspec: {rules: [{from: "
         "[{source: {" +
         source + "}}]}]}\n";
}

const Case kKinds[] = {
    {"unknown kind of Istio's", "apiVersion: networking.istio.io/v1\nkind: VirtualServices\nmetadata: {name: x}\n",
     "f.yaml:22:7: unknown kind VirtualServices (did you mean \"VirtualService\"?)"},
    {"unknown version", "apiVersion: networking.istio.io/v9\nkind: VirtualService\nmetadata: {name: x}\n",
     "f.yaml:21:13: VirtualService has no version \"v9\" (use networking.istio.io/v1)"},
    {"no kind", "apiVersion: v1\nmetadata: {name: x}\n", "f.yaml:21:1: \"kind\" is missing"},
    {"no object", "[1, 2]\n",
     "f.yaml:21:1: a Kubernetes object is expected, not a list (begin it with apiVersion and kind"},
    {"no name", "apiVersion: v1\nkind: Service\nmetadata: {}\n", "f.yaml:23:11: Service: metadata.name is missing"},
    {"a name that the API server would make", "apiVersion: v1\nkind: Service\nmetadata:\n  generateName: web-\n",
     "Service: metadata.name is missing: nobody makes names here (write name instead of generateName)"},
    {"a name that Helm would make", "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}'}\n",
     "is not allowed (it is of a Helm chart: render it first"},
    {"a template of Helm", "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n",
     "a key must be text, not a list or mapping (it is of a Helm chart: render it first"},
    {"a template's condition", "{{- if .Values.web }}\napiVersion: v1\nkind: Service\n{{- end }}\n",
     "(it is of a Helm chart: render it first"},
    {"impossible name", "apiVersion: v1\nkind: Service\nmetadata: {name: A_b}\n",
     "f.yaml:23:18: Service: the name \"A_b\" is not allowed"},
    {"unknown field", Svc("x") + "  portz: []\n",
     "f.yaml:25:3: Service default/x: unknown field \"spec.portz\" (did you"},
    {"unknown field with no near name", Svc("x") + "  zebra: 1\n",
     "f.yaml:25:3: Service default/x: unknown field \"spec.zebra\" (remove it, or correct its name: plait docs "
     "configuration Service lists what is honoured)"},
    {"unknown field in a pod", Pods("x", "zebra: 1, containers: [{name: c, image: i}]"),
     "unknown field \"spec.template.spec.zebra\" (remove it, or correct its name: plait docs configuration Deployment"},
    {"wrong type", Svc("x") + "  ports: [{port: many}]\n",
     "f.yaml:25:18: Service default/x: spec.ports[0].port: a whole number is expected, not the string \"many\" (write "
     "digits only)"},
    {"wrong type that only Kubernetes has", Svc("x") + "  ports: [{port: 80, targetPort: []}]\n",
     "spec.ports[0].targetPort: a number or a name is expected, not a list (correct the value, or remove the field)"},
    {"wrong metadata", "apiVersion: v1\nkind: Service\nmetadata: {name: x, zebra: 1}\n",
     "f.yaml:23:21: Service x: metadata: unknown field \"zebra\" (remove it, or correct its name)"},
    {"an error of a value that nothing says more of",
     Rules("x") + "  hosts: [other]\n  http: [{directResponse: {status: 600}}]\n",
     "the status 600 is outside 200..599 (correct it, or remove the field; plait docs configuration VirtualService "
     "lists "
     "what is honoured)"},
};

const Case kReferences[] = {
    {"a host that is not there", Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: nowhere}}]}]\n",
     "[IST0101] f.yaml:26:33: VirtualService default/x: Referenced host not found: \"nowhere\" (correct the name, or "
     "create a Service or ServiceEntry with the host nowhere.default.svc.cluster.local; until then requests to it get "
     "503)"},
    {"a host that is misspelt", Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: goood}}]}]\n",
     "[IST0101] f.yaml:26:33: VirtualService default/x: Referenced host not found: \"goood\" (did you mean \"good\"? "
     "correct the name"},
    {"a subset that is misspelt",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good, subset: frist}}]}]\n---\n" +
         Settings("z") + "  host: good\n  subsets: [{name: first, labels: {app: good}}]\n",
     "Referenced host+subset in destinationrule not found: \"good+frist\" (did you mean \"first\"? define the subset"},
    {"a gateway that is misspelt",
     Rules("x") + "  hosts: [other]\n  gateways: [goood]\n  http: [{route: [{destination: {host: good}}]}]\n",
     "Referenced gateway not found: \"default/goood\" (did you mean \"default/good\"? create it, or"},
    {"a rule for a host that is misspelt", Settings("x") + "  host: goot\n",
     "does not match any services in the mesh (did you mean \"good\"? correct the name, or create a Service"},
    {"a subset that is not there",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good, subset: v9}}]}]\n",
     "[IST0101] f.yaml:26:33: VirtualService default/x: Referenced host+subset in destinationrule not found: "
     "\"good+v9\""},
    {"a port that is not there",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good, port: {number: 81}}}]}]\n",
     "[IST0101] f.yaml:26:33: VirtualService default/x: Referenced port not found: \"good:81\""},
    {"a gateway that is not there",
     Rules("x") + "  hosts: [other]\n  gateways: [none]\n  http: [{route: [{destination: {host: good}}]}]\n",
     "[IST0101] f.yaml:26:14: VirtualService default/x: Referenced gateway not found: \"default/none\""},
    {"a rule for a host that is not there", Settings("x") + "  host: nowhere\n",
     "[IST0174] f.yaml:25:9: DestinationRule default/x: The host nowhere defined in the DestinationRule does not "
     "match"},
    {"a gateway bound to nothing",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 80, name: h, protocol: HTTP}, "
                 "hosts: [a.b], bind: inner}\n",
     "f.yaml:27:71: Gateway default/x: \"inner\" is not an IP address (e.g. 127.0.0.1, or leave bind out for all)"},
    {"a secret that is not there",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
                 "hosts: "
                 "[a.b], tls: {mode: SIMPLE, credentialName: none}}\n",
     "[IST0101] f.yaml:27:103: Gateway default/x: Referenced credentialName not found: \"none\" (create a Secret"},
    {"a secret without a certificate",
     Edge("x") +
         "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
         "hosts: "
         "[a.b], tls: {mode: SIMPLE, credentialName: c}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n"
         "stringData: {tls.crt: x}\n",
     "f.yaml:27:103: Gateway default/x: the Secret \"c\" is no credential: it needs the keys tls.crt and tls.key"},
    {"a secret without roots",
     Edge("x") +
         "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
         "hosts: "
         "[a.b], tls: {mode: MUTUAL, credentialName: c}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n"
         "stringData: {cert: a, key: b}\n",
     "f.yaml:27:103: Gateway default/x: the roots for clients' certificates are missing"},
    {"a delegate that is not there",
     Rules("x") + "  hosts: [other]\n  http: [{delegate: {name: none, namespace: ns}}]\n",
     "[IST0101] f.yaml:26:28: VirtualService default/x: Referenced delegate not found: \"ns/none\""},
    {"a delegate with hosts", Rules("x") + "  hosts: [other]\n  http: [{delegate: {name: good}}]\n",
     "f.yaml:26:28: VirtualService default/x: \"default/good\" has hosts of its own, so nobody can delegate to it"},
    {"delegates in a circle",
     Rules("x") + "  hosts: [other]\n  http: [{delegate: {name: second}}]\n---\n" + Rules("second") +
         "  http: [{delegate: {name: third}}]\n---\n" + Rules("third") + "  http: [{delegate: {name: second}}]\n",
     "f.yaml:32:28: VirtualService default/second: the delegates form a circle: default/x -> default/second -> "
     "default/third -> default/second (write the rules"},
    {"a selector that matches nothing",
     "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x}\nspec: {selector: {matchLabels: "
     "{app: none}}, rules: [{}]}\n",
     "[IST0127] f.yaml:24:18: AuthorizationPolicy default/x: No matching workloads for this resource with the "
     "following "
     "labels: app=none"},
    {"a PeerAuthentication for nobody",
     "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: x}\nspec: {selector: {matchLabels: "
     "{app: none}}, mtls: {mode: STRICT}}\n",
     "[IST0127] f.yaml:24:18: PeerAuthentication default/x: No matching workloads"},
    {"an account that is misspelt",
     Pods("x", "serviceAccountName: reviwes, containers: [{name: c, image: i}]") + "---\n" + Account("reviews"),
     "Warning [IST0101] f.yaml:24:111: Deployment default/x: Referenced service account not found: \"reviwes\" (did "
     "you "
     "mean \"reviews\"? correct serviceAccountName, or create the ServiceAccount; until then policies see "
     "spiffe://cluster.local/ns/default/sa/reviwes, and on Kubernetes the pods do not start)"},
    {"an account that is not there",
     "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {serviceAccountName: none, containers: [{name: c, image: "
     "i}]}\n---\n" +
         Account("reviews"),
     "Warning [IST0101] f.yaml:24:28: Pod default/x: Referenced service account not found: \"none\" (correct"},
    {"a namespace of callers that is misspelt", Callers("namespaces: [default, defualt]"),
     "Warning [IST0101] f.yaml:24:56: AuthorizationPolicy default/x: Referenced namespace not found: \"defualt\" (did "
     "you mean \"default\"? correct the name, or create the Namespace; until then it matches no caller)"},
    {"a caller that is misspelt",
     Callers("principals: [cluster.local/ns/default/sa/reviwes]") + "---\n" + Account("reviews"),
     "Warning [IST0101] f.yaml:24:47: AuthorizationPolicy default/x: Referenced service account not found: "
     "\"cluster.local/ns/default/sa/reviwes\" (did you mean \"cluster.local/ns/default/sa/reviews\"? correct the "
     "principal, or create the ServiceAccount and pods that have it; until then it matches no caller)"},
    {"a name of a container's port that is misspelt",
     Svc("x") + "  selector: {app: x}\n  ports: [{port: 80, targetPort: webb}]\n---\n" +
         Pods("x",
              "containers: [{name: c, image: i, ports: [{name: web, containerPort: 1}, {name: admin, containerPort: "
              "2}]}]"),
     "Warning [IST0101] f.yaml:26:34: Service default/x: Referenced targetPort not found: \"webb\" of port 80 (did you "
     "mean \"web\"? no container of the pods that it selects has a port of this name, they have admin, web: correct "
     "targetPort, write the number, or name the container's port; until then port 80 has no endpoint)"},
    {"a name of a container's port where none has a name",
     Svc("x") +
         "  selector: {app: good}\n  ports: [{name: a, port: 80, targetPort: 80}, {name: b, port: 81, targetPort: "
         "web}]\n",
     "Service default/x: Referenced targetPort not found: \"web\" of port 81 (no container of the pods that it selects "
     "has a port of this name: correct targetPort"},
    {"a ServiceEntry for nobody",
     Entry("x") +
         "  hosts: [a.com]\n  resolution: STATIC\n  ports: [{number: 1, name: a}]\n  workloadSelector: {labels: "
         "{app: none}}\n",
     "[IST0127] f.yaml:28:21: ServiceEntry default/x: No matching workloads"},
    {"a Service's other name that leads back to it",
     Svc("x") + "  type: ExternalName\n  externalName: x.default.svc.cluster.local\n",
     "f.yaml:26:17: Service default/x: The ExternalName x.default.svc.cluster.local leads to no host"},
    {"a gateway that nobody plays",
     Edge("x") +
         "  selector: {istio: none}\n  servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: [x.y]}]\n",
     "[IST0101] f.yaml:25:13: Gateway default/x: No matching workloads for this resource with the following labels: "
     "istio=none"},
};
std::string Peers(const std::string& metadata, const std::string& spec) {
  return "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {" + metadata + "}\nspec: {" + spec +
         "}\n";
}
std::string Pool(const std::string& name, const std::string& host, int requests) {
  return Settings(name) + "  host: " + host +
         "\n  trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: " + std::to_string(requests) + "}}}\n";
}

const Case kConflicts[] = {
    {"two PeerAuthentications for one namespace",
     Peers("name: x", "mtls: {mode: STRICT}") + "---\n" + Peers("name: x2", "mtls: {mode: PERMISSIVE}"),
     "Warning f.yaml:28:18: PeerAuthentication default/x2: PeerAuthentication default/x at f.yaml:23:18 is for the "
     "same "
     "workloads and says something else; that one is in force, because its name comes first, and this one is not (make "
     "one of the two, or give them different selectors)"},
    {"two PeerAuthentications for the same pods, one older than the other",
     Peers("name: x, creationTimestamp: 2026-01-02T03:04:06Z",
           "selector: {matchLabels: {app: good}}, mtls: {mode: STRICT}") +
         "---\n" +
         Peers("name: x2, creationTimestamp: 2026-01-02T03:04:05Z",
               "selector: {matchLabels: {app: good}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: DISABLE}}"),
     "Warning f.yaml:23:18: PeerAuthentication default/x: PeerAuthentication default/x2 at f.yaml:28:18 is for the "
     "same "
     "workloads and says something else; that one is in force, because it is older, and this one is not"},
    {"two policies for the traffic to one host",
     Pool("x", "good", 11) + "---\n" + Pool("x2", "good.default.svc.cluster.local", 22),
     "Warning f.yaml:30:18: DestinationRule default/x2: DestinationRule default/x at f.yaml:23:18 has another "
     "trafficPolicy for the host good.default.svc.cluster.local; that one is in force, because its name comes first, "
     "and the one of this rule is not (put the policies into one DestinationRule)"},
    {"two policies for the traffic to one host, of which the second is all that one namespace sees",
     Pool("x", "good", 11) + "  exportTo: [.]\n---\n" + Pool("x2", "good", 22) + "  exportTo: [., other]\n",
     "Warning f.yaml:31:18: DestinationRule default/x2: DestinationRule default/x at f.yaml:23:18 has another "
     "trafficPolicy for the host good.default.svc.cluster.local; that one is in force, because its name comes first, "
     "and the one of this rule is not where both are exported to (put"},
    {"three rules for one host, of which the first has no policy",
     Settings("x") + "  host: good\n---\n" + Pool("x2", "good", 11) + "---\n" + Pool("z", "good", 22),
     "Warning f.yaml:36:18: DestinationRule default/z: DestinationRule default/x2 at f.yaml:29:18 has another "
     "trafficPolicy"},
    {"two rules for one host", Rules("x") + "  hosts: [good]\n  http: [{route: [{destination: {host: good}}]}]\n",
     "[IST0109] f.yaml:23:18: VirtualService default/x: The VirtualServices default/good,default/x associated with "
     "mesh gateway define the same host good; the first is in force"},
    {"two gateways for one host",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 80, name: h, protocol: HTTP}, "
                 "hosts: ['*.example.com']}\n",
     "[IST0145] f.yaml:27:5: Gateway default/x: Conflict with gateways default/good (workload selector "
     "istio=ingressgateway, port 80, hosts [*.example.com])"},
    {"HTTP and TCP on one port",
     Edge("x") +
         "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 80, name: t, protocol: TCP}, hosts: "
         "['*']}\n",
     "[IST0145] f.yaml:27:5: Gateway default/x: port 80 is HTTP in one and TCP in the other"},
    {"two services with one address", Svc("x") + "  clusterIP: 10.96.5.5\n  ports: [{port: 1}]\n",
     "f.yaml:23:18: Service default/x: the address 10.96.5.5/32 is also that of good.default.svc.cluster.local"},
    {"one port with two protocols",
     Entry("x") + "  hosts: [a.com]\n  ports: [{number: 1, name: a, protocol: HTTP}]\n---\n" + Entry("second") +
         "  hosts: [a.com]\n  ports: [{number: 1, name: a, protocol: TCP}]\n",
     "[IST0177] f.yaml:23:18: ServiceEntry default/x: Multiple ServiceEntries (default/second,default/x) define "
     "the same "
     "host \"a.com\" and port 1 with conflicting protocols"},
    {"a port twice", Svc("x") + "  ports: [{name: a, port: 1}, {name: b, port: 1}]\n",
     "f.yaml:25:31: Service default/x: port 1 stands twice"},
};
const Case kValues[] = {
    {"a host that cannot be", Rules("x") + "  hosts: ['a..b']\n  http: [{route: [{destination: {host: good}}]}]\n",
     "f.yaml:25:11: VirtualService default/x: \"a..b\" is not a host name"},
    {"a wildcard as destination", Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: '*.a'}}]}]\n",
     "f.yaml:26:40: VirtualService default/x: the wildcard \"*.a\" is not allowed here"},
    {"a range that cannot be",
     Entry("x") + "  hosts: [a.com]\n  addresses: [10.0.0.0/33]\n  ports: [{number: 1, name: a}]\n",
     "f.yaml:26:15: ServiceEntry default/x: \"10.0.0.0/33\" is neither an IP address nor a CIDR range"},
    {"an address that cannot be", Svc("x") + "  clusterIP: 10.96.5.500\n  ports: [{port: 1}]\n",
     "f.yaml:25:14: Service default/x: \"10.96.5.500\" is not an IP address"},
    {"an address of the host", Svc("x") + "  clusterIP: 127.0.0.1\n  ports: [{port: 1}]\n",
     "f.yaml:25:14: Service default/x: 127.0.0.1 is no address of a service (leave it out"},
    {"a container whose name leads elsewhere",
     "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: ../../y, image: a}]}\n",
     "f.yaml:24:28: Pod default/x: \"../../y\" cannot be the name of a container (use lower-case letters"},
    {"a port that cannot be", Svc("x") + "  ports: [{port: 70000}]\n",
     "f.yaml:25:18: Service default/x: port 70000 is outside 1..65535"},
    {"weights of nothing",
     Rules("x") +
         "  hosts: [other]\n  http: [{route: [{destination: {host: good}, weight: 0}, {destination: {host: good}, "
         "weight: 0}]}]\n",
     "f.yaml:26:18: VirtualService default/x: the weights are all 0 (give at least one destination a weight"},
    {"a negative weight",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good}, weight: 120}, {destination: {host: "
                  "good}, "
                  "weight: -20}]}]\n",
     "f.yaml:26:97: VirtualService default/x: the weight -20 is negative"},
    {"weights that add up to more than 100",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good}, weight: 60}, {destination: {host: "
                  "good, subset: v2}, weight: 60}]}]\n",
     "Warning [IST0133] f.yaml:26:18: VirtualService default/x: total destination weight 120 != 100, so the shares are "
     "good 50 %, good+v2 50 % (write weights that add up to 100"},
    {"weights that add up to less than 100",
     Rules("x") + "  hosts: [other]\n  tcp: [{route: [{destination: {host: good}, weight: 2}, {destination: {host: "
                  "good}, weight: 1}]}]\n",
     "Warning [IST0133] f.yaml:26:17: VirtualService default/x: total destination weight 3 != 100, so the shares are "
     "good 66.7 %, good 33.3 % (write"},
    {"a weight of one destination alone",
     Rules("x") + "  hosts: [other]\n  http: [{route: [{destination: {host: good}, weight: 80}]}]\n",
     "f.yaml:26:18: VirtualService default/x: total destination weight 80 != 100, so the shares are good 100 %"},
    {"a regular expression that cannot be",
     Rules("x") + "  hosts: [other]\n  http: [{match: [{uri: {regex: '('}}], route: [{destination: {host: good}}]}]\n",
     "f.yaml:26:33: VirtualService default/x: the regular expression \"(\" is wrong"},
    {"TLS versions that leave none",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
                 "hosts: "
                 "[a.b], tls: {mode: SIMPLE, credentialName: c, maxProtocolVersion: TLSV1_1}}\n",
     "Gateway default/x: no TLS version is left: at most TLSV1_1, at least TLSV1_2"},
    {"a TCP server that ends TLS without a certificate",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: TCP}, "
                 "hosts: [a.b], tls: {mode: SIMPLE}}\n",
     "f.yaml:27:70: Gateway default/x: TLS needs a certificate (name a Secret in credentialName)"},
    {"a fault for nobody",
     Rules("x") + "  hosts: [other]\n  http: [{fault: {abort: {httpStatus: 503}}, route: [{destination: {host: "
                  "good}}]}]\n",
     "f.yaml:26:26: VirtualService default/x: the abort hits no request: it has no percentage"},
    {"roots that are not named",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
                 "hosts: "
                 "[a.b], tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k}}\n",
     "f.yaml:27:72: Gateway default/x: clients' certificates cannot be verified: caCertificates is missing"},
    {"a cipher suite that is not known",
     Edge("x") + "  selector: {istio: ingressgateway}\n  servers:\n  - {port: {number: 443, name: s, protocol: HTTPS}, "
                 "hosts: "
                 "[a.b], tls: {mode: ISTIO_MUTUAL, cipherSuites: [RC4-MD5]}}\n",
     "Gateway default/x: the cipher suite \"RC4-MD5\" is not known and left out"},
};

TEST(BadObjects, ThatSayTheSameOrAddToEachOtherAreNoConflict) {
  const std::string strict = "mtls: {mode: STRICT}";
  const std::string texts[] = {Peers("name: x", strict), Peers("name: x2", strict),
                               Peers("name: z", "selector: {matchLabels: {app: good}}, mtls: {mode: PERMISSIVE}"),
                               Peers("name: x, namespace: other", "mtls: {mode: DISABLE}"),
                               // One that is invalid closes whatever the others say, and is told as that.
                               Peers("name: v, namespace: closed", "mtls: {mode: DISABLE}"),
                               Peers("name: w, namespace: closed", "mtls: {mode: PERMISSIVE}"),
                               Peers("name: x, namespace: closed", "mtls: {mode: PERMISIVE}"), Pool("x", "good", 11),
                               Pool("x2", "good", 11),
                               Settings("z") + "  host: good\n  subsets: [{name: v1, labels: {app: good}}]\n"};
  std::string text = kGood;
  for (const std::string& one : texts) text += one + "---\n";
  const SnapshotRef snapshot = Snapshot::Build(DecodeText(text, "f.yaml").objects,
                                               std::make_shared<const std::vector<Workload>>(std::vector<Workload>{
                                                   RunningPod("good-0", "good", {{"app", "good"}}, "10.244.0.1")}),
                                               {});
  EXPECT_EQ(testing::Said(snapshot->findings()), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, BadObjects, ::testing::ValuesIn(kKinds));
INSTANTIATE_TEST_SUITE_P(References, BadObjects, ::testing::ValuesIn(kReferences));
INSTANTIATE_TEST_SUITE_P(Conflicts, BadObjects, ::testing::ValuesIn(kConflicts));
INSTANTIATE_TEST_SUITE_P(Values, BadObjects, ::testing::ValuesIn(kValues));

}  // namespace
}  // namespace plait::control::model
