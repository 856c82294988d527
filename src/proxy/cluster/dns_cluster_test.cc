// Clusters whose hosts are names: what is known holds until somebody knows better.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "proxy/cluster/cluster_set.h"
#include "proxy/cluster/dns_names.h"

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
  using Type = xds::Cluster::Type;
  using Change = std::function<void(xds::Cluster&)>;

  static std::shared_ptr<const xds::Cluster> Config(Type type, const std::vector<std::string>& names,
                                                    const Change& change) {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "a";
    config->type = type;
    config->dns_refresh_rate = 60s;
    config->respect_dns_ttl = true;
    xds::LocalityEndpoints group;
    for (const std::string& name : names) {
      xds::Endpoint endpoint;
      endpoint.dns_name = name;
      endpoint.dns_port = 443;
      group.endpoints.push_back(std::move(endpoint));
    }
    config->load_assignment.localities.push_back(std::move(group));
    if (change) change(*config);
    return config;
  }
  void Put(Type type, const std::vector<std::string>& names, const Change& change = {}) {
    ASSERT_TRUE(store_.Put(Config(type, names, change)));
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
  // After how many seconds the next question comes; the answer may take the rest of one.
  int SecondsToNext() {
    const int before = names_.asked;
    for (int seconds = 1; seconds < 1000; ++seconds) {
      Pass(1s - 4ms);  // a Turn takes the rest
      if (names_.asked > before) return seconds;
    }
    return -1;
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
  names_.Know("x", {"10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.2"}, 30s);
  names_.Know("y", {"10.0.0.3"}, 30s);
  Put(Type::kStrictDns, {"x", "y"});
  EXPECT_EQ(Hosts(), "10.0.0.1:443 10.0.0.2:443 [fd00::1]:443 10.0.0.3:443 ");
  Put(Type::kLogicalDns, {"x"});
  EXPECT_EQ(Hosts(), "10.0.0.2:443 ");
}

TEST_F(DnsClusters, OfOneHostFollowTheAddressThatTheResolverPutsFirstAndNothingElse) {
  names_.Know("x", {"10.0.0.3", "10.0.0.1"}, 10s);
  Put(Type::kLogicalDns, {"x"});
  EXPECT_EQ(Hosts(), "10.0.0.3:443 ");
  names_.Know("x", {"10.0.0.2", "10.0.0.1", "10.0.0.3"}, 10s);
  Pass(10s);
  EXPECT_EQ(Hosts(), "10.0.0.2:443 ");
  const ClusterPtr before = store_.Find("a");
  names_.Know("x", {"10.0.0.2", "10.0.0.3"}, 10s);
  Pass(10s);
  EXPECT_EQ(store_.Find("a"), before) << "nothing was rebuilt";
}

TEST_F(DnsClusters, AskForEachNameAgainWhenItsTtlIsOver) {
  names_.Know("x", {"10.0.0.1"}, 20s);
  names_.Know("y", {"10.0.0.2"}, 7s);
  Put(Type::kStrictDns, {"x", "y"});
  EXPECT_EQ(names_.asked, 2);
  names_.Know("y", {"10.0.0.9"}, 7s);
  Pass(6s);
  EXPECT_EQ(names_.asked, 2);
  Pass(1s);
  EXPECT_EQ(names_.asked, 3);
  EXPECT_EQ(Hosts(), "10.0.0.1:443 10.0.0.9:443 ");
  Pass(13s);
  EXPECT_EQ(names_.asked, 5);
}

TEST_F(DnsClusters, AskAtTheRefreshRateWithoutTtl) {
  names_.Know("x", {"10.0.0.1"}, 2s);
  Put(Type::kStrictDns, {"x"}, [](xds::Cluster& config) { config.respect_dns_ttl = false; });
  Pass(59s);
  EXPECT_EQ(names_.asked, 1);
  Pass(1s);
  EXPECT_EQ(names_.asked, 2);
}

TEST_F(DnsClusters, AskAtTheRefreshRateWhenTheTtlIsZero) {
  names_.Know("x", {"10.0.0.1"}, 0s);
  Put(Type::kStrictDns, {"x"}, [](xds::Cluster& config) { config.dns_refresh_rate = 3s; });
  Pass(2s);
  EXPECT_EQ(names_.asked, 1);
  Pass(1s);
  EXPECT_EQ(names_.asked, 2);
}

TEST_F(DnsClusters, KeepWhatTheyKnowWhileNobodyAnswers) {
  names_.Know("x", {"10.0.0.1"}, 10s);
  Put(Type::kStrictDns, {"x"}, [](xds::Cluster& config) { config.dns_failure_refresh_rate = {1s, 2s}; });
  names_.known.clear();
  Pass(10s);
  EXPECT_EQ(Hosts(), "10.0.0.1:443 ");
  EXPECT_EQ(names_.asked, 2);
  Pass(900ms);
  EXPECT_EQ(names_.asked, 2);
  names_.Know("x", {"10.0.0.2"}, 10s);
  Pass(1200ms);
  EXPECT_EQ(Hosts(), "10.0.0.2:443 ");
}

TEST_F(DnsClusters, KeepWhatTheyKnowWhenTheirSettingsChangeWhileNobodyAnswers) {
  names_.Know("x", {"10.0.0.1"}, 10s);
  Put(Type::kStrictDns, {"x"});
  names_.known.clear();
  Put(Type::kStrictDns, {"x", "y"}, [](xds::Cluster& config) { config.connect_timeout = 1s; });
  EXPECT_EQ(Hosts(), "10.0.0.1:443 ");
  EXPECT_EQ(store_.Find("a")->config->connect_timeout, 1s);
}

TEST_F(DnsClusters, AskAtTheRefreshRateAfterAFailureWhenThereIsNoRateForThat) {
  Put(Type::kStrictDns, {"x"}, [](xds::Cluster& config) { config.dns_refresh_rate = 5s; });
  EXPECT_EQ(Hosts(), "");
  Pass(4s);
  EXPECT_EQ(names_.asked, 1);
  Pass(1s);
  EXPECT_EQ(names_.asked, 2);
}

TEST_F(DnsClusters, UseANameThatBeginsToExistWithinTheFailureRate) {
  names_.Know("x", {}, std::nullopt);
  Put(Type::kStrictDns, {"x"}, [](xds::Cluster& config) { config.dns_failure_refresh_rate = {1s, 2s}; });
  EXPECT_EQ(Hosts(), "");
  names_.Know("x", {"10.0.0.1"}, 60s);
  Pass(2s);
  EXPECT_EQ(Hosts(), "10.0.0.1:443 ");
  Pass(59s);
  EXPECT_EQ(names_.asked, 2) << "the pace of failures is over";
}

TEST_F(DnsClusters, LoseTheirHostsWhenTheNameHasNoneButTheOneOfLogicalDnsStays) {
  for (const Type type : {Type::kStrictDns, Type::kLogicalDns}) {
    names_.Know("x", {"10.0.0.1"}, 10s);
    Put(type, {"x"});
    names_.Know("x", {}, std::nullopt);
    Pass(10s);
    EXPECT_EQ(Hosts(), type == Type::kStrictDns ? "" : "10.0.0.1:443 ");
  }
}

TEST_F(DnsClusters, CountWhatTheyAskedAndWhatCameOfIt) {
  names_.Know("x", {"10.0.0.1"}, 1s);
  Put(Type::kStrictDns, {"x"});
  Pass(1100ms);
  names_.known.clear();
  Pass(1100ms);
  const auto value = [&](MembershipStat stat) {
    return store_.Find("a")->state->membership.Value(static_cast<std::size_t>(stat));
  };
  EXPECT_EQ(value(MembershipStat::kUpdateAttempt), 3U);
  EXPECT_EQ(value(MembershipStat::kUpdateSuccess), 2U);
  EXPECT_EQ(value(MembershipStat::kUpdateNoRebuild), 1U);
  EXPECT_EQ(value(MembershipStat::kUpdateFailure), 1U);
}

class DnsPauses : public DnsClusters {
 protected:
  void Ask(const Change& change) {
    asking_.emplace(loop_, names_, random_,
                    DnsNames::Options{.config = Config(Type::kStrictDns, {"x"}, change),
                                      .state = std::make_shared<ClusterState>(registry_, "a"),
                                      .changed = [] {}},
                    nullptr);
    Turn();
  }
  Random random_{7};
  std::optional<DnsNames> asking_;
};

TEST_F(DnsPauses, GrowFromFailureToFailureUpToTheMaximumAndStartAnewAfterASuccess) {
  Ask([](xds::Cluster& config) { config.dns_failure_refresh_rate = {4s, 60s}; });
  std::vector<int> pauses;
  for (int i = 0; i < 20; ++i) pauses.push_back(SecondsToNext());
  EXPECT_LE(pauses.front(), 10);
  EXPECT_GE(*std::min_element(pauses.begin(), pauses.end()), 4);
  EXPECT_LE(*std::max_element(pauses.begin(), pauses.end()), 62);
  EXPECT_GT(*std::max_element(pauses.begin(), pauses.end()), 30) << "with this seed; spread over the whole range";
  EXPECT_GT(std::set(pauses.begin(), pauses.end()).size(), 5U) << "not all proxies at once";
  names_.Know("x", {"10.0.0.1"}, 1s);
  (void)SecondsToNext();
  names_.known.clear();
  (void)SecondsToNext();
  EXPECT_LE(SecondsToNext(), 10);
}

TEST_F(DnsPauses, AreLongerByAPartOfTheJitter) {
  names_.Know("x", {"10.0.0.1"}, 5s);
  Ask([](xds::Cluster& config) { config.dns_jitter = 20s; });
  std::set<int> pauses;
  for (int i = 0; i < 20; ++i) pauses.insert(SecondsToNext());
  EXPECT_GE(*pauses.begin(), 5);
  EXPECT_LE(*pauses.rbegin(), 27);
  EXPECT_GT(pauses.size(), 5U);
}

}  // namespace
}  // namespace plait::proxy::cluster
