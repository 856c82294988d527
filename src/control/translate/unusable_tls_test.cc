// DestinationRules whose TLS is invalid: nothing is sent, in place of plaintext.
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {

// The cluster of port 80 of a service with one pod, under a rule with `policy`.
xds::Cluster ClusterUnder(const std::string& policy, const std::string& service, model::Proxy::Form form,
                          const std::string& subset = "") {
  const std::string rule =
      "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\nspec: {host: db, " +
      policy + "}\n";
  const auto snapshot = model::testing::SnapshotOf(
      (service + rule).c_str(), {model::testing::RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.9", "db")});
  model::Proxy proxy{.id = "web-0.default", .name_space = "default", .service_account = "web"};
  proxy.form = form;
  const auto cluster = FindCluster(proxy, *snapshot, "outbound|80|" + subset + "|db.default.svc.cluster.local");
  EXPECT_TRUE(cluster) << policy;
  return cluster.value_or(xds::Cluster{});
}

constexpr const char* kService =
    "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: 10.96.2.9, selector: {app: db}, ports: "
    "[{name: http, port: 80}]}\n";
constexpr const char* kHeadless =
    "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: None, selector: {app: db}, ports: "
    "[{name: http, port: 80}]}\n";
constexpr const char* kTls = "tls: {mode: MUTUAL, credentialName: client-credential}";

TEST(UnusableTls, SendsNothing) {
  using Form = model::Proxy::Form;
  const std::string tls = kTls;
  for (const Form form : {Form::kPlait, Form::kEnvoy}) {
    for (const char* service : {kService, kHeadless}) {
      for (const auto& [policy, subset] : std::vector<std::pair<std::string, std::string>>{
               {"trafficPolicy: {" + tls + "}", ""},
               {"trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}, " + tls + "}", ""},
               {"trafficPolicy: {portLevelSettings: [{port: {number: 80}, " + tls + "}]}", ""},
               {"subsets: [{name: v1, trafficPolicy: {" + tls + "}}]", "v1"}}) {
        const xds::Cluster cluster = ClusterUnder(policy, service, form, subset);
        EXPECT_EQ(cluster.type, xds::Cluster::Type::kStatic) << policy;
        EXPECT_TRUE(cluster.load_assignment.localities.empty()) << policy;
        EXPECT_EQ(cluster.refused_by, "invalid_policy[default/r]-kind[DestinationRule]");
        const auto back = xds::DecodeCluster(xds::Encode(cluster));
        EXPECT_TRUE(back && *back == cluster) << "proxies take it";
      }
      EXPECT_EQ(ClusterUnder("subsets: [{name: v1, trafficPolicy: {" + tls + "}}]", service, form).type ==
                    xds::Cluster::Type::kStatic,
                false)
          << "only the subset is closed";
    }
  }
}

}  // namespace
}  // namespace plait::control::translate
