// What plaitd encodes, plait-proxy decodes to the same: every resource that the translators make of
// golden/bookinfo.yaml.
#include <gtest/gtest.h>

#include <fstream>

#include "control/model/testing_objects.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"
#include "testing/source_dir.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

model::SnapshotRef Bookinfo() {
  std::ifstream in(std::string(plait::testing::SourceDir()) + "/src/control/translate/golden/bookinfo.yaml");
  std::ostringstream text;
  text << in.rdbuf();
  return model::testing::SnapshotOf(
      text.str(),
      {RunningPod("reviews-v1-0", "reviews-v1", {{"app", "reviews"}, {"version", "v1"}}, "10.244.0.5", "reviews"),
       RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.7", "db", "data")});
}

template <class T>
void ExpectTheSame(const std::string& name, const T& value, Outcome<T> (*decode)(std::string_view)) {
  const auto back = decode(xds::Encode(value));
  ASSERT_TRUE(back.has_value()) << name << ": " << back.error().ToString();
  EXPECT_TRUE(*back == value) << name;
}

class RoundTrip : public ::testing::TestWithParam<model::Proxy> {};

TEST_P(RoundTrip, GivesEachResourceBack) {
  const model::SnapshotRef snapshot = Bookinfo();
  const model::Proxy& proxy = GetParam();
  for (const xds::Listener& listener : Listeners(proxy, *snapshot))
    ExpectTheSame(listener.name, listener, &xds::DecodeListener);
  for (const std::string& name : RouteNames(proxy, *snapshot))
    ExpectTheSame(name, *FindRoutes(proxy, *snapshot, name), &xds::DecodeRouteConfiguration);
  for (const std::string& name : ClusterNames(proxy, *snapshot))
    ExpectTheSame(name, *FindCluster(proxy, *snapshot, name), &xds::DecodeCluster);
  for (const std::string& name : EndpointNames(proxy, *snapshot))
    ExpectTheSame(name, *FindEndpoints(proxy, *snapshot, name), &xds::DecodeClusterLoadAssignment);
  for (const NamedAddress& address : Addresses(*snapshot))
    ExpectTheSame(address.name, address.address, &xds::DecodeAddress);
}

INSTANTIATE_TEST_SUITE_P(Proxies, RoundTrip,
                         ::testing::Values(model::Proxy{.id = "reviews-v1-0.default",
                                                        .name_space = "default",
                                                        .labels = {{"app", "reviews"}, {"version", "v1"}},
                                                        .ips = {*io::IpAddress::Parse("10.244.0.5")}},
                                           model::Proxy{.form = model::Proxy::Form::kEnvoy,
                                                        .id = "reviews-v1-0.default",
                                                        .name_space = "default",
                                                        .labels = {{"app", "reviews"}, {"version", "v1"}},
                                                        .ips = {*io::IpAddress::Parse("10.244.0.5")}},
                                           model::Proxy{.type = model::Proxy::Type::kRouter,
                                                        .name_space = "istio-system",
                                                        .labels = {{"istio", "ingressgateway"}}}));

}  // namespace
}  // namespace plait::control::translate
