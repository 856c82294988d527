#include "control/model/near_host.h"

#include <gtest/gtest.h>

#include "control/model/hosts.h"
#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

std::string Service(const std::string& name_space, const std::string& name, const std::string& export_to = "*") {
  return "apiVersion: v1\nkind: Service\nmetadata:\n  name: " + name + "\n  namespace: " + name_space +
         "\n  annotations: {networking.istio.io/exportTo: \"" + export_to +
         "\"}\nspec: {ports: [{name: http, port: 80}]}\n---\n";
}

class NearHosts : public ::testing::Test {
 protected:
  static SnapshotRef Mesh() {
    std::string text = Service("shop", "reviews") + Service("shop", "ratings") + Service("other", "billing") +
                       Service("other", "hidden", ".");
    text +=
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: shop}\n"
        "spec: {hosts: [api.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}\n";
    Decoded decoded = DecodeText(text, "f.yaml");
    EXPECT_FALSE(HasErrors(decoded.findings));
    return Snapshot::Build(decoded.objects, std::make_shared<const std::vector<Workload>>(), {});
  }
  std::string Advice(const std::string& written) {
    return near_.Advice(ResolveHost(written, "shop", "cluster.local"), "shop");
  }
  const SnapshotRef mesh_ = Mesh();
  NearHost near_{*mesh_};
};

TEST_F(NearHosts, AreNamedAsTheyCanBeWritten) {
  EXPECT_EQ(Advice("reveiws"), "did you mean \"reviews\"? ");
  EXPECT_EQ(Advice("rating.shop.svc.cluster.local"), "did you mean \"ratings\"? ");
  EXPECT_EQ(Advice("api.exampel.com"), "did you mean \"api.example.com\"? ");
  EXPECT_EQ(Advice("biling.other.svc.cluster.local"), "did you mean \"billing.other.svc.cluster.local\"? ");
}

TEST_F(NearHosts, AreLookedForInOtherNamespaces) {
  EXPECT_EQ(Advice("billing"), "did you mean \"billing.other.svc.cluster.local\"? ");
  EXPECT_EQ(Advice("billing.other"), "did you mean \"billing.other.svc.cluster.local\"? ");
  EXPECT_EQ(Advice("reviews.wrong.svc.cluster.local"), "did you mean \"reviews.shop.svc.cluster.local\"? ");
}

TEST_F(NearHosts, AreNotInventedNorThoseThatMayNotBeSeen) {
  EXPECT_EQ(Advice("checkout"), "");
  EXPECT_EQ(Advice("hidden"), "");
  EXPECT_EQ(Advice("www.example.org"), "");
}

TEST_F(NearHosts, AreLookedForOnlyFiftyTimes) {
  for (int i = 0; i < 50; ++i) EXPECT_NE(Advice("reviewss"), "");
  EXPECT_EQ(Advice("reviewss"), "");
}

}  // namespace
}  // namespace plait::control::model
