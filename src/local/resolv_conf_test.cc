#include "local/resolv_conf.h"

#include <gtest/gtest.h>

namespace plait::local {
namespace {

constexpr const char* kHost =
    "# a comment\nsearch old.example\nnameserver 192.0.2.1\nsearch corp.example\tlab.example\n"
    "options timeout:1 rotate\noptions edns0\n";

PodSpec PodWith(DnsSpec dns) {
  PodSpec pod;
  pod.ns = "shop";
  pod.dns = std::move(dns);
  return pod;
}

TEST(ResolvConf, IsThatOfTheClusterUnlessThePodSaysOtherwise) {
  EXPECT_EQ(ResolvConf(PodWith({}), kHost),
            "nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n");
}

TEST(ResolvConf, AddsWhatThePodSaysAndReplacesOptions) {
  EXPECT_EQ(ResolvConf(PodWith({.policy = DnsSpec::Policy::kClusterFirst,
                                .searches = {"a.example", "cluster.local"},
                                .options = {{"edns0", ""}, {"ndots", "2"}}}),
                       kHost),
            "nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local a.example\n"
            "options ndots:2 edns0\n");
}

TEST(ResolvConf, TakesDomainsAndOptionsOfTheHostWhereThePolicyIsDefault) {
  EXPECT_EQ(
      ResolvConf(PodWith({.policy = DnsSpec::Policy::kDefault, .searches = {}, .options = {{"timeout", "3"}}}), kHost),
      "nameserver 10.96.0.10\nsearch corp.example lab.example\noptions timeout:3 rotate edns0\n");
}

TEST(ResolvConf, HasNothingOfItsOwnWhereThePolicyIsNone) {
  EXPECT_EQ(ResolvConf(PodWith({.policy = DnsSpec::Policy::kNone, .searches = {}, .options = {}}), kHost),
            "nameserver 10.96.0.10\n");
  EXPECT_EQ(ResolvConf(PodWith({.policy = DnsSpec::Policy::kNone, .searches = {"a.example"}, .options = {}}), kHost),
            "nameserver 10.96.0.10\nsearch a.example\n");
}

TEST(ResolvConf, IsFollowedByTheNamesOfHostAliases) {
  EXPECT_EQ(HostAliasLines({{"10.0.0.1", {"db.example.com", "db"}}, {"fd01::1", {"six"}}}),
            "10.0.0.1\tdb.example.com\tdb\nfd01::1\tsix\n");
  EXPECT_EQ(HostAliasLines({}), "");
}

}  // namespace
}  // namespace plait::local
