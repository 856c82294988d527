// Which sockets a listener has: what an inherited one stands for, how a port goes from one listener to another, and
// what a listener does that cannot have its port yet.
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"
#include "proxy/worker/config_subscriber.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

io::SocketAddress At(const char* text) { return io::SocketAddress::Parse(text).value(); }

std::vector<io::InheritedFd> GivenAs(const std::string& name) {
  std::vector<io::InheritedFd> all;
  all.push_back({name, io::ListenOn(At("127.0.0.1:0")).value()});
  return all;
}

class ListenerSockets : public StaticProxy {
 protected:
  explicit ListenerSockets(std::vector<io::InheritedFd> inherited = {}) : StaticProxy(std::move(inherited)) {
    AddCluster("backend", {StartUpstream()});
  }

  static xds::Listener Serving(std::string name, const io::SocketAddress& at, std::string cluster = "backend") {
    xds::Listener listener;
    listener.name = std::move(name);
    listener.addresses.push_back({at, false});
    listener.filter_chains = {HttpChain({RouteTo("/", std::move(cluster))})};
    return listener;
  }
  // A port that nobody has.
  static io::SocketAddress FreeAddress() { return io::LocalAddress(io::ListenOn(At("127.0.0.1:0")).value().get()); }
  Outcome<> Put(xds::Listener listener) { return store_.PutListener(Named(std::move(listener)), false); }
  bool HasNoSocket(const std::string& listener) {
    return main_.RunUntil([&] { return sockets_.AddressesOf(listener).empty(); }, kLimit);
  }
};

class HandedOver : public ListenerSockets {
 protected:
  HandedOver() : HandedOver(GivenAs("80")) {}
  explicit HandedOver(std::vector<io::InheritedFd> given)
      : ListenerSockets(Dup(given)), at_(io::LocalAddress(given[0].fd.get())) {
    sockets_.ServeGateway({At("10.244.0.7:0").ip, At("[fd00::7]:0").ip}, std::chrono::milliseconds(50));
  }
  // One end is the test's, as of who started the process.
  static std::vector<io::InheritedFd> Dup(const std::vector<io::InheritedFd>& given) {
    std::vector<io::InheritedFd> all;
    all.push_back({given[0].name, io::UniqueFd(dup(given[0].fd.get()))});
    return all;
  }
  // Where requests for `permission` are refused.
  static xds::Listener Denying(xds::Permission permission) {
    xds::RbacFilter deny;
    deny.rules = xds::RbacRules{
        .action = xds::RbacRules::Action::kDeny,
        .policies = {{.name = "deny", .permissions = {std::move(permission)}, .principals = {xds::Principal{}}}}};
    xds::Listener listener = Serving("0.0.0.0_80", At("0.0.0.0:80"));
    listener.filter_chains = {HttpChain({RouteTo("/", "backend")}, [&](xds::HttpConnectionManager& manager) {
      manager.filters.insert(manager.filters.begin(), {"rbac", deny, false, false});
    })};
    return listener;
  }
  static xds::Permission Port(std::uint16_t port) {
    return {.kind = xds::Permission::Kind::kDestinationPort, .port_start = port};
  }
  const io::SocketAddress at_;
};

TEST_F(HandedOver, PoliciesSeeThePortOfTheListenerAndNotTheOneThatTheHostHappensToHave) {
  ASSERT_TRUE(Put(Denying(Port(80))).has_value());
  EXPECT_EQ(Get(at_, "/").head.status, 403);
  ASSERT_TRUE(Put(Denying(Port(at_.port.value))).has_value());
  EXPECT_TRUE(main_.RunUntil([&] { return Get(at_, "/").head.status == 200; }, kLimit));
}

TEST_F(HandedOver, PoliciesSeeTheGatewaysOwnAddress) {
  xds::Permission own{.kind = xds::Permission::Kind::kDestinationIp};
  own.cidr = io::Cidr::Parse("10.244.0.7").value();
  ASSERT_TRUE(Put(Denying(own)).has_value());
  EXPECT_EQ(Get(at_, "/").head.status, 403);
}

TEST_F(HandedOver, AnotherListenerOfThePortTakesTheSocketOverAtOnce) {
  ASSERT_TRUE(Put(Serving("0.0.0.0_80", At("0.0.0.0:80"))).has_value());
  EXPECT_TRUE(Answers(at_));
  store_.RemoveListener("0.0.0.0_80");
  ASSERT_TRUE(Put(Serving("10.244.0.7_80", At("10.244.0.7:80"))).has_value());
  EXPECT_TRUE(Answers(at_));
}

TEST_F(HandedOver, ItsListenerMayChangeTheAddressAndGoesOnServing) {
  ASSERT_TRUE(Put(Serving("web", At("0.0.0.0:80"))).has_value());
  EXPECT_TRUE(Answers(at_));
  ASSERT_TRUE(Put(Serving("web", At("10.244.0.7:80"))).has_value());
  EXPECT_TRUE(Answers(at_));
}

TEST_F(HandedOver, APortThatTheSupervisorHasOpenedAndNotYetGivenIsAwaited) {
  io::UniqueFd supervisors = io::ListenOn(At("127.0.0.1:0")).value();
  const io::SocketAddress next = io::LocalAddress(supervisors.get());
  const auto put = Put(Serving("next", next));
  ASSERT_TRUE(put.has_value()) << put.error().ToString();
  EXPECT_FALSE(store_.HasActive("next"));
  EXPECT_FALSE(store_.warming()) << "the process is as ready as it was";
  supervisors.Reset();
  EXPECT_TRUE(main_.RunUntil([&] { return store_.HasActive("next"); }, kLimit));
  EXPECT_TRUE(Answers(next));
}

TEST_F(HandedOver, APortThatStaysAnothersIsGivenUpAfterAWhile) {
  const io::UniqueFd others = io::ListenOn(At("127.0.0.1:0")).value();
  const io::SocketAddress taken = io::LocalAddress(others.get());
  std::string refused;
  store_.OnRefusedLate([&](const auto& listener, const Diagnostic&) { refused = listener.name; });
  ASSERT_TRUE(Put(Serving("next", taken)).has_value());
  EXPECT_TRUE(main_.RunUntil([&] { return refused == "next"; }, kLimit));
  EXPECT_FALSE(store_.HasActive("next"));
  EXPECT_EQ(store_.warming_listeners(), 0u);
}

TEST_F(ListenerSockets, APortThatAnotherProgramHasRefusesTheListenerAtOnce) {
  const io::UniqueFd others = io::ListenOn(At("127.0.0.1:0")).value();
  const auto put = Put(Serving("edge", io::LocalAddress(others.get())));
  ASSERT_FALSE(put.has_value());
  EXPECT_NE(put.error().message.find("Address already in use"), std::string::npos);
}

TEST_F(ListenerSockets, WhatIsRefusedLeavesNoSocketOpen) {
  const io::UniqueFd others = io::ListenOn(At("127.0.0.1:0")).value();
  xds::Listener both = Serving("edge", FreeAddress());
  both.addresses.push_back({io::LocalAddress(others.get()), false});
  ASSERT_FALSE(Put(both).has_value());
  EXPECT_TRUE(HasNoSocket("edge"));
  EXPECT_FALSE(store_.accepted().listeners.contains("edge"));
}

TEST_F(ListenerSockets, AListenerUnderAnotherNameTakesOverThePort) {
  const io::SocketAddress at = FreeAddress();
  ASSERT_TRUE(Put(Serving("edge", at)).has_value());
  EXPECT_TRUE(Answers(at));
  for (int round = 0; round < 3; ++round) {
    store_.RemoveListener(round == 0 ? "edge" : "edge-v" + std::to_string(round));
    const auto put = Put(Serving("edge-v" + std::to_string(round + 1), at));
    ASSERT_TRUE(put.has_value()) << put.error().ToString();
    EXPECT_TRUE(Answers(at));
  }
  // What belonged to those before is let go of meanwhile.
  EXPECT_TRUE(HasNoSocket("edge-v2"));
  EXPECT_TRUE(Answers(at));
}

TEST_F(ListenerSockets, AListenerThatNamesAnIpWaitsUntilTheOneOfAllIpsHasLetGoOfThePort) {
  const io::SocketAddress at = FreeAddress();
  io::SocketAddress any = at;
  any.ip = At("0.0.0.0:0").ip;
  ASSERT_TRUE(Put(Serving("any", any)).has_value());
  EXPECT_TRUE(Answers(at));
  store_.RemoveListener("any");
  const auto put = Put(Serving("one", at));
  ASSERT_TRUE(put.has_value()) << put.error().ToString();
  EXPECT_TRUE(main_.RunUntil([&] { return store_.HasActive("one"); }, kLimit));
  EXPECT_TRUE(Answers(at));
}

TEST_F(ListenerSockets, AListenerThatChangesItsAddressServesThereAndNoLongerAtTheOldOne) {
  const io::SocketAddress first = FreeAddress();
  ASSERT_TRUE(Put(Serving("edge", first)).has_value());
  EXPECT_TRUE(Answers(first));
  const io::SocketAddress second = FreeAddress();
  ASSERT_TRUE(Put(Serving("edge", second)).has_value());
  EXPECT_TRUE(Answers(second));
  EXPECT_TRUE(main_.RunUntil([&] { return sockets_.AddressesOf("edge").size() == 1; }, kLimit));
  EXPECT_FALSE(Answers(first));
  EXPECT_TRUE(Answers(second));
}

TEST_F(ListenerSockets, AListenerThatGoesBeforeItServedLeavesNoSocketOpen) {
  xds::Listener listener = Serving("edge", FreeAddress());
  listener.filter_chains = {
      HttpChain({}, [](xds::HttpConnectionManager& manager) { manager.routes = xds::RdsRef{.name = "never"}; })};
  ASSERT_TRUE(Put(listener).has_value());
  EXPECT_FALSE(sockets_.AddressesOf("edge").empty());
  store_.RemoveListener("edge");
  EXPECT_TRUE(HasNoSocket("edge"));
}

// Listeners as LDS brings them.
class ListenersOfXds : public ListenerSockets {
 protected:
  ListenersOfXds() { AddCluster("other", {StartUpstream(201)}); }
  std::vector<xds::Rejection> Update(const std::vector<xds::Listener>& listeners,
                                     const std::vector<std::string>& removed = {}) {
    std::vector<xds::WireResource> added;
    for (const xds::Listener& one : listeners)
      added.push_back({.name = one.name, .version = "1", .aliases = {}, .bytes = xds::Encode(one)});
    return subscriber_.OnUpdate({.type_url = xds::type_url::kListener, .added = added, .removed = removed});
  }
  // Until it is the answer there, all answers are one of the two.
  bool ComesToAnswer(const io::SocketAddress& at, int status) {
    for (int i = 0; i < 1000; ++i) {
      const int now = Get(at, "/").head.status;
      if (now == status) return true;
      if (now != 200 && now != 201) return false;
    }
    return false;
  }

  ConfigSubscriber subscriber_{main_, store_};
};

TEST_F(ListenersOfXds, OneUpdateMayMoveAPortFromOneToAnother) {
  const io::SocketAddress at = FreeAddress();
  ASSERT_TRUE(Update({Serving("edge", at)}).empty());
  EXPECT_TRUE(Answers(at));
  const auto rejected = Update({Serving("edge-v2", at)}, {"edge"});
  EXPECT_TRUE(rejected.empty()) << rejected.front().reason;
  EXPECT_TRUE(Answers(at));
  EXPECT_FALSE(store_.HasActive("edge"));
}

TEST_F(ListenersOfXds, ThatServeMayTakeThePortOfOneThatGoes) {
  const io::SocketAddress own = FreeAddress(), gone = FreeAddress();
  ASSERT_TRUE(Update({Serving("stays", own), Serving("goes", gone, "other")}).empty());
  const auto rejected = Update({Serving("stays", gone)}, {"goes"});
  EXPECT_TRUE(rejected.empty()) << rejected.front().reason;
  EXPECT_TRUE(ComesToAnswer(gone, 200));
}

TEST_F(ListenersOfXds, MayTradePortsInOneUpdateWithoutLosingAConnection) {
  const io::SocketAddress left = FreeAddress(), right = FreeAddress();
  for (int round = 0; round < 20; ++round) {
    const bool swapped = round % 2 != 0;
    const auto rejected = Update({Serving("a", swapped ? right : left), Serving("b", swapped ? left : right, "other")});
    ASSERT_TRUE(rejected.empty()) << rejected.front().reason;
    ASSERT_TRUE(ComesToAnswer(left, swapped ? 201 : 200)) << "round " << round;
    ASSERT_TRUE(ComesToAnswer(right, swapped ? 200 : 201)) << "round " << round;
  }
}

TEST_F(ListenersOfXds, CountTheirConnectionsWhereTheseCome) {
  const io::SocketAddress left = FreeAddress(), right = FreeAddress();
  const record::ListenerStats at_left(registry_, record::StatNameOf(left)),
      at_right(registry_, record::StatNameOf(right));
  ASSERT_TRUE(Update({Serving("a", left), Serving("b", right, "other")}).empty());
  ASSERT_TRUE(Update({Serving("a", right), Serving("b", left, "other")}).empty());
  ASSERT_TRUE(ComesToAnswer(right, 200));
  ASSERT_TRUE(ComesToAnswer(left, 201));
  const std::uint64_t before = at_left.Value(record::ListenerStat::kCxTotal);
  EXPECT_TRUE(Answers(right));
  EXPECT_EQ(at_left.Value(record::ListenerStat::kCxTotal), before);
  EXPECT_TRUE(Answers(left));
  EXPECT_EQ(at_left.Value(record::ListenerStat::kCxTotal), before + 1);
  const auto idle = [&] {
    return at_left.Value(record::ListenerStat::kCxActive) + at_right.Value(record::ListenerStat::kCxActive) == 0;
  };
  EXPECT_TRUE(main_.RunUntil(idle, kLimit));
}

TEST_F(ListenersOfXds, MayMoveOnePortUpInAnyOrder) {
  const io::SocketAddress first = FreeAddress(), second = FreeAddress(), third = FreeAddress();
  ASSERT_TRUE(Update({Serving("a", first), Serving("b", second, "other")}).empty());
  const auto rejected = Update({Serving("a", second), Serving("b", third, "other")});
  EXPECT_TRUE(rejected.empty()) << rejected.front().reason;
  EXPECT_TRUE(ComesToAnswer(second, 200));
  EXPECT_TRUE(ComesToAnswer(third, 201));
  EXPECT_TRUE(main_.RunUntil([&] { return sockets_.AddressesOf("b").size() == 1; }, kLimit));
}

TEST_F(ListenersOfXds, KeepTheirPortsUntilTheOneThatTradesWithThemHasWhatItNeeds) {
  const io::SocketAddress left = FreeAddress(), right = FreeAddress();
  ASSERT_TRUE(Update({Serving("a", left), Serving("b", right, "other")}).empty());
  xds::Listener waits = Serving("b", left);
  waits.filter_chains = {
      HttpChain({}, [](xds::HttpConnectionManager& manager) { manager.routes = xds::RdsRef{.name = "late"}; })};
  EXPECT_TRUE(Update({Serving("a", right), waits}).empty());
  EXPECT_EQ(Get(left, "/").head.status, 200);
  EXPECT_EQ(Get(right, "/").head.status, 201);
  xds::RouteConfiguration late;
  late.name = "late";
  late.virtual_hosts = {{.name = "all", .domains = {"*"}, .routes = {RouteTo("/", "other")}}};
  ASSERT_TRUE(store_.PutRoutes(Named(std::move(late))).has_value());
  EXPECT_TRUE(ComesToAnswer(left, 201));
  EXPECT_TRUE(ComesToAnswer(right, 200));
}

TEST_F(ListenersOfXds, AreRefusedAPortThatItsListenerKeepsInTheSameUpdate) {
  const io::SocketAddress left = FreeAddress(), right = FreeAddress();
  ASSERT_TRUE(Update({Serving("a", left), Serving("b", right, "other")}).empty());
  const auto rejected = Update({Serving("a", right), Serving("b", right)});
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_EQ(rejected[0].name, "a");
  EXPECT_NE(rejected[0].reason.find("listener b has " + right.ToString()), std::string::npos) << rejected[0].reason;
  EXPECT_TRUE(ComesToAnswer(right, 200));
}

}  // namespace
}  // namespace plait::proxy::worker
