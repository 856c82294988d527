#include "control/translate/rbac.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/describe.h"

namespace plait::control::translate {
namespace {

// Whom a policy with this principal lets in, where the mesh's trust domain has aliases: names as matchers.
std::vector<std::string> LetIn(const std::string& principal, model::Proxy::Form form = model::Proxy::Form::kPlait) {
  model::SnapshotOptions options;
  options.mesh.trust_domain = "new-td";
  options.mesh.trust_domain_aliases = {"old-td", "older", "old-td", "new-td"};
  const model::SnapshotRef snapshot = model::testing::SnapshotOf(
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n"
      "spec: {rules: [{from: [{source: {principals: ['" +
          principal + "']}}]}]}\n",
      {}, options);
  const auto filters = HttpRbac({.form = form, .name_space = "default"}, *snapshot);
  const xds::Principal who = std::get<xds::RbacFilter>(filters.at(0).config).rules->policies.at(0).principals.at(0);
  std::vector<std::string> out;
  for (const xds::Principal& one : who.children.empty() ? std::vector<xds::Principal>{who} : who.children) {
    EXPECT_EQ(one.kind, xds::Principal::Kind::kAuthenticated);
    out.push_back(one.has_text ? Describe(one.text) : "whoever speaks TLS");
  }
  return out;
}
using Names = std::vector<std::string>;

TEST(Principals, OfTheOwnTrustDomainOrAnAliasAreThoseOfAllOfThem) {
  EXPECT_EQ(LetIn("new-td/ns/a/sa/b"),
            (Names{"=spiffe://new-td/ns/a/sa/b", "=spiffe://old-td/ns/a/sa/b", "=spiffe://older/ns/a/sa/b"}));
  EXPECT_EQ(LetIn("old-td/ns/a/*"),
            (Names{"^spiffe://old-td/ns/a/", "^spiffe://new-td/ns/a/", "^spiffe://older/ns/a/"}));
  EXPECT_EQ(LetIn("cluster.local/ns/a/sa/b"), (Names{"=spiffe://cluster.local/ns/a/sa/b", "=spiffe://new-td/ns/a/sa/b",
                                                     "=spiffe://old-td/ns/a/sa/b", "=spiffe://older/ns/a/sa/b"}));
  EXPECT_EQ(LetIn("*-td/ns/a/sa/b"), (Names{"$-td/ns/a/sa/b", "=spiffe://older/ns/a/sa/b"}));
}

TEST(Principals, OfOtherTrustDomainsAreTheirOwn) {
  EXPECT_EQ(LetIn("partner/ns/a/sa/b"), Names{"=spiffe://partner/ns/a/sa/b"});
  EXPECT_EQ(LetIn("new-tdx/ns/a/sa/b"), Names{"=spiffe://new-tdx/ns/a/sa/b"});
  EXPECT_EQ(LetIn("*/ns/a/sa/b"), Names{"$/ns/a/sa/b"});
}

// For Envoy "authenticated" without a name takes a client without a certificate.
TEST(Principals, OfAnybodyAskForAName) {
  EXPECT_EQ(LetIn("*"), Names{"re .+"});
  EXPECT_EQ(LetIn("*", model::Proxy::Form::kEnvoy), Names{"re .+"});
}

}  // namespace
}  // namespace plait::control::translate
