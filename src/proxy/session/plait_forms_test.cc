// Outbound and Inbound: what becomes of a captured connection by its own bytes, by port and by peer (semantics.md 1, 2,
// 5).
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "proxy/session/inbound.h"
#include "proxy/session/inbound_routes.h"
#include "proxy/session/outbound.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/session/test_context.h"

namespace plait::proxy::session {
namespace {

struct More {
  bool http_policy = false;
  std::optional<Duration> detection_timeout = {};
};

class PlaitForms : public SessionTest {
 protected:
  // A server that greets first, or answers what it gets with "echo:<bytes>".
  void StartTcpUpstream(const std::string& cluster, std::string greeting) {
    socket_ = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    listener_ = std::make_unique<io::Listener>(loop_, socket_.get(), false, [this, greeting](io::UniqueFd fd) {
      accepted_.push_back(std::make_unique<Peer>(io::AdoptSocket(loop_, std::move(fd)), greeting));
    });
    AddCluster(cluster, io::LocalAddress(socket_.get()));
  }
  void StartHttpUpstream(const std::string& cluster) {
    http_ = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                               [](conn::Request request, conn::Responder responder) {
                                                 responder.Send(conn::TextResponse(200, "app " + request.head.path));
                                               });
    AddCluster(cluster, http_->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
  }
  void AddService(const char* vip, std::uint16_t port, xds::DeclaredProtocol declared) {
    xds::Service service;
    service.name = "web";
    service.name_space = "default";
    service.hostname = "web.default.svc.cluster.local";
    service.addresses.push_back({"", io::Cidr::Parse(vip).value()});
    service.ports.push_back({{port, port, xds::AppProtocol::kUnknown}, "p", declared});
    cluster::IndexUpdate update;
    update.put.emplace_back(service.Key(), std::make_shared<xds::Address>(xds::Address{service}));
    index_.Apply(update);
  }

  // The caller, as the index knows it.
  void AddCaller(xds::TlsMode mode) {
    xds::Workload workload;
    workload.uid = "k//Pod/default/caller";
    workload.name = "caller";
    workload.addresses = {io::IpAddress::Parse("10.244.0.9").value()};
    workload.tls_mode = mode;
    cluster::IndexUpdate update;
    update.put.emplace_back(workload.uid, std::make_shared<xds::Address>(xds::Address{workload}));
    index_.Apply(update);
  }

  record::ConnectionInfo Info(const char* destination, const char* source = "10.244.0.9:5000") {
    record::ConnectionInfo info;
    info.local = io::SocketAddress::Parse(destination).value();
    info.remote = io::SocketAddress::Parse(source).value();
    info.accepted = loop_.Now();
    return info;
  }
  Intake::OnDecided Decided() {
    return [this](std::unique_ptr<Session> session) {
      loop_.DeleteLater(std::move(intake_));
      session_ = std::move(session);
      decided_ = true;
    };
  }
  static xds::HttpConnectionManager Http() {
    xds::HttpConnectionManager http;
    http.routes = xds::RdsRef{};
    http.filters.emplace_back().config = xds::RouterFilter{};
    return http;
  }
  void Outbound(const char* destination, const char* unknown_cluster = "PassthroughCluster") {
    auto config = std::make_shared<OutboundConfig>();
    config->xds.unknown_cluster = unknown_cluster;
    config->http = CompileHttp(Http(), {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    intake_ =
        std::make_unique<OutboundIntake>(context_, config, std::move(server), Info(destination), *this, Decided());
  }
  void Inbound(const xds::InboundPort& port, const More& more = {}) {
    auto config = std::make_shared<InboundConfig>();
    config->xds.ports = {port};
    config->xds.detection_timeout = more.detection_timeout;
    config->xds.http = Http();
    if (more.http_policy) {
      xds::RbacFilter deny;
      deny.rules = xds::RbacRules{};
      config->xds.http.filters.insert(config->xds.http.filters.begin(), xds::HttpFilter{"rbac", deny, false, false});
    }
    config->http = CompileHttp(Http(), {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    config->routes[port.port] = MakeInboundRoutes(port.port, port.cluster);
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    inbound_ = config;
    intake_ =
        std::make_unique<InboundIntake>(context_, config, std::move(server), Info("10.244.0.5:80"), *this, Decided());
  }

  // The client begins TLS, with a certificate that `clients` has issued; the server trusts `ca`.
  void BeginTls(const std::string& alpn, const tls::TestCa& ca, const tls::TestCa& clients) {
    tls::ContextOptions server;
    server.server = true;
    server.identities = {ca.Issue("spiffe://cluster.local/ns/default/sa/app")};
    server.bundle_pem = ca.root_pem();
    server.alpn = {"istio-http/1.1", "istio"};
    downstream_tls_.context = tls::Context::Make(server).value();
    tls::ContextOptions client;
    client.identities = {clients.Issue("spiffe://cluster.local/ns/default/sa/client")};
    client.bundle_pem = ca.root_pem();
    client.alpn = {alpn};
    loop_.RunOnce(Duration(0));  // it opens; it does not tell so a second time, but one that begins anew does
    client_ = tls::Wrap(loop_, GiveAgain(loop_, std::move(client_), Buffer()), tls::Context::Make(client).value());
    client_->SetEvents(&opened_);
  }
  // The client becomes a proxy of the mesh that speaks mutual TLS.
  void ShakeHandsAsAProxy(const std::string& alpn) {
    const tls::TestCa ca;
    BeginTls(alpn, ca, ca);
    ASSERT_TRUE(loop_.RunUntil([&] { return opened_.open; }, kLimit));
  }
  // What the log says of a client whose certificate is no one's of the mesh.
  std::string LineOfAStranger(const std::string& alpn) {
    BeginTls(alpn, tls::TestCa(), tls::TestCa("strangers"));
    EXPECT_TRUE(loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit));
    return recorder_.lines.empty() ? "" : recorder_.lines.back();
  }
  // What arrives within this time.
  std::string ReceiveFor(Duration time) {
    Buffer got;
    loop_.RunUntil([&] { return client_->Read(got, 65536).value_or(0) > 0; }, time);
    return got.ToString();
  }

  struct Opened final : io::StreamEvents {
    void OnOpen() override { open = true; }
    void OnReadable() override {}
    void OnWritable() override {}
    void OnFailed(Error) override {}
    bool open = false;
  };
  struct Peer final : io::StreamEvents {
    Peer(std::unique_ptr<io::Stream> s, const std::string& greeting) : stream(std::move(s)), hello(greeting) {
      stream->SetEvents(this);
    }
    void OnOpen() override {
      if (!hello.empty()) static_cast<void>(stream->Write(hello));
    }
    void OnReadable() override {
      Buffer got;
      while (stream->Read(got, 65536).value_or(0) > 0) {
      }
      if (got.empty()) return;
      Buffer answer("echo:" + got.ToString());
      static_cast<void>(stream->Write(answer));
    }
    void OnWritable() override {}
    void OnFailed(Error) override {}
    std::unique_ptr<io::Stream> stream;
    Buffer hello;
  };

  Opened opened_;
  io::UniqueFd socket_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> accepted_;
  std::unique_ptr<conn::HttpServer> http_;
  std::shared_ptr<const InboundConfig> inbound_;
  std::unique_ptr<Intake> intake_;
  bool decided_ = false;
};

TEST_F(PlaitForms, SendsHttpToTheServiceOfTheDestinationWhenTheHostIsUnknown) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
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
  AddService("10.96.0.1", 3306, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|3306||web.default.svc.cluster.local", "greetings");
  Outbound("10.96.0.1:3306");
  EXPECT_EQ(ReceiveUntil("greetings"), "greetings");
  EXPECT_EQ(context_.learned.Of(io::SocketAddress::Parse("10.96.0.1:3306").value()),
            LearnedDestinations::Speaks::kServerFirst);
  Send("login");
  EXPECT_EQ(ReceiveUntil("echo:login"), "echo:login");
}

TEST_F(PlaitForms, DialsForASilentClientAndDropsTheConnectionUnusedWhenItSpeaksHttp) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartHttpUpstream("outbound|80||web.default.svc.cluster.local");
  Outbound("10.96.0.1:80");
  ASSERT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit)) << "dialled for who is silent";
  Send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /late").find("200"), std::string::npos);
  EXPECT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit)) << "but for that of the pool";
}

TEST_F(PlaitForms, DoesNotDialSoSoonWhereTheLastClientSpokeHttp) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartHttpUpstream("outbound|80||web.default.svc.cluster.local");
  context_.learned.Note(io::SocketAddress::Parse("10.96.0.1:80").value(), LearnedDestinations::Speaks::kHttp);
  const MonotonicTime start = loop_.Now();
  Outbound("10.96.0.1:80");
  ASSERT_TRUE(loop_.RunUntil([&] { return http_->connections() == 1; }, kLimit));
  EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
}

TEST_F(PlaitForms, LearnsThatClientsOfAPortSpeakHttpUntilOneDoesNot) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
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
    AddService("10.96.0.1", 80, declared);
    StartTcpUpstream("outbound|80||web.default.svc.cluster.local", "greetings");
    Outbound("10.96.0.1:80");
    EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(100)), "");
    EXPECT_TRUE(accepted_.empty());
  }
}

TEST_F(PlaitForms, TakesAPrefixOfHttpForBytesWhenNothingFollows) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|80||web.default.svc.cluster.local", "");
  const MonotonicTime start = loop_.Now();
  Outbound("10.96.0.1:80");
  Send("GE");
  EXPECT_EQ(ReceiveUntil("GE"), "echo:GE");
  EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
}

// Whoever was dialled for nothing has not failed, nor has it succeeded.
TEST_F(PlaitForms, TellsOutlierDetectionNothingOfADialThatNobodyUses) {
  AddService("10.96.0.1", 80, xds::DeclaredProtocol::kNone);
  const std::string name = "outbound|80||web.default.svc.cluster.local";
  io::UniqueFd nobody = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const io::SocketAddress dead = io::LocalAddress(nobody.get());
  nobody.Reset();
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = cluster->load_assignment.cluster_name = name;
  cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address = dead;
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

TEST_F(PlaitForms, RelaysBytesThatAreNoHttp) {
  AddService("10.96.0.1", 6379, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|6379||web.default.svc.cluster.local", "");
  Outbound("10.96.0.1:6379");
  Send("*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(ReceiveUntil("PING\r\n"), "echo:*1\r\n$4\r\nPING\r\n");
}

TEST_F(PlaitForms, RelaysMoreThanItLooksAtFromTheStart) {
  AddService("10.96.0.1", 6379, xds::DeclaredProtocol::kNone);
  StartTcpUpstream("outbound|6379||web.default.svc.cluster.local", "");
  Outbound("10.96.0.1:6379");
  Send("*1\r\n$40000\r\n" + std::string(40'000, 'x') + "\r\nPING");
  EXPECT_GT(ReceiveUntil("PING").size(), 40'000U);
}

TEST_F(PlaitForms, DialsADeclaredTcpPortAtOnce) {
  AddService("10.96.0.1", 25, xds::DeclaredProtocol::kTcp);
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

TEST_F(PlaitForms, SendsAnUnknownDestinationByTheOutboundPolicy) {
  StartTcpUpstream("PassthroughCluster", "");
  Outbound("93.184.216.34:9000");
  Send("\x01\x02");
  EXPECT_EQ(ReceiveUntil("\x02"), "echo:\x01\x02");
}

TEST_F(PlaitForms, RefusesPlaintextUnderStrict) {
  StartHttpUpstream("inbound|80||");
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(ReceiveUntil("never"), "");
  ASSERT_FALSE(recorder_.lines.empty());
  EXPECT_EQ(recorder_.lines.back(), "0 - plaintext_refused_by_strict_mutual_tls ");
}

TEST_F(PlaitForms, SaysWhichInvalidPolicyMadeThePortStrictThatRefuses) {
  StartHttpUpstream("inbound|80||");
  Inbound({.port = 80,
           .mode = xds::MtlsMode::kStrict,
           .cluster = "inbound|80||",
           .strict_by = "invalid_policy[default/broken]-kind[PeerAuthentication]"});
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(ReceiveUntil("never"), "");
  ASSERT_EQ(recorder_.lines.size(), 1U);
  EXPECT_EQ(recorder_.lines.back(),
            "0 - plaintext_refused_by_strict_mutual_tls{invalid_policy[default/broken]-kind[PeerAuthentication]} ");
}

TEST_F(PlaitForms, BlamesTheInvalidPolicyForForeignTlsThatIsRefused) {
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||", .strict_by = "invalid_policy[a/b]"});
  const std::string line = LineOfAStranger("http/1.1");
  EXPECT_NE(line.find("tls_handshake_failed{"), std::string::npos) << line;
  EXPECT_NE(line.find("}_on_a_STRICT_port{invalid_policy[a/b]}"), std::string::npos) << line;
}

// It would be refused on a PERMISSIVE port too.
TEST_F(PlaitForms, DoesNotBlameThePolicyForAProxyWithAWrongCertificate) {
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||", .strict_by = "invalid_policy[a/b]"});
  const std::string line = LineOfAStranger("istio");
  EXPECT_NE(line.find("tls_handshake_failed{"), std::string::npos) << line;
  EXPECT_EQ(line.find("invalid_policy"), std::string::npos) << line;
}

// As a probe that connects and closes, seen by a worker that is busy.
TEST_F(PlaitForms, LooksNoFurtherAtAClientThatIsGoneInTheRoundInWhichItWouldBegin) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80,
           .mode = xds::MtlsMode::kDisable,
           .declared = xds::DeclaredProtocol::kTcp,
           .cluster = "inbound|80||"});
  client_->Close(false);
  const MonotonicTime due = SystemClock().Now() + std::chrono::milliseconds(5);
  while (SystemClock().Now() < due) {
  }
  loop_.RunOnce(Duration(0));
  EXPECT_TRUE(decided_);
  EXPECT_EQ(session_, nullptr);
}

TEST_F(PlaitForms, ServesPlaintextHttpOnAPermissivePort) {
  StartHttpUpstream("inbound|80||");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
  Send("GET /plain HTTP/1.0\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /plain").find("200"), std::string::npos);
}

TEST_F(PlaitForms, RefusesNearlyHttpWhereAPolicyHasHttpRules) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"}, {.http_policy = true});
  Send("get / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("Bad Request").find("400"), std::string::npos);
}

// A socket that is closed while its peer still sends answers with RST, and the peer loses the answer.
TEST_F(PlaitForms, StaysUntilARefusedClientHasReadItsAnswer) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"}, {.http_policy = true});
  Send("get / HTTP/1.1\r\n");
  ASSERT_TRUE(loop_.RunUntil([&] { return decided_; }, kLimit));
  EXPECT_EQ(session_, nullptr);
  Send("Host: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("Bad Request").find("400"), std::string::npos);
  EXPECT_EQ(orphans_.size(), 1U);
  client_->ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return orphans_.size() == 0; }, std::chrono::milliseconds(500)));
}

TEST_F(PlaitForms, TerminatesMutualTlsUnderStrictAndServesHttp) {
  StartHttpUpstream("inbound|80||");
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  ShakeHandsAsAProxy("istio-http/1.1");
  Send("GET /mutual HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /mutual").find("200"), std::string::npos);
}

TEST_F(PlaitForms, PassesOnTheApplicationsOwnTlsInsideMutualTlsAlsoOnAPortThatIsCalledHttp) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80,
           .mode = xds::MtlsMode::kStrict,
           .declared = xds::DeclaredProtocol::kHttp,
           .cluster = "inbound|80||"});
  ShakeHandsAsAProxy("istio");
  const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);
  Send(hello);
  EXPECT_EQ(ReceiveUntil(hello), "echo:" + hello);
}

TEST_F(PlaitForms, RefusesBytesThatAreNeitherHttpNorTlsOnAPortThatIsCalledHttp) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80,
           .mode = xds::MtlsMode::kStrict,
           .declared = xds::DeclaredProtocol::kHttp,
           .cluster = "inbound|80||"});
  ShakeHandsAsAProxy("istio");
  Send("\x01\x02");
  EXPECT_NE(ReceiveUntil("Bad Request").find("400"), std::string::npos);
}

TEST_F(PlaitForms, WaitsOnAPermissivePortForTheLateClientHelloOfACallerInTheMesh) {
  AddCaller(xds::TlsMode::kIstio);
  StartTcpUpstream("inbound|80||", "greetings");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
  EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(200)), "");
  ShakeHandsAsAProxy("istio");
  EXPECT_EQ(ReceiveUntil("greetings"), "greetings");
  Send("login");
  EXPECT_EQ(ReceiveUntil("echo:login"), "echo:login");
}

TEST_F(PlaitForms, PassesTheGreetingAtOnceToACallerThatIsKnownToHaveNoMutualTls) {
  AddCaller(xds::TlsMode::kDisabled);
  StartTcpUpstream("inbound|80||", "greetings");
  const MonotonicTime start = loop_.Now();
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
  EXPECT_EQ(ReceiveUntil("greetings"), "greetings");
  EXPECT_LT(loop_.Now() - start, std::chrono::seconds(1)) << "what an unknown caller waits";
  EXPECT_EQ(accepted_.size(), 1U);
}

TEST_F(PlaitForms, HoldsTheGreetingBackFromAnUnknownCallerForTheDetectionTimeout) {
  StartTcpUpstream("inbound|80||", "greetings");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"},
          {.detection_timeout = std::chrono::milliseconds(150)});
  EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(50)), "");
  EXPECT_EQ(ReceiveUntil("greetings"), "greetings");
}

}  // namespace
}  // namespace plait::proxy::session
