// What a listener does beside serving: the log of its connections, and how it drains.
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

class ListenerLife : public StaticProxy {
 protected:
  using StaticProxy::StaticProxy;
  static void Inbound(xds::Listener& listener) { listener.direction = xds::Listener::Direction::kInbound; }
};

TEST_F(ListenerLife, TellsTheListenersLogOfConnectionsThatAreNoTcpSessions) {
  const auto to_dev_null = [](xds::Listener& listener) {
    listener.access_logs.push_back({.target = xds::AccessLog::Target::kFile, .path = "/dev/null"});
  };
  xds::FilterChain http = HttpChain({RouteTo("/", "nowhere")});
  http.name = "web";
  http.match.source_ports = {1};  // no client's
  const auto refuses = AddListener({http}, to_dev_null);
  http.match.source_ports = {};
  const auto takes = AddListener({http}, to_dev_null);

  EXPECT_FALSE(Answers(refuses));
  EXPECT_EQ(Get(takes, "/").head.status, 503);
  const auto others = [&] {
    const std::lock_guard lock(lines_.mutex);
    return lines_.others;
  };
  main_.RunUntil([&] { return others().size() == 2; }, kLimit);
  EXPECT_EQ(others(), (std::vector<std::string>{"NR filter_chain_not_found  0", "-  web 1"}));
}

TEST_F(ListenerLife, CountsConnectionsAndRequestsAndGoesOnCountingWhenTheListenerChanges) {
  AddCluster("backend", {StartUpstream()});
  const auto prefixed = [](xds::HttpConnectionManager& manager) { manager.stat_prefix = "web"; };
  xds::Listener kept;
  const auto at = AddListener({HttpChain({RouteTo("/a", "backend")}, prefixed)}, [&](xds::Listener& listener) {
    listener.stat_prefix = "main";
    kept = listener;
  });
  EXPECT_EQ(Get(at, "/a").head.status, 200);
  EXPECT_EQ(Get(at, "/none").head.status, 404);
  kept.name = "listener-1";
  kept.filter_chains = {HttpChain({RouteTo("/", "backend")}, prefixed)};
  ASSERT_TRUE(store_.PutListener(Named(kept), true).has_value());
  ASSERT_TRUE(main_.RunUntil([&] { return Get(at, "/none").head.status == 200; }, kLimit));

  const record::HttpStats http(registry_, "web");
  const record::ListenerStats listener(registry_, "main");
  using record::HttpStat, record::ListenerStat;
  EXPECT_TRUE(main_.RunUntil([&] { return listener.Value(ListenerStat::kCxActive) == 0; }, kLimit));
  const std::uint64_t connections = listener.Value(ListenerStat::kCxTotal);
  EXPECT_GE(connections, 3u);
  EXPECT_EQ(listener.Value(ListenerStat::kCxDestroy), connections);
  EXPECT_EQ(listener.Value(ListenerStat::kCxLength), connections);
  EXPECT_EQ(http.Value(HttpStat::kCxTotal), connections);
  EXPECT_EQ(http.Value(HttpStat::kCxDestroy), connections);
  EXPECT_EQ(http.Value(HttpStat::kCxActive), 0u);
  EXPECT_EQ(http.Value(HttpStat::kCxHttp1Total), connections);
  EXPECT_EQ(http.Value(HttpStat::kRqActive), 0u);
  EXPECT_EQ(http.Value(HttpStat::kRqTotal), connections);
  EXPECT_EQ(http.Value(HttpStat::kRqCompleted), connections);
  EXPECT_EQ(http.Value(HttpStat::kRq4xx), http.Value(HttpStat::kNoRoute));
  EXPECT_EQ(http.Value(HttpStat::kRq2xx) + http.Value(HttpStat::kRq4xx), connections);
}

TEST_F(ListenerLife, AGracefulDrainServesOnAndAsksConnectionsToEnd) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})}, Inbound);
  EXPECT_FALSE(Get(at, "/").head.headers.Has("connection"));
  worker_.BeginDrain(/*inbound_only=*/true);
  EXPECT_TRUE(main_.RunUntil([&] { return Get(at, "/").head.headers.Get("connection") == "close"; }, kLimit));
  EXPECT_EQ(Get(at, "/").head.status, 200);
}

TEST_F(ListenerLife, StoppedInboundListenersRefuseAlsoIfTheyComeLaterAndOthersServe) {
  AddCluster("backend", {StartUpstream()});
  const auto inbound = AddListener({HttpChain({RouteTo("/", "backend")})}, Inbound);
  const auto outbound = AddListener({HttpChain({RouteTo("/", "backend")})});
  EXPECT_TRUE(Answers(inbound));
  store_.StopListeners(/*inbound_only=*/true, ConfigStore::Inherited::kReset);
  // The socket is closed once no worker looks at it.
  EXPECT_TRUE(main_.RunUntil([&] { return sockets_.AddressesOf("listener-1").empty(); }, kLimit));
  EXPECT_FALSE(Answers(inbound));
  EXPECT_TRUE(Answers(outbound));
  xds::Listener late;
  late.name = "late";
  late.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  late.filter_chains = {HttpChain({RouteTo("/", "backend")})};
  Inbound(late);
  PutListener(std::move(late));
  EXPECT_TRUE(sockets_.AddressesOf("late").empty());
}

TEST_F(ListenerLife, EndsConnectionsWhileTheHealthCheckIsMadeToFail) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  worker_.SetHealthFailed(true);
  EXPECT_TRUE(main_.RunUntil([&] { return Get(at, "/").head.headers.Get("connection") == "close"; }, kLimit));
  worker_.SetHealthFailed(false);
  EXPECT_TRUE(main_.RunUntil([&] { return !Get(at, "/").head.headers.Has("connection"); }, kLimit));
}

// A socket that was there before the process, and whose port nobody else has.
io::InheritedFd Given() {
  io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  return {std::to_string(io::LocalAddress(socket.get()).port.value), std::move(socket)};
}
std::vector<io::InheritedFd> OneOf(io::InheritedFd given) {
  std::vector<io::InheritedFd> all;
  all.push_back(std::move(given));
  return all;
}

class InheritedSocket : public ListenerLife {
 protected:
  InheritedSocket() : InheritedSocket(Given()) {}
  explicit InheritedSocket(io::InheritedFd&& given)
      : InheritedSocket(io::LocalAddress(given.fd.get()), dup(given.fd.get()), std::move(given)) {}
  InheritedSocket(io::SocketAddress at, int copy, io::InheritedFd&& given)
      : ListenerLife(OneOf(std::move(given))), at_(std::move(at)), supervisors_(copy) {
    AddCluster("backend", {StartUpstream()});
    AddListener({HttpChain({RouteTo("/", "backend")})}, [&](xds::Listener& one) { one.addresses[0].address = at_; });
  }
  bool Released() {
    return main_.RunUntil([&] { return sockets_.AddressesOf("listener-1").empty(); }, kLimit);
  }
  const io::SocketAddress at_;
  const io::UniqueFd supervisors_;  // who started the process keeps the socket
};

TEST_F(InheritedSocket, ResetsConnectionsOnceItsListenerHasStopped) {
  EXPECT_TRUE(Answers(at_));
  store_.StopListeners(/*inbound_only=*/false, ConfigStore::Inherited::kReset);
  ASSERT_TRUE(Released());
  EXPECT_FALSE(Answers(at_));
}

TEST_F(InheritedSocket, IsLeftToTheProcessThatServesItNext) {
  store_.StopListeners(/*inbound_only=*/false, ConfigStore::Inherited::kReset);
  ASSERT_TRUE(Released());
  EXPECT_FALSE(Answers(at_));
  store_.StopListeners(/*inbound_only=*/false, ConfigStore::Inherited::kLeave);
  bool served = false;
  const io::Listener next(main_, supervisors_.get(), false, [&](io::UniqueFd) { served = true; });
  auto client = io::Connect(main_, at_, {});
  EXPECT_TRUE(main_.RunUntil([&] { return served; }, kLimit));
}

}  // namespace
}  // namespace plait::proxy::worker
