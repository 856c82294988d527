// A field that is called honoured changes what proxies are sent: decoding it is not enough.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/model/testing_objects.h"
#include "control/reference/kinds.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"
#include "core/xds/encode/encode.h"

namespace plait::control::reference {
namespace {
using model::testing::RunningPod;

// What the sample objects are about: their hosts, a gateway's pods, and a rule for the gateway to have routes.
constexpr char kMesh[] = R"(
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  clusterIP: 10.96.1.1
  selector: {app: a}
  ports: [{name: http, port: 80}, {name: tcp, port: 1}, {name: tls, port: 443}, {name: auto, port: 7}]
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {clusterIP: 10.96.1.2, selector: {app: b}, ports: [{name: http, port: 80}, {name: http2, port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: sample}
spec: {clusterIP: 10.96.1.3, selector: {app: b}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {selector: {a: b}, servers: [{port: {number: 8090, name: edge, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec: {hosts: [sample], gateways: [mesh, edge], http: [{route: [{destination: {host: b}}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: limits}
spec: {host: sample, trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: subset}
spec: {host: a.com, subsets: [{name: one, labels: {key: sample}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec: {hosts: [outside.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all, namespace: sample}
spec: {rules: [{from: [{source: {namespaces: [a]}}]}]}
)";

// What one sample object and this mesh cannot show, and where it is shown.
struct Elsewhere {
  std::string_view field;  // or what it begins with
  std::string_view where;
};
constexpr Elsewhere kElsewhere[] = {
    {"VirtualService http[].delegate.", "control/model/delegates_test.cc: it needs the other VirtualService"},
    {"DestinationRule trafficPolicy.loadBalancer.localityLbSetting", "control/translate/localities_test.cc"},
    {"MeshConfig localityLbSetting", "control/translate/localities_test.cc"},
    {"ServiceEntry endpoints[].network", "control/translate/names_and_networks_test.cc"},
    {"MeshNetworks ", "control/translate/names_and_networks_test.cc"},
    {"MeshConfig defaultConfig.concurrency", "control/source/pods_test.cc: it is the supervisor's"},
};

void AddAll(const model::Proxy& proxy, const model::Snapshot& snapshot, std::string& out) {
  using namespace translate;  // NOLINT: what is asked here
  for (const xds::Listener& listener : Listeners(proxy, snapshot)) out += xds::Encode(listener);
  for (const std::string& name : RouteNames(proxy, snapshot)) out += xds::Encode(*FindRoutes(proxy, snapshot, name));
  for (const std::string& name : ClusterNames(proxy, snapshot)) out += xds::Encode(*FindCluster(proxy, snapshot, name));
  for (const std::string& name : EndpointNames(proxy, snapshot))
    out += xds::Encode(*FindEndpoints(proxy, snapshot, name));
  for (const char* port : {"1", "7", "80", "443", "8080"})
    if (const auto routes = FindL4Routes(proxy, snapshot, port)) out += xds::Encode(*routes);
}

// All that is sent to a sidecar of the sample's namespace and to a gateway.
std::string Sent(const std::vector<model::ObjectRef>& objects) {
  static const std::vector<model::ObjectRef> mesh = model::DecodeText(kMesh, "mesh").objects;
  std::vector<model::ObjectRef> all = mesh;
  all.insert(all.end(), objects.begin(), objects.end());
  const auto snapshot =
      model::Snapshot::Build(all,
                             std::make_shared<const std::vector<model::Workload>>(std::vector<model::Workload>{
                                 RunningPod("a-0", "a", {{"app", "a"}, {"a", "b"}}, "10.244.0.1", "a"),
                                 RunningPod("b-0", "b", {{"app", "b"}}, "10.244.0.2", "b")}),
                             {});
  std::string out;
  const model::Labels labels{{"app", "a"}, {"a", "b"}};
  AddAll({.id = "a-0.default", .name_space = "default", .labels = labels, .ips = {*io::IpAddress::Parse("10.244.0.1")}},
         *snapshot, out);
  AddAll({.type = model::Proxy::Type::kRouter, .name_space = "default", .labels = labels}, *snapshot, out);
  for (const auto& address : translate::Addresses(*snapshot)) out += address.name + xds::Encode(address.address);
  return out;
}

TEST(HonouredFields, ChangeWhatProxiesAreSent) {
  for (KindSubject kind : IstioKinds()) {
    if (kind.subject.type == nullptr) continue;
    const std::vector<Field> decoded = FieldsOf(kind.subject);
    kind.subject.meaning = Sent;
    const std::vector<Field> sent = FieldsOf(kind.subject);
    for (const Field& field : decoded) {
      if (field.effect != Effect::kHonoured) continue;
      const std::string name =
          std::string(kind.name.empty() ? model::KindName(kind.kind) : kind.name) + " " + field.path;
      if (std::ranges::any_of(kElsewhere, [&](const Elsewhere& one) { return name.starts_with(one.field); })) continue;
      const auto found = std::ranges::find(sent, field.path, &Field::path);
      EXPECT_TRUE(found != sent.end() && found->effect == Effect::kHonoured)
          << name << " is decoded, and then nothing is sent to proxies that depends on it: translate it, or name it in "
          << "control/model/unhonoured.cc";
    }
  }
}

}  // namespace
}  // namespace plait::control::reference
