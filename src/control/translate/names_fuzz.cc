// Names of resources that a client asks for, in a small mesh. Checked: a resource has the name that was asked for, and
// a cluster that an Envoy's name or a server name (SNI) leads to is written under a name that leads there as well.
#include <algorithm>
#include <cstdint>
#include <string>

#include "control/model/testing_objects.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/names.h"
#include "control/translate/routes.h"
#include "control/translate/secrets.h"
#include "core/base/check.h"

namespace {
using namespace plait;
using namespace plait::control;

constexpr char kObjects[] = R"(
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {clusterIP: 10.96.1.1, selector: {app: a}, ports: [{name: http, port: 80}, {name: tcp, port: 90}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: a, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild}
spec: {hosts: ["*.example", api.example], resolution: DNS, ports: [{name: tls, number: 443, protocol: TLS}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: edge}
  servers:
  - {port: {name: http, number: 80, protocol: HTTP}, hosts: ["*"]}
  - {port: {name: https, number: 443, protocol: HTTPS}, hosts: [a.example], tls: {mode: SIMPLE, credentialName: cert}}
)";

struct Mesh {
  model::SnapshotRef snapshot;
  std::vector<model::Proxy> proxies;  // a sidecar of either form and a gateway
};

const Mesh& TheMesh() {
  static const Mesh mesh = [] {
    Mesh out;
    out.snapshot = model::testing::SnapshotOf(
        kObjects, {model::testing::RunningPod("a-0", "a", {{"app", "a"}, {"version", "v1"}}, "10.244.0.1"),
                   model::testing::RunningPod("edge-0", "edge", {{"istio", "edge"}}, "10.244.0.2")});
    for (const auto form : {model::Proxy::Form::kPlait, model::Proxy::Form::kEnvoy}) {
      model::Proxy proxy;
      proxy.form = form;
      proxy.id = "a-0.default";
      proxy.name_space = "default";
      proxy.labels = {{"app", "a"}, {"version", "v1"}};
      proxy.ips = {*io::IpAddress::Parse("10.244.0.1")};
      out.proxies.push_back(proxy);
    }
    model::Proxy gateway;
    gateway.type = model::Proxy::Type::kRouter;
    gateway.id = "edge-0.default";
    gateway.name_space = "default";
    gateway.labels = {{"istio", "edge"}};
    gateway.ips = {*io::IpAddress::Parse("10.244.0.2")};
    out.proxies.push_back(gateway);
    return out;
  }();
  return mesh;
}

void Resources(std::string_view name) {
  const model::Snapshot& snapshot = *TheMesh().snapshot;
  for (const model::Proxy& proxy : TheMesh().proxies) {
    if (const auto found = translate::FindCluster(proxy, snapshot, name)) PLAIT_CHECK(found->name == name);
    if (const auto found = translate::FindEndpoints(proxy, snapshot, name)) PLAIT_CHECK(found->cluster_name == name);
    if (const auto found = translate::FindRoutes(proxy, snapshot, name)) PLAIT_CHECK(found->name == name);
    if (const auto found = translate::FindL4Routes(proxy, snapshot, name)) PLAIT_CHECK(found->name == name);
    if (const auto found = translate::FindSecret(proxy, snapshot, "roots", name)) PLAIT_CHECK(found->name == name);
  }
  const auto address = translate::FindAddress(snapshot, name);
  if (address && address->name != name)
    PLAIT_CHECK(std::find(address->aliases.begin(), address->aliases.end(), name) != address->aliases.end() ||
                name.find('/') != std::string_view::npos);
}

void Outbound(std::string_view name) {
  const auto parsed = translate::ParseOutboundCluster(name);
  if (!parsed) return;
  PLAIT_CHECK(parsed->port != 0 && !parsed->hostname.empty());
  PLAIT_CHECK(name.find(parsed->hostname) != std::string_view::npos);
  const std::string written = name.starts_with("outbound|")
                                  ? translate::OutboundCluster(parsed->port, parsed->subset, parsed->hostname)
                                  : translate::MeshSni(*parsed);
  const auto again = translate::ParseOutboundCluster(written);
  PLAIT_CHECK(again && again->port == parsed->port && again->subset == parsed->subset &&
              again->hostname == parsed->hostname);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view name(reinterpret_cast<const char*>(data), size);
  if (size > 1024) return 0;
  Outbound(name);
  Resources(name);
  return 0;
}
