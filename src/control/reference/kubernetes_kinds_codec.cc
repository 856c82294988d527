// Kubernetes' kinds.
#include <k8s.io/api/apps/v1/generated.pb.h>
#include <k8s.io/api/batch/v1/generated.pb.h>
#include <k8s.io/api/core/v1/generated.pb.h>
#include <k8s.io/api/discovery/v1/generated.pb.h>

#include "control/model/protobuf_reading.h"
#include "control/reference/kinds.h"

namespace plait::control::reference {
namespace {
namespace core = k8s::io::api::core::v1;
namespace apps = k8s::io::api::apps::v1;
namespace batch = k8s::io::api::batch::v1;
namespace discovery = k8s::io::api::discovery::v1;
using model::Kind;

std::string Sample(const std::string& version, const std::string& kind, const std::string& rest) {
  return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: sample}\n" + rest + "\n";
}

Subject Of(const google::protobuf::Descriptor* type, std::vector<std::string> samples) {
  return {.type = type, .samples = std::move(samples), .json = model::KubernetesJson()};
}

KindSubject Services() {
  Subject subject = Of(core::Service::descriptor(),
                       {Sample("v1", "Service", "spec: {ports: [{name: a, port: 80}]}"),
                        Sample("v1", "Service", "spec: {type: ExternalName, externalName: a.b}"),
                        Sample("v1", "Service", "spec: {ports: [{name: a, port: 80}], ipFamilyPolicy: SingleStack}"),
                        Sample("v1", "Service", "spec: {ports: [{name: a, port: 80}], ipFamilies: [IPv4]}")});
  subject.words = {{"spec.type", {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}},
                   {"spec.ipFamilies[]", {"IPv4", "IPv6"}},
                   {"spec.ipFamilyPolicy", {"SingleStack", "PreferDualStack", "RequireDualStack"}}};
  return {
      .kind = Kind::kService,
      .note =
          "The protocol of a port is that of `appProtocol`, else of the beginning of its name, else it is found out "
          "by the first bytes of each connection. The annotation `networking.istio.io/exportTo` is honoured.",
      .foreign = true,
      .subject = std::move(subject)};
}

// What no experiment shows field by field.
std::map<std::string, Field> PodFields() {
  return {
      {"spec.containers[].livenessProbe", {.effect = Effect::kHonoured, .note = "as readinessProbe"}},
      {"spec.containers[].startupProbe", {.effect = Effect::kHonoured, .note = "as readinessProbe"}},
      {"spec.initContainers[]",
       {.effect = Effect::kHonoured,
        .note = "as containers[]; restartPolicy Always makes it a sidecar; those of Istio's injection are "
                "left out"}},
      {"spec.containers[].lifecycle",
       {.effect = Effect::kHonoured,
        .note = "postStart and preStop with exec, httpGet (without host) or sleep; stopSignal is not"}},
      {"spec.dnsPolicy",
       {.effect = Effect::kHonoured,
        .note = "which domains and options resolv.conf has; the mesh's DNS is asked whatever it is"}},
      {"spec.dnsConfig",
       {.effect = Effect::kHonoured,
        .note = "searches and options; nameservers are told: the mesh's DNS has all questions"}},
      {"spec.hostAliases[]", {.effect = Effect::kHonoured, .note = "lines of /etc/hosts"}},
      {"spec.containers[].volumeMounts[].subPathExpr", {.effect = Effect::kWarned, .note = "nothing is mounted there"}},
      {"spec.volumes[]",
       {.effect = Effect::kHonoured,
        .note = "emptyDir (in memory, without sizeLimit), configMap, secret, downwardAPI (fieldRef) and "
                "projected; other kinds are told and not mounted"}}};
}

KindSubject Pods() {
  const std::string probe = "Probe: {tcpSocket: {port: 1}}";
  Subject subject =
      Of(core::Pod::descriptor(),
         {Sample("v1", "Pod", "spec: {containers: [{name: a, image: b, ports: [{name: p, containerPort: 1}]}]}"),
          Sample("v1", "Pod",
                 "spec: {containers: [{name: a, image: b, readiness" + probe + ", liveness" + probe + ", startup" +
                     probe + "}]}"),
          Sample("v1", "Pod", "spec: {containers: [{name: a, image: b, readinessProbe: {httpGet: {port: 1}}}]}"),
          Sample("v1", "Pod", "spec: {containers: [{name: a, image: b, readinessProbe: {grpc: {port: 1}}}]}"),
          Sample("v1", "Pod",
                 "spec: {containers: [{name: a, image: b, volumeMounts: [{name: v, mountPath: /a}]}], volumes: [{name: "
                 "v, emptyDir: {}}]}"),
          Sample("v1", "Pod",
                 "spec: {containers: [{name: a, image: b, env: [{name: v, valueFrom: {fieldRef: {fieldPath: a}}}]}]}"),
          Sample("v1", "Pod",
                 "spec: {containers: [{name: a, image: b, env: [{name: v, valueFrom: {configMapKeyRef: {name: a, key: "
                 "b}}}]}]}"),
          Sample("v1", "Pod", "spec: {containers: [{name: a, image: b, envFrom: [{configMapRef: {name: a}}]}]}"),
          Sample("v1", "Pod", "spec: {containers: [{name: a, image: b, envFrom: [{secretRef: {name: a}}]}]}"),
          Sample("v1", "Pod",
                 "spec: {containers: [{name: a, image: b, env: [{name: v, valueFrom: {secretKeyRef: {name: a, key: "
                 "b}}}]}]}")});
  subject.words = {{"spec.restartPolicy", {"Always", "OnFailure", "Never"}}};
  subject.told = PodFields();
  return {
      .kind = Kind::kPod,
      .note =
          "How its containers become processes of a local mesh: docs/local-mode.md. The label "
          "`sidecar.istio.io/inject` and the annotation of that name are honoured. What the proxy takes is changed "
          "by\nannotations, as in Istio:\n\n"
          "| annotation | |\n|---|---|\n"
          "| `traffic.sidecar.istio.io/includeInboundPorts` | only connections to these ports; `*`: all |\n"
          "| `traffic.sidecar.istio.io/excludeInboundPorts` | no connection to these ports |\n"
          "| `traffic.sidecar.istio.io/includeOutboundIPRanges` | only connections to these CIDR ranges; `*`: all |\n"
          "| `traffic.sidecar.istio.io/excludeOutboundIPRanges` | no connection to these CIDR ranges |\n"
          "| `traffic.sidecar.istio.io/excludeOutboundPorts` | no connection to these ports |\n\n"
          "All are lists with commas. What the proxy does not take goes where it is sent, without TLS of the mesh; "
          "from addresses of Services\n(ClusterIP) to one of their pods, as kube-proxy leads it.",
      .foreign = true,
      .subject = std::move(subject)};
}

const std::string kTemplate =
    "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "
    "b}]}}";

// The parts of a controller that are told of at Pod, or that must fit each other.
std::map<std::string, Field> Template() {
  const Field same{.effect = Effect::kHonoured, .note = "the same in selector and template"};
  return {{"spec.template.spec", {.effect = Effect::kHonoured, .note = "as spec of Pod"}},
          {"spec.selector.matchLabels.KEY", same},
          {"spec.template.metadata.labels.KEY", same}};
}

KindSubject Deployments() {
  Subject subject = Of(apps::Deployment::descriptor(), {Sample("apps/v1", "Deployment", "spec: {" + kTemplate + "}")});
  subject.told = Template();
  return {.kind = Kind::kDeployment,
          .note = "A changed template is rolled out at once: the new pods are ready before the old ones end.",
          .foreign = true,
          .subject = std::move(subject)};
}

KindSubject StatefulSets() {
  Subject subject = Of(apps::StatefulSet::descriptor(),
                       {Sample("apps/v1", "StatefulSet", "spec: {serviceName: a, " + kTemplate + "}")});
  subject.told = Template();
  subject.words = {{"spec.podManagementPolicy", {"OrderedReady", "Parallel"}},
                   {"spec.updateStrategy.type", {"RollingUpdate", "OnDelete"}}};
  return {.kind = Kind::kStatefulSet, .foreign = true, .subject = std::move(subject)};
}

KindSubject Jobs() {
  Subject subject = Of(batch::Job::descriptor(),
                       {Sample("batch/v1", "Job",
                               "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}")});
  subject.told = Template();
  subject.words = {{"spec.completionMode", {"NonIndexed", "Indexed"}}};
  return {.kind = Kind::kJob, .foreign = true, .subject = std::move(subject)};
}

KindSubject EndpointSlices() {
  Subject subject = Of(discovery::EndpointSlice::descriptor(),
                       {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: sample, labels: "
                        "{kubernetes.io/service-name: a}}\naddressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]\n"
                        "ports: [{name: a, port: 1}]\n",
                        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: sample, labels: "
                        "{kubernetes.io/service-name: a}}\n"});
  subject.told = {{"addressType", {.effect = Effect::kHonoured, .note = "IPv4 or IPv6; FQDN is refused"}}};
  return {.kind = Kind::kEndpointSlice,
          .note =
              "Of the Service that the label `kubernetes.io/service-name` names, if it has no selector. Slices that "
              "Kubernetes itself has written are passed over.",
          .foreign = true,
          .subject = std::move(subject)};
}

KindSubject EndpointsKind() {
  return {
      .kind = Kind::kEndpoints,
      .foreign = true,
      .subject = Of(core::Endpoints::descriptor(),
                    {Sample("v1", "Endpoints", "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{name: a, port: 1}]}]"),
                     Sample("v1", "Endpoints",
                            "subsets: [{notReadyAddresses: [{ip: 10.0.0.1}], ports: [{name: a, port: 1}]}]")})};
}

}  // namespace

std::vector<KindSubject> KubernetesKinds() {
  std::vector<KindSubject> out = {Services(), Pods(),           Deployments(),  StatefulSets(),
                                  Jobs(),     EndpointSlices(), EndpointsKind()};
  out.push_back(
      {.kind = Kind::kConfigMap,
       .note = "For variables of containers (`valueFrom.configMapKeyRef`) and volumes; ConfigMap `istio`: MeshConfig.",
       .foreign = true,
       .subject = Of(core::ConfigMap::descriptor(), {Sample("v1", "ConfigMap", "")})});
  out.push_back({.kind = Kind::kSecret,
                 .note = "For the TLS of gateways (`credentialName`), variables of containers "
                         "(`valueFrom.secretKeyRef`) and volumes.",
                 .foreign = true,
                 .subject = Of(core::Secret::descriptor(), {Sample("v1", "Secret", "")})});
  out.push_back(
      {.kind = Kind::kNamespace,
       .note =
           "Namespaces need not be declared; the label `istio-injection: disabled` leaves its pods without a proxy.",
       .foreign = true});
  out.push_back(
      {.kind = Kind::kServiceAccount, .note = "Need not be declared: a pod's identity is the name.", .foreign = true});
  out.push_back({.kind = Kind::kNode,
                 .note = "Its labels `topology.kubernetes.io/region` and `zone` and `topology.istio.io/subzone` are "
                         "the locality of the pods that name it.",
                 .foreign = true});
  return out;
}

}  // namespace plait::control::reference
