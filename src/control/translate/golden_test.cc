// What the translators make of golden/*.yaml, as text to review. PLAIT_UPDATE_GOLDEN=1 writes the files anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/describe.h"
#include "control/translate/endpoints.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"
#include "testing/source_dir.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

std::string Folder() { return std::string(plait::testing::SourceDir()) + "/src/control/translate/golden/"; }
std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}
void ExpectGolden(const std::string& name, const std::string& text) {
  if (std::getenv("PLAIT_UPDATE_GOLDEN")) std::ofstream(Folder() + name) << text;
  EXPECT_EQ(ReadFile(Folder() + name), text) << name;
}

std::string DescribeAll(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::ostringstream out;
  for (const xds::Listener& listener : Listeners(proxy, snapshot)) Describe(out, listener);
  for (const std::string& name : RouteNames(proxy, snapshot)) Describe(out, *FindRoutes(proxy, snapshot, name));
  for (const std::string& name : ClusterNames(proxy, snapshot)) Describe(out, *FindCluster(proxy, snapshot, name));
  for (const std::string& name : EndpointNames(proxy, snapshot)) Describe(out, *FindEndpoints(proxy, snapshot, name));
  return out.str();
}

TEST(Golden, BookinfoAsASidecarAndAGatewaySeeIt) {
  model::Workload v2 =
      RunningPod("reviews-v2-0", "reviews-v2", {{"app", "reviews"}, {"version", "v2"}}, "10.244.0.6", "reviews");
  v2.ready = false;
  const model::SnapshotRef snapshot = model::testing::SnapshotOf(
      ReadFile(Folder() + "bookinfo.yaml"),
      {RunningPod("reviews-v1-0", "reviews-v1", {{"app", "reviews"}, {"version", "v1"}}, "10.244.0.5", "reviews"), v2,
       RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.7", "db", "data")});
  model::Proxy sidecar{.id = "reviews-v1-0.default",
                       .name_space = "default",
                       .service_account = "reviews",
                       .labels = {{"app", "reviews"}, {"version", "v1"}},
                       .ips = {*io::IpAddress::Parse("10.244.0.5")}};
  model::Proxy envoy = sidecar;
  envoy.form = model::Proxy::Form::kEnvoy;
  model::Proxy gateway{
      .type = model::Proxy::Type::kRouter, .name_space = "istio-system", .labels = {{"istio", "ingressgateway"}}};
  ExpectGolden("bookinfo-sidecar.txt", DescribeAll(sidecar, *snapshot));
  ExpectGolden("bookinfo-envoy.txt", DescribeAll(envoy, *snapshot));
  ExpectGolden("bookinfo-gateway.txt", DescribeAll(gateway, *snapshot));
}

TEST(Golden, TwoNetworksAsAClientAndAnEastWestGatewaySeeThem) {
  const model::SnapshotRef snapshot = model::testing::SnapshotOf(
      ReadFile(Folder() + "two-networks.yaml"),
      {RunningPod("web-v1-0", "web-v1", {{"app", "web"}, {"version", "v1"}}, "10.1.0.5", "near"),
       RunningPod("web-v2-0", "web-v2", {{"app", "web"}, {"version", "v2"}}, "10.2.0.6", "far")});
  const model::Proxy client{.id = "client-0.default", .name_space = "default", .network = "near"};
  const model::Proxy gateway{.type = model::Proxy::Type::kRouter,
                             .name_space = "istio-system",
                             .labels = {{"istio", "eastwestgateway"}},
                             .network = "far"};
  ExpectGolden("two-networks-sidecar.txt", DescribeAll(client, *snapshot));
  ExpectGolden("two-networks-gateway.txt", DescribeAll(gateway, *snapshot));
}

}  // namespace
}  // namespace plait::control::translate
