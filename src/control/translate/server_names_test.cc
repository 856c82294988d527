// Whom a client accepts as the server of a cluster (semantics.md 3: secure naming).
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

constexpr const char* kService = R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.96.2.9, selector: {app: db}, ports: [{name: http, port: 80}]}
)";
constexpr const char* kMutual = R"(
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec: {host: db, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
)";

using Names = std::vector<std::string>;

// Of a service with one pod without a proxy and one with.
Names NamesOf(const std::string& manifests) {
  model::Workload bare = RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.9", "bare");
  bare.meshed = false;
  const model::Workload meshed = RunningPod("db-1", "db", {{"app", "db"}}, "10.244.0.10", "meshed");
  const auto snapshot = model::testing::SnapshotOf(manifests.c_str(), {bare, meshed});
  const model::Proxy proxy{.id = "web-0.default", .name_space = "default", .service_account = "web"};
  const auto cluster = FindCluster(proxy, *snapshot, "outbound|80||db.default.svc.cluster.local");
  if (!cluster) return {"no cluster"};
  const auto& tls = cluster->tls ? cluster->tls : cluster->transport_socket_matches.at(0).tls;
  Names names;
  for (const xds::SubjectAltNameMatcher& name : tls->common.validation->subject_alt_names)
    names.push_back(name.matcher.value);
  return names;
}

constexpr const char* kBare = "spiffe://cluster.local/ns/default/sa/bare";
constexpr const char* kMeshed = "spiffe://cluster.local/ns/default/sa/meshed";

// As with Istio: a server that speaks mutual TLS without a proxy has its account like any other.
TEST(ServerNames, OfMutualTlsAreTheAccountsOfAllPodsAlsoOfThoseWithoutAProxy) {
  EXPECT_EQ(NamesOf(std::string(kService) + kMutual), (Names{kBare, kMeshed}));
}

TEST(ServerNames, AreThoseOfPodsWithAProxyWhereTheOthersAreReachedInPlaintext) {
  EXPECT_EQ(NamesOf(kService), Names{kMeshed});
}

}  // namespace
}  // namespace plait::control::translate
