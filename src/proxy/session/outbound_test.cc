// What becomes of a captured connection of the own application, by its bytes and its destination (semantics.md 1, 2).
#include "proxy/session/test_plait_forms.h"

namespace plait::proxy::session {
namespace {

TEST_F(PlaitForms, SendsHttpToTheServiceOfTheDestinationWhenTheHostIsUnknown) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartHttpUpstream("outbound|80||web.default.svc.cluster.local");
  Outbound("10.96.0.1:80");
  Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /x").find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(PlaitForms, AnswersForAnUnknownHostWhereOnlyTheRegistryIsReached) {
  Outbound("192.0.2.1:80", "BlackHoleCluster");
  Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("\r\n\r\n").find("HTTP/1.1 502"), std::string::npos);
}

TEST_F(PlaitForms, RelaysAServerThatSpeaksFirst) {
  AddService(index_, "10.96.0.1", 3306, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|3306||web.default.svc.cluster.local", "greetings");
  Outbound("10.96.0.1:3306");
  EXPECT_EQ(ReceiveUntil("greetings"), "greetings");
  EXPECT_EQ(context_.learned.Of(io::SocketAddress::Parse("10.96.0.1:3306").value()),
            LearnedDestinations::Speaks::kServerFirst);
  Send("login");
  EXPECT_EQ(ReceiveUntil("echo:login"), "echo:login");
}

TEST_F(PlaitForms, DialsForASilentClientAndDropsTheConnectionUnusedWhenItSpeaksHttp) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartHttpUpstream("outbound|80||web.default.svc.cluster.local");
  Outbound("10.96.0.1:80");
  ASSERT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit)) << "dialled for who is silent";
  Send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /late").find("200"), std::string::npos);
  EXPECT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit)) << "but for that of the pool";
}

TEST_F(PlaitForms, DoesNotDialSoSoonWhereTheLastClientSpokeHttp) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartHttpUpstream("outbound|80||web.default.svc.cluster.local");
  context_.learned.Note(io::SocketAddress::Parse("10.96.0.1:80").value(), LearnedDestinations::Speaks::kHttp);
  const MonotonicTime start = loop_.Now();
  Outbound("10.96.0.1:80");
  ASSERT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit));
  EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
}

TEST_F(PlaitForms, LearnsThatClientsOfAPortSpeakHttpUntilOneDoesNot) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|80||web.default.svc.cluster.local", "");
  const auto at = io::SocketAddress::Parse("10.96.0.1:80").value();
  Outbound("10.96.0.1:80");
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(loop_.RunUntil([&] { return decided_; }, kLimit));
  EXPECT_EQ(context_.learned.Of(at), LearnedDestinations::Speaks::kHttp);
  session_.reset();
  Outbound("10.96.0.1:80");
  Send("\x01\x02");
  EXPECT_EQ(ReceiveUntil("\x02"), "echo:\x01\x02");
  EXPECT_EQ(context_.learned.Of(at), LearnedDestinations::Speaks::kUnknown);
}

TEST_F(PlaitForms, DialsForNobodyWhereHttpOrTlsIsDeclared) {
  for (const xds::DeclaredProtocol declared : {xds::DeclaredProtocol::kHttp, xds::DeclaredProtocol::kTls}) {
    AddService(index_, "10.96.0.1", 80, declared);
    StartTcpUpstream("outbound|80||web.default.svc.cluster.local", "greetings");
    Outbound("10.96.0.1:80");
    EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(100)), "");
    EXPECT_TRUE(accepted_.empty());
  }
}

TEST_F(PlaitForms, TakesAPrefixOfHttpOrTlsForBytesWhenNothingFollowsForASecond) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|80||web.default.svc.cluster.local", "");
  for (const std::string_view prefix :
       {std::string_view("GE"), std::string_view("\x16\x03"), std::string_view("\x16\x03\x01\x00\x50\x01", 6)}) {
    const MonotonicTime start = loop_.Now();
    Outbound("10.96.0.1:80");
    Send(prefix);
    EXPECT_EQ(ReceiveUntil(prefix), "echo:" + std::string(prefix));
    EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
    EXPECT_LT(loop_.Now() - start, std::chrono::seconds(2));
    session_.reset();
  }
}

// Whoever was dialled for nothing has not failed, nor has it succeeded.
TEST_F(PlaitForms, TellsOutlierDetectionNothingOfADialThatNobodyUses) {
  AddService(index_, "10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  const std::string name = "outbound|80||web.default.svc.cluster.local";
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = cluster->load_assignment.cluster_name = name;
  cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address = DeadAddress();
  cluster->outlier_detection = xds::OutlierDetection{.consecutive_5xx = 1, .max_ejection_percent = 100};
  ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
  loop_.RunOnce(Duration(0));
  const cluster::HostPtr host = store_.Find(name)->priorities.at(0).all.at(0);
  Outbound("10.96.0.1:80");
  ASSERT_TRUE(loop_.RunUntil([&] { return host->stats().cx_connect_fail == 1; }, kLimit));
  loop_.RunOnce(Duration(0));
  EXPECT_FALSE(host->ejected());
  Send("\x01\x02");
  ASSERT_TRUE(loop_.RunUntil([&] { return host->ejected(); }, kLimit)) << "this one was meant";
}

TEST_F(PlaitForms, TellsASilentClientThatNobodyIsThere) {
  AddService(index_, "10.96.0.1", 3306, xds::DeclaredProtocol::kNone);
  AddCluster("outbound|3306||web.default.svc.cluster.local", DeadAddress());
  Outbound("10.96.0.1:3306");
  EXPECT_EQ(ReceiveUntil("(never sent)"), "");
  EXPECT_NE(LastLine().find(" UF"), std::string::npos) << LastLine();
}

TEST_F(PlaitForms, RelaysBytesThatAreNoHttp) {
  AddService(index_, "10.96.0.1", 6379, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|6379||web.default.svc.cluster.local", "");
  Outbound("10.96.0.1:6379");
  Send("*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(ReceiveUntil("PING\r\n"), "echo:*1\r\n$4\r\nPING\r\n");
}

TEST_F(PlaitForms, RelaysMoreThanItLooksAtFromTheStart) {
  AddService(index_, "10.96.0.1", 6379, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|6379||web.default.svc.cluster.local", "");
  Outbound("10.96.0.1:6379");
  Send("*1\r\n$40000\r\n" + std::string(40'000, 'x') + "\r\nPING");
  EXPECT_GT(ReceiveUntil("PING").size(), 40'000U);
}

TEST_F(PlaitForms, DialsADeclaredTcpPortAtOnce) {
  AddService(index_, "10.96.0.1", 25, xds::DeclaredProtocol::kTcp);
  StartTcpUpstream("outbound|25||web.default.svc.cluster.local", "220 ready");
  Outbound("10.96.0.1:25");
  EXPECT_EQ(ReceiveUntil("220 ready"), "220 ready");
}

TEST_F(PlaitForms, FailsTheConnectionWhenTheLookUpFails) {
  on_demand_.destination = Fail(Errc::kTimedOut, "lookup");
  Outbound("10.1.2.3:80");
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("timeout").find("503 Service Unavailable"), std::string::npos);
  ASSERT_FALSE(recorder_.lines.empty());
  EXPECT_EQ(recorder_.lines.back(), "503 UF destination_lookup_timeout ");
}

TEST_F(PlaitForms, FailsWhatIsNoHttpWhenTheLookUpFails) {
  on_demand_.destination = Fail(Errc::kTimedOut, "lookup");
  Outbound("10.1.2.3:80");
  Send("\x01\x02");
  EXPECT_EQ(ReceiveUntil("never"), "");
  ASSERT_FALSE(recorder_.lines.empty());
  EXPECT_EQ(recorder_.lines.back(), "0 UF destination_lookup_timeout ");
}

// Its address may be that of another pod by now: the connection's next request must not go there in plaintext.
TEST_F(PlaitForms, SendsNothingToAWorkloadThatTheIndexHasForgotten) {
  StartHttpUpstream("unused");
  const io::SocketAddress at = store_.Find("unused")->priorities.at(0).all.at(0)->address();
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = "plait|workload";
  cluster->type = xds::Cluster::Type::kOriginalDst;
  cluster->transport_socket_matches = {
      {.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = xds::UpstreamTlsContext{}},
      {.name = "tlsMode-disabled", .match = {}, .tls = std::nullopt}};
  ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
  xds::Workload workload;
  workload.uid = "k//Pod/default/web-1";
  workload.addresses = {at.ip};
  workload.tls_mode = xds::TlsMode::kDisabled;
  Add(index_, workload);
  Outbound(at.ToString().c_str());
  Send("GET /one HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /one").find("HTTP/1.1 200"), std::string::npos);
  index_.Apply({.removed = {workload.uid}});
  Send("GET /two HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("\r\n\r\n").find("HTTP/1.1 503"), std::string::npos);
  EXPECT_TRUE(recorder_.lines.back().starts_with("503 UH ")) << recorder_.lines.back();
}

TEST_F(PlaitForms, SendsAnUnknownDestinationByTheOutboundPolicy) {
  StartTcpUpstream("PassthroughCluster", "");
  Outbound("93.184.216.34:9000");
  Send("\x01\x02");
  EXPECT_EQ(ReceiveUntil("\x02"), "echo:\x01\x02");
}

// A ServiceEntry says of its addresses what is at its ports, and nothing of the others.
TEST_F(PlaitForms, LeavesPortsThatAServiceEntryDoesNotHaveToTheOutboundPolicy) {
  for (const char* addresses : {"192.0.2.2", "192.0.2.0/24"}) {
    AddService(index_, addresses, 3306, xds::DeclaredProtocol::kTcp, false);
    StartTcpUpstream("PassthroughCluster", "");
    Outbound("192.0.2.2:18999");
    Send("\x01\x02");
    EXPECT_EQ(ReceiveUntil("\x02"), "echo:\x01\x02") << addresses;
    session_.reset();
    StartHttpUpstream("PassthroughCluster");
    Outbound("192.0.2.2:18999");
    Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
    EXPECT_NE(ReceiveUntil("app /x").find("HTTP/1.1 200"), std::string::npos) << addresses;
    session_.reset();
    Outbound("192.0.2.2:18999", "BlackHoleCluster");
    Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
    EXPECT_NE(ReceiveUntil("\r\n\r\n").find("HTTP/1.1 502"), std::string::npos) << addresses;
    session_.reset();
  }
}

TEST_F(PlaitForms, FollowsTheOutboundPolicyOfNowAtPortsThatAServiceEntryDoesNotHave) {
  AddService(index_, "192.0.2.2", 3306, xds::DeclaredProtocol::kTcp, false);
  StartHttpUpstream("PassthroughCluster");
  Outbound("192.0.2.2:18999");
  Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /x").find("HTTP/1.1 200"), std::string::npos);
  auto config = std::make_shared<OutboundConfig>();
  config->xds.unknown_cluster = "BlackHoleCluster";
  config->http = CompileHttp(Http(), {registry_, logs_}).value();
  Chain chain;
  chain.terminal = std::shared_ptr<const OutboundConfig>(std::move(config));
  EXPECT_EQ(session_->Follow(chain), "");
  Send("GET /y HTTP/1.1\r\nHost: who.knows\r\n\r\n");
  EXPECT_NE(ReceiveUntil("\r\n\r\n").find("HTTP/1.1 502"), std::string::npos);
}

TEST_F(PlaitForms, LeadsNowhereAtPortsThatNothingElseCanHave) {
  StartHttpUpstream("PassthroughCluster");
  for (const auto& [address, canonical] : {std::pair("10.96.0.1", true), std::pair("240.240.0.7", false)}) {
    AddService(index_, address, 80, xds::DeclaredProtocol::kNone, canonical);
    Outbound((std::string(address) + ":81").c_str());
    Send("GET /x HTTP/1.1\r\nHost: who.knows\r\n\r\n");
    EXPECT_NE(ReceiveUntil("\r\n\r\n").find("HTTP/1.1 503"), std::string::npos) << address;
    EXPECT_TRUE(recorder_.lines.back().starts_with("503 NC ")) << recorder_.lines.back();
    session_.reset();
  }
}

TEST_F(PlaitForms, SendsAPortThatAServiceEntryDoesNotHaveToTheWorkloadOfTheAddress) {
  AddCaller(xds::TlsMode::kIstio);
  AddService(index_, "10.244.0.9", 3306, xds::DeclaredProtocol::kTcp, false);
  StartTcpUpstream("plait|workload", "");
  Outbound("10.244.0.9:9000");
  Send("\x01\x02");
  EXPECT_EQ(ReceiveUntil("\x02"), "echo:\x01\x02");
}

}  // namespace
}  // namespace plait::proxy::session
