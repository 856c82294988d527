// Clusters whose hosts are names: what is known holds until somebody knows better.
#include <gtest/gtest.h>

#include "proxy/cluster/cluster_set.h"

namespace plait::proxy::cluster {
namespace {
using namespace std::chrono_literals;

class Hands final : public Clock {
 public:
  MonotonicTime Now() const noexcept override { return now; }
  WallTime Wall() const noexcept override {
    return WallTime{} + std::chrono::duration_cast<WallTime::duration>(now.time_since_epoch());
  }
  MonotonicTime now = MonotonicTime{} + 1h;
};

class FakeNames final : public NameResolver {
 public:
  explicit FakeNames(io::Loop& on) : loop(on) {}
  Pending Resolve(const std::string& name, xds::DnsLookupFamily, OnAnswer done) override {
    ++asked;
    auto answer = known.contains(name) ? Result<Answer>(known[name]) : Fail(Errc::kUnavailable, "down");
    return loop.After(Duration::zero(), [call = std::move(done), answer]() mutable {
      auto once = std::move(call);
      once(std::move(answer));
    });
  }
  void Know(const std::string& name, std::vector<const char*> ips, std::optional<Duration> ttl) {
    known[name] = {.addresses = {}, .ttl = ttl};
    for (const char* ip : ips) known[name].addresses.push_back(io::IpAddress::Parse(ip).value());
  }
  io::Loop& loop;
  std::map<std::string, Answer> known;
  int asked = 0;
};

class DnsClusters : public testing::Test {
 protected:
  void Put(xds::Cluster::Type type, std::vector<std::string> names, Duration rate = 60s, bool by_ttl = true) {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "a";
    config->type = type;
    config->dns_refresh_rate = rate;
    config->respect_dns_ttl = by_ttl;
    xds::LocalityEndpoints group;
    for (const std::string& name : names) {
      xds::Endpoint endpoint;
      endpoint.dns_name = name;
      endpoint.dns_port = 443;
      group.endpoints.push_back(std::move(endpoint));
    }
    config->load_assignment.localities.push_back(std::move(group));
    ASSERT_TRUE(store_.Put(std::move(config)));
    Turn();
  }
  void Turn() {
    for (int i = 0; i < 4; ++i) {
      clock_.now += 1ms;  // a timer is due when its moment is over
      loop_.RunOnce(Duration::zero());
    }
  }
  void Pass(Duration time) {
    clock_.now += time;
    Turn();
  }
  std::string Hosts() const {
    const ClusterPtr cluster = store_.Find("a");
    std::string out;
    for (const HostPtr& host : cluster ? cluster->priorities.at(0).all : std::vector<HostPtr>{})
      out += host->address().ToString() + " ";
    return cluster ? out : "warming";
  }
  Hands clock_;
  io::Loop loop_{clock_};
  telemetry::Registry registry_;
  FakeNames names_{loop_};
  ClusterStore store_{loop_, registry_, &names_, [](const ClusterUpdate&) {}};
};

TEST_F(DnsClusters, HaveAllAddressesOfAllNamesOrTheFirstOne) {
  names_.Know("x", {"10.0.0.2", "10.0.0.1", "fd00::1"}, 30s);
  names_.Know("y", {"10.0.0.3"}, 30s);
  Put(xds::Cluster::Type::kStrictDns, {"x", "y"});
  EXPECT_EQ(Hosts(), "10.0.0.1:443 10.0.0.2:443 [fd00::1]:443 10.0.0.3:443 ");
  Put(xds::Cluster::Type::kLogicalDns, {"x"});
  EXPECT_EQ(Hosts(), "10.0.0.1:443 ");
}

TEST_F(DnsClusters, AskAgainWhenTheShortestTtlIsOver) {
  names_.Know("x", {"10.0.0.1"}, 20s);
  names_.Know("y", {"10.0.0.2"}, 7s);
  Put(xds::Cluster::Type::kStrictDns, {"x", "y"});
  EXPECT_EQ(names_.asked, 2);
  names_.Know("y", {"10.0.0.9"}, 7s);
  Pass(6s);
  EXPECT_EQ(names_.asked, 2);
  Pass(1s);
  EXPECT_EQ(names_.asked, 4);
  EXPECT_EQ(Hosts(), "10.0.0.1:443 10.0.0.9:443 ");
}

TEST_F(DnsClusters, AskAtTheRefreshRateWithoutTtl) {
  names_.Know("x", {"10.0.0.1"}, 2s);
  Put(xds::Cluster::Type::kStrictDns, {"x"}, 60s, /*by_ttl=*/false);
  Pass(59s);
  EXPECT_EQ(names_.asked, 1);
  Pass(1s);
  EXPECT_EQ(names_.asked, 2);
}

TEST_F(DnsClusters, NeverAskMoreOftenThanOnceASecond) {
  names_.Know("x", {"10.0.0.1"}, 0s);
  Put(xds::Cluster::Type::kStrictDns, {"x"}, 10ms);
  Pass(500ms);
  EXPECT_EQ(names_.asked, 1);
}

TEST_F(DnsClusters, KeepWhatTheyKnowWhileNobodyAnswersAndAskSoon) {
  names_.Know("x", {"10.0.0.1"}, 10s);
  Put(xds::Cluster::Type::kStrictDns, {"x"});
  names_.known.clear();
  Pass(10s);
  EXPECT_EQ(Hosts(), "10.0.0.1:443 ");
  EXPECT_EQ(names_.asked, 2);
  Pass(1s);
  EXPECT_EQ(names_.asked, 3);
  Pass(1s);
  EXPECT_EQ(names_.asked, 3) << "the second failure waits longer";
  names_.Know("x", {"10.0.0.2"}, 10s);
  Pass(1s);
  EXPECT_EQ(Hosts(), "10.0.0.2:443 ");
}

TEST_F(DnsClusters, LoseTheirHostsWhenTheNameHasNone) {
  names_.Know("x", {"10.0.0.1"}, 10s);
  Put(xds::Cluster::Type::kStrictDns, {"x"});
  names_.Know("x", {}, std::nullopt);
  Pass(10s);
  EXPECT_EQ(Hosts(), "");
}

}  // namespace
}  // namespace plait::proxy::cluster
