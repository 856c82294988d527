// Endpoints that are written down, other names of services, networks.
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::RunningPod;
using testing::Said;
using testing::SnapshotOf;

std::string Slice(const std::string& fields, const std::string& labels = "{kubernetes.io/service-name: db}") {
  return "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: " + labels + "}\n" +
         fields;
}
std::string Service(const std::string& name, const std::string& spec) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}
constexpr char kDb[] = "{ports: [{name: sql, port: 5432}]}";

TEST(EndpointSlices, GiveAServiceWithoutSelectorItsEndpoints) {
  Workload pod = RunningPod("db-0", "db", {}, "10.244.0.9", "sa");
  const SnapshotRef snapshot =
      SnapshotOf(Service("db", kDb) + Slice("addressType: IPv4\nports: [{name: sql, port: 15432}]\nendpoints:\n"
                                            "- {addresses: [192.168.7.1], hostname: one, conditions: {ready: true}}\n"
                                            "- {addresses: [192.168.7.2], conditions: {ready: false}}\n"
                                            "- {addresses: [10.244.0.9]}\n"),
                 {pod});
  EXPECT_EQ(Said(snapshot->findings()), "");
  const auto& endpoints = snapshot->FindService("db.default.svc.cluster.local", "default")->endpoints[0];
  ASSERT_EQ(endpoints.size(), 3U);
  EXPECT_EQ(endpoints[0].ips[0].ToString(), "192.168.7.1");
  EXPECT_EQ(endpoints[0].port, 15432);
  EXPECT_FALSE(endpoints[0].mtls) << "nobody there speaks the mesh's TLS";
  EXPECT_FALSE(endpoints[1].ready);
  EXPECT_TRUE(endpoints[2].mtls) << "the address of a pod is that pod";
  EXPECT_EQ(endpoints[2].identity, "spiffe://cluster.local/ns/default/sa/sa");
}

TEST(ServiceEntries, EndpointsTakeMutualTlsByTheirLabelOrElseWithAServiceAccount) {
  const auto with = [](const std::string& location) {
    return SnapshotOf(R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm}
spec:
  hosts: [vm.example.com]
  location: )" + location +
                      R"(
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.1.0.1, serviceAccount: vm}
  - {address: 10.1.0.2}
  - {address: 10.1.0.3, serviceAccount: vm, labels: {"security.istio.io/tlsMode": disabled}}
  - {address: 10.1.0.4, labels: {"security.istio.io/tlsMode": istio}}
)");
  };
  const SnapshotRef snapshot = with("MESH_INTERNAL");
  const auto& endpoints = snapshot->FindService("vm.example.com", "default")->endpoints.at(0);
  ASSERT_EQ(endpoints.size(), 4U);
  EXPECT_TRUE(endpoints[0].mtls);
  EXPECT_EQ(endpoints[0].identity, "spiffe://cluster.local/ns/default/sa/vm");
  EXPECT_FALSE(endpoints[1].mtls);
  EXPECT_FALSE(endpoints[2].mtls);
  EXPECT_TRUE(endpoints[3].mtls);
  const SnapshotRef outside = with("MESH_EXTERNAL");
  EXPECT_FALSE(outside->FindService("vm.example.com", "default")->endpoints.at(0).at(0).mtls);
}

TEST(EndpointSlices, CountBeforeEndpointsAndOnlyWithoutSelector) {
  const std::string old =
      "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: db}\nsubsets: [{addresses: [{ip: 192.168.7.3}], "
      "notReadyAddresses: [{ip: 192.168.7.4}], ports: [{name: sql, port: 1}]}]\n";
  const std::string slice =
      Slice("addressType: IPv4\nports: [{name: sql, port: 2}]\nendpoints: [{addresses: [192.168.7.5]}]\n");
  const auto endpoints = [](const std::string& yaml) {
    std::string out;
    const SnapshotRef snapshot = SnapshotOf(yaml);
    for (const EndpointView& one : snapshot->FindService("db.default.svc.cluster.local", "default")->endpoints[0])
      out += one.ips[0].ToString() + (one.ready ? " " : "! ");
    return out;
  };
  EXPECT_EQ(endpoints(Service("db", kDb) + old), "192.168.7.3 192.168.7.4! ");
  EXPECT_EQ(endpoints(Service("db", kDb) + old + slice), "192.168.7.5 ");
  EXPECT_EQ(endpoints(Service("db", "{selector: {app: db}, ports: [{name: sql, port: 1}]}") + slice), "");
}

TEST(EndpointSlices, ThatKubernetesMadeItselfAreNotRead) {
  const Decoded decoded = DecodeText(Slice("addressType: IPv4\n",
                                           "{kubernetes.io/service-name: db, endpointslice.kubernetes.io/managed-by: "
                                           "endpointslice-controller.k8s.io}"),
                                     "f.yaml");
  EXPECT_TRUE(decoded.objects.empty());
  EXPECT_EQ(Said(decoded.findings), "");
}

struct Bad {
  std::string yaml;
  std::string said;
};
class BadEndpoints : public ::testing::TestWithParam<Bad> {};

TEST_P(BadEndpoints, AreRefusedWithTheirPlace) {
  const Decoded decoded = DecodeText(GetParam().yaml, "f.yaml");
  EXPECT_TRUE(decoded.objects.empty());
  EXPECT_NE(Said(decoded.findings).find(GetParam().said), std::string::npos) << Said(decoded.findings);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadEndpoints,
    ::testing::Values(
        Bad{Slice("addressType: IPv4\n", "{}"),
            "f.yaml:4:29: EndpointSlice default/s: the label kubernetes.io/service-name is missing"},
        Bad{Slice("addressType: FQDN\n"),
            "f.yaml:5:14: EndpointSlice default/s: the addressType \"FQDN\" is not honoured (IPv4 or IPv6; for names"},
        Bad{Slice("addressType: IPv4\nendpoints: [{addresses: [db.example.com]}]\n"),
            "f.yaml:6:26: EndpointSlice default/s: \"db.example.com\" is not an IP address (for a name use a"},
        Bad{Slice("addressType: IPv4\nendpoints: [{addresses: ['fd00::1']}]\n"),
            "f.yaml:6:26: EndpointSlice default/s: fd00::1 is not of the slice's addressType IPv4"},
        Bad{Slice("addressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}]\n"),
            "the address 127.0.0.1 cannot be an endpoint"},
        Bad{Slice("addressType: IPv4\nendpoints: [{}]\n"),
            "f.yaml:6:13: EndpointSlice default/s: addresses is missing"},
        Bad{Slice("addressType: IPv4\nports: [{name: a}]\n"), "f.yaml:6:9: EndpointSlice default/s: port is missing"},
        Bad{Slice("addressType: IPv4\nports: [{port: 70000}]\n"), "port 70000 is outside 1..65535"},
        Bad{"apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\nsubsets: [{addresses: [{ip: x}]}]\n",
            "f.yaml:4:29: Endpoints default/e: \"x\" is not an IP address"},
        Bad{"apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\nsubset: []\n",
            "unknown field \"subset\" (did you mean \"subsets\"?)"}));

TEST(EndpointSlices, SayEachMistakeAtOnce) {
  const std::string is = ": EndpointSlice default/s: ";
  const Decoded slice = DecodeText(Slice("addressType: IPv4\nports: [{port: 0}, {name: a}]\nendpoints:\n"
                                         "- {addresses: [a.example.com, b.example.com]}\n"
                                         "- {addresses: [192.168.7.1]}\n"
                                         "- {addresses: ['fd00::1'], hostname: a b}\n"),
                                   "f.yaml");
  EXPECT_TRUE(slice.objects.empty());
  EXPECT_EQ(slice.findings.size(), 6U) << Said(slice.findings);
  for (const std::string& one :
       {"f.yaml:8:16" + is + "\"a.example.com\" is not an IP address",
        "f.yaml:8:31" + is + "\"b.example.com\" is not an IP address",
        "f.yaml:10:16" + is + "fd00::1 is not of the slice's addressType IPv4",
        "f.yaml:10:38" + is + "\"a b\" is not a host name", "f.yaml:6:16" + is + "port 0 is outside 1..65535",
        "f.yaml:6:20" + is + "port is missing"}) {
    EXPECT_NE(Said(slice.findings).find(one), std::string::npos) << one << "\nin\n" << Said(slice.findings);
  }
  const Decoded endpoints = DecodeText(
      "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\nsubsets: [{addresses: [{ip: one}, {ip: two}]}]\n",
      "f.yaml");
  EXPECT_TRUE(endpoints.objects.empty());
  EXPECT_EQ(endpoints.findings.size(), 2U) << Said(endpoints.findings);
}

TEST(EndpointSlices, WithoutEffectAreWarnedOf) {
  const std::string slice = Slice("addressType: IPv4\nports: [{name: other, port: 2}]\n");
  const std::string missing = Said(SnapshotOf(slice)->findings());
  EXPECT_NE(missing.find("test.yaml:4:58: EndpointSlice default/s: Referenced Service not found: \"db\""),
            std::string::npos)
      << missing;
  EXPECT_NE(Said(SnapshotOf(Service("db", kDb) + slice)->findings()).find("The Service db has no port named \"other\""),
            std::string::npos);
  EXPECT_NE(Said(SnapshotOf(Service("db", "{selector: {a: b}, ports: [{port: 1}]}") + slice)->findings())
                .find("The Service db has a selector"),
            std::string::npos);
}

TEST(ExternalNames, AreOtherNamesOfAServiceOfTheMesh) {
  const SnapshotRef snapshot = SnapshotOf(
      Service("db", kDb) + Service("other", "{type: ExternalName, externalName: db.default.svc.cluster.local}") +
      Service("third", "{type: ExternalName, externalName: other.default.svc.cluster.local}") +
      Service("outside", "{type: ExternalName, externalName: db.example.com, ports: [{port: 80}]}"));
  const auto find = [&](const std::string& name) {
    return snapshot->FindService(name + ".default.svc.cluster.local", "default");
  };
  EXPECT_EQ(find("other")->alias_of, find("db"));
  EXPECT_EQ(find("third")->alias_of, find("db"));
  EXPECT_EQ(find("db")->aliases.size(), 2U);
  EXPECT_EQ(find("outside")->alias_of, nullptr);
  EXPECT_EQ(find("outside")->endpoints[0][0].dns_name, "db.example.com");
}

TEST(ExternalNames, ThatLeadToThemselvesAreWarnedOf) {
  const SnapshotRef snapshot =
      SnapshotOf(Service("a", "{type: ExternalName, externalName: b.default.svc.cluster.local}") +
                 Service("b", "{type: ExternalName, externalName: a.default.svc.cluster.local}"));
  EXPECT_NE(
      Said(snapshot->findings())
          .find("test.yaml:5:42: Service default/a: The ExternalName b.default.svc.cluster.local leads to no host"),
      std::string::npos)
      << Said(snapshot->findings());
}

std::string Networks(const std::string& text) {
  return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  "
         "meshNetworks: |\n" +
         text;
}

TEST(MeshNetworks, TellWhereEndpointsAre) {
  const SnapshotRef snapshot = SnapshotOf(
      Networks("    networks:\n      here: {endpoints: [{fromRegistry: Kubernetes}], gateways: [{address: 1.2.3.4, "
               "port: 443}]}\n"
               "      far: {endpoints: [{fromCidr: 10.9.0.0/16}], gateways: [{registryServiceName: gw.x}]}\n"));
  EXPECT_EQ(Said(snapshot->findings()), "");
  EXPECT_EQ(snapshot->NetworkOf(RunningPod("a", "", {}, "10.244.0.1")), "here");
  EXPECT_EQ(snapshot->NetworkOf(RunningPod("a", "", {}, "10.9.0.1")), "far");
  EXPECT_EQ(snapshot->NetworkOf(RunningPod("a", "", {{"topology.istio.io/network", "x"}}, "10.9.0.1")), "x");
  EXPECT_EQ(snapshot->FindNetwork("here")->gateways[0].port, 443);
  EXPECT_EQ(snapshot->FindNetwork("far")->gateways[0].port, 15443);
  EXPECT_EQ(snapshot->FindNetwork("far")->gateways[0].service, "gw.x");
}

TEST(MeshNetworks, AreRefusedWithThePlaceOfTheMistake) {
  const auto said = [](const std::string& text) { return Said(DecodeText(Networks(text), "f.yaml").findings); };
  EXPECT_NE(said("    networks:\n      a: {endpoints: [{fromCidr: 10.0.0.0/40}]}\n")
                .find("f.yaml:8:23: ConfigMap istio-system/istio: mesh networks: \"10.0.0.0/40\" is neither"),
            std::string::npos);
  EXPECT_NE(
      said("    networks: {a: {gateways: [{address: gw.example.com}]}}\n").find("\"gw.example.com\" is not an IP"),
      std::string::npos);
  EXPECT_NE(said("    networks: {a: {gateway: []}}\n").find("did you mean \"gateways\"?"), std::string::npos);
}

}  // namespace
}  // namespace plait::control::model
