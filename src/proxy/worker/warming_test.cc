// A listener is used when what it needs is there (semantics.md 6); until then the one before it serves.
#include "proxy/worker/config_dump_page.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

class Warming : public StaticProxy {
 protected:
  using StaticProxy::StaticProxy;

  // A listener whose routes come by RDS.
  static xds::Listener ByRds(std::string name, const io::SocketAddress& at, std::string routes) {
    xds::Listener listener;
    listener.name = std::move(name);
    listener.addresses.push_back({at, false});
    listener.filter_chains = {HttpChain(
        {}, [&](xds::HttpConnectionManager& manager) { manager.routes = xds::RdsRef{.name = std::move(routes)}; })};
    return listener;
  }
  void PutRoutes(const std::string& name, const std::string& cluster) {
    xds::RouteConfiguration table;
    table.name = name;
    xds::VirtualHost& host = table.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    host.routes = {RouteTo("/", cluster)};
    ASSERT_TRUE(store_.PutRoutes(Named(std::move(table))).has_value());
  }
  std::uint16_t StatusAt(const io::SocketAddress& at) { return Get(at, "/").head.status; }
};

class WarmingWithoutLimit : public Warming {
 protected:
  WarmingWithoutLimit() : Warming({}, Duration(0)) {}
};

TEST_F(WarmingWithoutLimit, LeavesTheOldListenerInForceUntilTheRoutesOfTheNewOneHaveCome) {
  AddCluster("old", {StartUpstream(200)});
  AddCluster("new", {StartUpstream(201)});
  xds::Listener listener = ByRds("main", io::SocketAddress::Parse("127.0.0.1:0").value(), "first");
  PutListener(listener);
  EXPECT_FALSE(store_.HasActive("main"));
  PutRoutes("first", "old");
  ASSERT_TRUE(store_.HasActive("main"));
  const io::SocketAddress at = sockets_.AddressesOf("main").at(0);
  EXPECT_EQ(StatusAt(at), 200);

  listener.filter_chains = ByRds("main", at, "second").filter_chains;
  PutListener(listener);
  EXPECT_TRUE(store_.warming());
  EXPECT_EQ(StatusAt(at), 200);
  PutRoutes("second", "new");
  EXPECT_FALSE(store_.warming());
  EXPECT_TRUE(main_.RunUntil([&] { return StatusAt(at) == 201; }, kLimit));
}

TEST_F(WarmingWithoutLimit, ShowsTheSecretsThatAreAwaited) {
  const auto awaited = [&] {
    const auto page = DumpPage({.bootstrap = {}, .store = store_, .secrets = secrets_, .link = nullptr},
                               {.resource = "dynamic_warming_secrets", .mask = "name"});
    return page ? *page : page.error().message;
  };
  AddCluster("c", {StartUpstream()});
  xds::Listener listener;
  listener.name = "tls";
  listener.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  listener.filter_chains = {HttpChain({RouteTo("/", "c")})};
  listener.filter_chains[0].tls.emplace().common.certificate_secrets = {{.name = "kubernetes://site"}};
  PutListener(listener);
  EXPECT_NE(awaited().find("\"kubernetes://site\""), std::string::npos) << awaited();
  store_.RemoveListener("tls");
  EXPECT_EQ(awaited().find("kubernetes"), std::string::npos) << awaited();
}

class WarmingWithLimit : public Warming {
 protected:
  WarmingWithLimit() : Warming({}, std::chrono::milliseconds(20)) {}
};

TEST_F(WarmingWithLimit, EndsWhenTheLimitHasPassedAndRequestsThenHaveNoRoute) {
  PutListener(ByRds("main", io::SocketAddress::Parse("127.0.0.1:0").value(), "never"));
  EXPECT_FALSE(store_.HasActive("main"));
  ASSERT_TRUE(main_.RunUntil([&] { return store_.HasActive("main"); }, kLimit));
  store_.RemoveRoutes("never");  // "there is none": the request need not wait for it
  EXPECT_EQ(StatusAt(sockets_.AddressesOf("main").at(0)), 404);
}

}  // namespace
}  // namespace plait::proxy::worker
