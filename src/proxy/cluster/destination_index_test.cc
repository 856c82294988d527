#include "proxy/cluster/destination_index.h"

#include <gtest/gtest.h>

namespace plait::proxy::cluster {
namespace {

io::IpAddress Ip(const std::string& text) { return io::IpAddress::Parse(text).value(); }

std::shared_ptr<const xds::Address> Pod(const std::string& name, const std::string& ip) {
  xds::Workload workload{.uid = "Kubernetes//Pod/default/" + name,
                         .name = name,
                         .name_space = "default",
                         .addresses = {Ip(ip)},
                         .service_account = name};
  workload.services["default/web.default.svc.cluster.local"] = {{.service_port = 80, .target_port = 8080}};
  return std::make_shared<const xds::Address>(xds::Address{workload});
}
std::shared_ptr<const xds::Address> Web(const std::string& vip) {
  xds::Service service{.name = "web",
                       .name_space = "default",
                       .hostname = "web.default.svc.cluster.local",
                       .addresses = {{.network = "", .address = io::Cidr::Parse(vip).value()}}};
  service.ports.push_back({.port = {.service_port = 80, .target_port = 8080}, .name = "http"});
  return std::make_shared<const xds::Address>(xds::Address{service});
}

class Index : public testing::Test {
 protected:
  io::Loop loop_;
  std::vector<std::string> subscribed_, unsubscribed_;
  DestinationIndex worker_;
  DestinationStore store_{loop_,
                          "",
                          {.subscribe = [this](const std::string& key) { subscribed_.push_back(key); },
                           .unsubscribe = [this](const std::string& key) { unsubscribed_.push_back(key); },
                           .publish = [this](const IndexUpdate& update) { worker_.Apply(update); }}};
  // Somebody asks, and the control plane says that there is nothing.
  void LookUpInVain(const std::string& ip) {
    const std::size_t before = subscribed_.size();
    const Pending pending = store_.Lookup(Ip(ip), std::chrono::seconds(5), [](Result<Destination>) {});
    ASSERT_EQ(subscribed_.size(), before + 1) << ip << ": nobody is asked";
    EXPECT_EQ(subscribed_.back(), Key(ip));
    store_.Removed(Key(ip));
    EXPECT_TRUE(worker_.FindByAddress(Ip(ip)).known);
    EXPECT_FALSE(worker_.FindByAddress(Ip(ip)).in_mesh());
  }
  static std::string Key(const std::string& ip) { return xds::AddressKey("", Ip(ip)); }
  Result<Destination> LookUp(const std::string& ip, Duration limit = std::chrono::milliseconds(20)) {
    std::optional<Result<Destination>> answer;
    const Pending pending = store_.Lookup(Ip(ip), limit, [&](Result<Destination> found) { answer = std::move(found); });
    EXPECT_FALSE(answer);
    loop_.RunUntil([&] { return answer.has_value(); }, std::chrono::seconds(5));
    return *answer;
  }
};

TEST_F(Index, FindsWorkloadsAndServicesByAddressAndName) {
  store_.Put("Kubernetes//Pod/default/web-1", {"/10.244.0.5"}, Pod("web-1", "10.244.0.5"));
  store_.Put("default/web.default.svc.cluster.local", {"/10.96.0.9"}, Web("10.96.0.9"));
  EXPECT_EQ(worker_.FindByAddress(Ip("10.244.0.5")).workload->name, "web-1");
  EXPECT_EQ(worker_.FindByAddress(Ip("10.96.0.9")).service->name, "web");
  EXPECT_NE(worker_.FindService(Ip("10.96.0.9"), 80), nullptr);
  EXPECT_EQ(worker_.FindService(Ip("10.96.0.9"), 81), nullptr);
  EXPECT_EQ(worker_.FindService("web.default.svc.cluster.local")->name, "web");
  ASSERT_EQ(worker_.WorkloadsOf("default/web.default.svc.cluster.local").size(), 1U);
  EXPECT_EQ(worker_.ServiceOf(*worker_.FindWorkload(Ip("10.244.0.5")), 8080)->name, "web");
  EXPECT_EQ(worker_.ServiceOf(*worker_.FindWorkload(Ip("10.244.0.5")), 9999), nullptr);
  EXPECT_FALSE(worker_.FindByAddress(Ip("10.0.0.1")).known);
}

TEST_F(Index, KeepsTheNewOwnerOfAnAddressWhenTheOldOneGoes) {
  store_.Put("old", {}, Pod("old", "10.244.0.5"));
  store_.Put("new", {}, Pod("new", "10.244.0.5"));
  store_.Removed("old");
  EXPECT_EQ(worker_.FindWorkload(Ip("10.244.0.5"))->name, "new");
  store_.Removed("new");
  EXPECT_FALSE(worker_.FindByAddress(Ip("10.244.0.5")).known);
  EXPECT_EQ(worker_.size(), 0U);
}

TEST_F(Index, TakesTheLongestRange) {
  store_.Put("wide", {}, Web("240.240.0.0/16"));
  store_.Put("narrow", {}, Web("240.240.1.0/24"));
  EXPECT_EQ(worker_.FindByAddress(Ip("240.240.1.7")).service->addresses[0].address.length, 24);
  EXPECT_EQ(worker_.FindByAddress(Ip("240.240.2.7")).service->addresses[0].address.length, 16);
}

TEST_F(Index, FindsTheServiceOfARangeForAPortThatANarrowerOneDoesNotHave) {
  auto service = std::get<xds::Service>(Web("240.240.0.0/16")->value);
  service.hostname = "wide";
  service.ports[0].port.service_port = 443;
  store_.Put("wide", {}, std::make_shared<const xds::Address>(xds::Address{service}));
  store_.Put("narrow", {}, Web("240.240.1.0/24"));
  store_.Put("single", {}, Web("240.240.2.1"));
  for (const char* ip : {"240.240.1.7", "240.240.2.1"}) {
    EXPECT_EQ(worker_.FindService(Ip(ip), 443)->hostname, "wide") << ip;
    EXPECT_EQ(worker_.FindService(Ip(ip), 80)->hostname, "web.default.svc.cluster.local") << ip;
    EXPECT_EQ(worker_.FindService(Ip(ip), 81), nullptr) << ip;
  }
}

TEST_F(Index, AsksForAnUnknownAddressOnceWhileSomebodyWaits) {
  const Pending first = store_.Lookup(Ip("10.0.0.1"), std::chrono::seconds(5), [](Result<Destination>) {});
  const Pending second = store_.Lookup(Ip("10.0.0.1"), std::chrono::seconds(5), [](Result<Destination>) {});
  EXPECT_EQ(subscribed_, std::vector<std::string>{Key("10.0.0.1")});
}

TEST_F(Index, AsksAgainWhenTheFirstQuestionHasTimedOut) {
  const auto first = LookUp("10.0.0.1");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Errc::kTimedOut);
  EXPECT_TRUE(unsubscribed_.empty()) << "a late answer is one, too";
  LookUp("10.0.0.1");
  EXPECT_EQ(subscribed_, (std::vector<std::string>{Key("10.0.0.1"), Key("10.0.0.1")}));
  EXPECT_EQ(unsubscribed_, std::vector<std::string>{Key("10.0.0.1")});
  store_.Removed(Key("10.0.0.1"));
  EXPECT_TRUE(LookUp("10.0.0.1").has_value());
}

TEST_F(Index, AsksAgainForWhatWasNothingAndThenAServiceAndIsNothingAgain) {
  for (const char* addresses : {"192.0.2.2", "192.0.2.0/24"}) {
    for (int round = 0; round < 3; ++round) {
      LookUpInVain("192.0.2.2");
      LookUpInVain("192.0.2.7");
      store_.Put("default/web", {}, Web(addresses));
      EXPECT_EQ(unsubscribed_.at(0), Key("192.0.2.2")) << addresses;
      EXPECT_NE(worker_.FindByAddress(Ip("192.0.2.2")).service, nullptr);
      store_.Removed("default/web");
      const bool all = std::string_view(addresses).ends_with("/24");
      EXPECT_EQ(worker_.FindByAddress(Ip("192.0.2.7")).known, !all) << "another address stays what it is";
      if (!all) store_.Put("default/web", {}, Web("192.0.2.7"));
      store_.Removed("default/web");
      EXPECT_EQ(unsubscribed_, (std::vector<std::string>{Key("192.0.2.2"), Key("192.0.2.7")})) << addresses;
      unsubscribed_.clear();
    }
  }
}

TEST_F(Index, AsksAgainForAPodThatCameAsAnAnswerAndIsGone) {
  for (int round = 0; round < 2; ++round) {
    const Pending pending = store_.Lookup(Ip("10.0.0.1"), std::chrono::seconds(5), [](Result<Destination>) {});
    store_.Put("pod", {Key("10.0.0.1")}, Pod("pod", "10.0.0.1"));
    store_.Removed("pod");
  }
  EXPECT_EQ(subscribed_, (std::vector<std::string>{Key("10.0.0.1"), Key("10.0.0.1")}));
  EXPECT_EQ(unsubscribed_, subscribed_);
}

TEST_F(Index, AsksAgainForAnAddressThatARangeAnsweredFor) {
  for (int round = 0; round < 2; ++round) {
    const Pending pending = store_.Lookup(Ip("192.0.2.2"), std::chrono::seconds(5), [](Result<Destination>) {});
    store_.Put("default/web", {}, Web("192.0.2.0/24"));
    store_.Removed("default/web");
  }
  EXPECT_EQ(subscribed_, (std::vector<std::string>{Key("192.0.2.2"), Key("192.0.2.2")}));
}

TEST_F(Index, KeepsANegativeAnswerWhenAnotherNetworkHasTheAddress) {
  LookUpInVain("10.244.0.5");
  auto far = std::get<xds::Workload>(Pod("far", "10.244.0.5")->value);
  far.network = "other";
  store_.Put("far", {"other/10.244.0.5"}, std::make_shared<const xds::Address>(xds::Address{far}));
  EXPECT_TRUE(worker_.FindByAddress(Ip("10.244.0.5")).known);
  EXPECT_TRUE(unsubscribed_.empty());
  EXPECT_EQ(store_.Snapshot().absent, std::vector<io::IpAddress>{Ip("10.244.0.5")});
}

TEST_F(Index, RemembersThatAnAddressIsNothingUntilItIsSomething) {
  std::optional<Result<Destination>> answer;
  const Pending pending =
      store_.Lookup(Ip("10.0.0.1"), std::chrono::seconds(5), [&](Result<Destination> found) { answer = found; });
  store_.Removed(subscribed_.at(0));
  loop_.RunUntil([&] { return answer.has_value(); }, std::chrono::seconds(5));
  ASSERT_TRUE(answer && *answer);
  EXPECT_TRUE((*answer)->known);
  EXPECT_FALSE((*answer)->in_mesh());
  EXPECT_TRUE(worker_.FindByAddress(Ip("10.0.0.1")).known);
  store_.Put("pod", {subscribed_.at(0)}, Pod("pod", "10.0.0.1"));
  EXPECT_EQ(worker_.FindByAddress(Ip("10.0.0.1")).workload->name, "pod");
}

TEST_F(Index, KeepsNoMoreThan4096NegativeAnswers) {
  std::vector<Pending> pending;
  for (std::uint32_t i = 0; i < 4097; ++i) {
    pending.push_back(
        store_.Lookup(io::IpAddress::V4(0x01000000U + i), std::chrono::seconds(5), [](Result<Destination>) {}));
    store_.Removed(subscribed_.back());
  }
  EXPECT_EQ(unsubscribed_, std::vector<std::string>{subscribed_.front()});
  EXPECT_FALSE(worker_.FindByAddress(io::IpAddress::V4(0x01000000U)).known);
  EXPECT_TRUE(worker_.FindByAddress(io::IpAddress::V4(0x01000001U)).known);
}

TEST_F(Index, IgnoresOtherNetworksAndHostNetworkAddresses) {
  auto far = std::get<xds::Workload>(Pod("far", "10.244.0.5")->value);
  far.network = "other";
  store_.Put("far", {}, std::make_shared<const xds::Address>(xds::Address{far}));
  auto node = std::get<xds::Workload>(Pod("node", "10.244.0.6")->value);
  node.host_network = true;
  store_.Put("node", {}, std::make_shared<const xds::Address>(xds::Address{node}));
  EXPECT_FALSE(worker_.FindByAddress(Ip("10.244.0.5")).known);
  EXPECT_FALSE(worker_.FindByAddress(Ip("10.244.0.6")).known);
}

}  // namespace
}  // namespace plait::proxy::cluster
