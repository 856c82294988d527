// What a listener does beside serving: the log of its connections, and how it drains.
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

class ListenerLife : public StaticProxy {
 protected:
  bool Answers(const io::SocketAddress& at) {
    std::optional<bool> answered;
    const Pending pending = conn::Fetch(main_, {.to = at, .head = {.method = "GET", .path = "/"}},
                                        [&](const Result<conn::FetchResponse>& got) { answered = got.has_value(); });
    main_.RunUntil([&] { return answered.has_value(); }, kLimit);
    return answered.value_or(false);
  }
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
  store_.StopListeners(/*inbound_only=*/true);
  // The socket is closed once no worker looks at it.
  EXPECT_TRUE(main_.RunUntil([&] { return sockets_.AddressesOf("listener-1").empty(); }, kLimit));
  EXPECT_FALSE(Answers(inbound));
  EXPECT_TRUE(Answers(outbound));
  xds::Listener late;
  late.name = "late";
  late.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  late.filter_chains = {HttpChain({RouteTo("/", "backend")})};
  Inbound(late);
  xds::Resource<xds::Listener> resource;
  resource.name = late.name;
  resource.value = std::make_shared<const xds::Listener>(std::move(late));
  EXPECT_TRUE(store_.PutListener(resource, false).has_value());
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

}  // namespace
}  // namespace plait::proxy::worker
