// A change of one pod, or of one rule, in a mesh of 1,000 services with 10,000 pods, told to 200 proxies that use 20
// services each: from the objects to the responses that they are sent.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "control/model/testing_objects.h"
#include "control/serve/delta_session.h"
#include "control/serve/mesh_provider.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
constexpr int kServices = 1000, kPodsEach = 10, kProxies = 200, kUsed = 20;

std::string Name(int service) { return "svc-" + std::to_string(service); }

std::string Services() {
  std::string yaml;
  for (int i = 0; i < kServices; ++i)
    yaml += "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + Name(i) + "}\nspec: {selector: {app: " + Name(i) +
            "}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";
  return yaml;
}

std::string Rule(int n) {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: rule}\nspec: {hosts: [" +
         Name(0) + "], http: [{timeout: " + std::to_string(n + 1) + "s, route: [{destination: {host: " + Name(0) +
         "}}]}]}\n";
}

// It matters for every service in which of three localities a client stands.
constexpr char kFailOver[] =
    "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: fail-over}\nspec: {host: "
    "'*.local', "
    "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}}\n";

class Mesh {
 public:
  explicit Mesh(bool fail_over = false)
      : objects_(model::DecodeText(Services() + (fail_over ? kFailOver : ""), "services.yaml").objects),
        provider_("roots") {
    for (int i = 0; i < kServices; ++i)
      for (int n = 0; n < kPodsEach; ++n)
        pods_.push_back(model::testing::RunningPod(
            Name(i) + "-" + std::to_string(n), Name(i), {{"app", Name(i)}, {"version", "v1"}, {"team", "t"}},
            "10." + std::to_string(1 + i / 250) + "." + std::to_string(i % 250) + "." + std::to_string(n), Name(i)));
    for (std::size_t i = 0; i < pods_.size(); ++i) pods_[i].labels["istio-locality"] = "r" + std::to_string(i % 3);
    std::sort(pods_.begin(), pods_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    SetRule(0);
    provider_.SetSnapshot(Build());
    for (int i = 0; i < kProxies; ++i) Connect(i);
  }

  void FlipPod() {
    model::Workload& pod = pods_[pods_.size() / 2];
    pod.ready = !pod.ready;
  }
  void SetRule(int n) { rule_ = model::DecodeText(Rule(n), "rule.yaml").objects; }
  model::SnapshotRef Build() const {
    std::vector<model::ObjectRef> objects = objects_;
    objects.insert(objects.end(), rule_.begin(), rule_.end());
    return model::Snapshot::Build(std::move(objects), std::make_shared<const std::vector<model::Workload>>(pods_), {});
  }
  // Resources that were sent. `known`: what differs; else everything is compared.
  std::size_t Push(model::SnapshotRef snapshot, bool known) {
    const Difference difference = provider_.SetSnapshot(std::move(snapshot));
    std::size_t sent = 0;
    for (Client& client : clients_) {
      client.session.OnConfigChanged(known ? difference : Difference{}, client.proxy);
      sent += Settle(client);
    }
    return sent;
  }

 private:
  struct Client {
    Proxy proxy;
    DeltaSession session;
  };
  void Connect(int i) {
    Client& client = clients_.emplace_back();
    client.proxy.name = Name(i) + "-0";
    client.proxy.name_space = "default";
    client.proxy.plait_form = true;
    client.proxy.identity = {"cluster.local", "default", Name(i)};
    client.proxy.node.labels = {{"app", Name(i)}, {"version", "v1"}};
    std::vector<std::string> clusters;
    for (int n = 0; n < kUsed; ++n)
      clusters.push_back("outbound|80||" + Name((i + n * 37) % kServices) + ".default.svc.cluster.local");
    const auto subscribe = [&](std::string_view type, std::vector<std::string> names) {
      benchmark::DoNotOptimize(
          client.session.OnRequest({.type_url = std::string(type), .subscribe = std::move(names)}).has_value());
    };
    subscribe(kAddress, {"*"});
    subscribe(kCluster, clusters);
    subscribe(kEndpoint, clusters);
    subscribe(kRoute, {"80"});
    Settle(client);
  }
  std::size_t Settle(Client& client) {
    std::size_t sent = 0;
    for (;;) {
      const auto responses = client.session.Take(provider_, client.proxy);
      if (responses.empty()) return sent;
      for (const auto& response : responses) {
        sent += response.resources.size();
        benchmark::DoNotOptimize(
            client.session.OnRequest({.type_url = response.type_url, .response_nonce = response.nonce}).has_value());
      }
    }
  }

  std::vector<model::ObjectRef> objects_, rule_;
  std::vector<model::Workload> pods_;
  MeshProvider provider_;
  std::vector<Client> clients_;
};

void BM_OnePodChanges(benchmark::State& state) {
  Mesh mesh(state.range(1) != 0);
  std::size_t sent = 0;
  for (auto _ : state) {
    mesh.FlipPod();
    sent = mesh.Push(mesh.Build(), state.range(0) != 0);
  }
  state.counters["resources_sent"] = static_cast<double>(sent);
}
BENCHMARK(BM_OnePodChanges)
    ->ArgNames({"known", "fail_over"})
    ->ArgsProduct({{0, 1}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

void BM_OneRuleChanges(benchmark::State& state) {
  Mesh mesh(state.range(0) != 0);
  int n = 0;
  for (auto _ : state) {
    mesh.SetRule(++n % 2);
    benchmark::DoNotOptimize(mesh.Push(mesh.Build(), true));
  }
}
BENCHMARK(BM_OneRuleChanges)->ArgName("fail_over")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void BM_SnapshotOfTenThousandPods(benchmark::State& state) {
  Mesh mesh;
  for (auto _ : state) {
    mesh.FlipPod();
    benchmark::DoNotOptimize(mesh.Build());
  }
}
BENCHMARK(BM_SnapshotOfTenThousandPods)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plait::control::serve
