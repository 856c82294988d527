// What becomes of a captured connection to the own application, by its bytes, its port and its peer (semantics.md 1,
// 5).
#include "proxy/session/test_plait_forms.h"

namespace plait::proxy::session {
namespace {

const xds::InboundPort kCalledHttp = {
    .port = 80, .mode = xds::MtlsMode::kStrict, .declared = xds::DeclaredProtocol::kHttp, .cluster = "inbound|80||"};

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

TEST_F(PlaitForms, SaysThatTheCallerDidNotAcceptTheCertificateOfTheWorkload) {
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  const std::string line = LineOfADisbeliever("istio");
  EXPECT_NE(line.find("BAD_CERTIFICATE}_the_caller_did_not_accept_this_workload's_certificate "), std::string::npos)
      << line;
}

TEST_F(PlaitForms, NamesTheSwitchForTheTlsOfTheApplicationOnlyToClientsThatAreNoProxies) {
  const xds::InboundPort port{.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"};
  constexpr std::string_view kSwitch = "_use_PeerAuthentication_PERMISSIVE_or_plait.dev/app-tls-ports";
  Inbound(port);
  EXPECT_EQ(LineOfAStranger("istio").find(kSwitch), std::string::npos) << recorder_.lines.back();
  recorder_.lines.clear();
  Inbound(port);
  EXPECT_NE(LineOfAStranger("http/1.1").find("}" + std::string(kSwitch)), std::string::npos) << recorder_.lines.back();
  // It expected the application's certificate, and met the one of the mesh.
  recorder_.lines.clear();
  Inbound(port);
  EXPECT_NE(LineOfADisbeliever("http/1.1")
                .find("_the_caller_did_not_accept_this_workload's_certificate" + std::string(kSwitch)),
            std::string::npos)
      << recorder_.lines.back();
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

TEST_F(PlaitForms, TellsACallerOfTheMeshAndNobodyElseThatTheApplicationNeverGotItsRequest) {
  for (const bool mesh : {true, false}) {
    io::UniqueFd gone = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    AddCluster("inbound|80||", io::LocalAddress(gone.get()));
    gone.Reset();
    Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
    if (mesh) ShakeHandsAsAProxy("istio-http/1.1");
    Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = ReceiveUntil("\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_EQ(answer.find("x-plait-undelivered: true") != std::string::npos, mesh) << answer;
  }
}

TEST_F(PlaitForms, TakesAnApplicationsOwnWordForNothing) {
  http_ = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                             [](conn::Request, conn::Responder responder) {
                                               conn::Response answer = conn::TextResponse(503, "from the application");
                                               answer.headers.Add("x-plait-undelivered", "true");
                                               responder.Send(std::move(answer));
                                             });
  AddCluster("inbound|80||", http_->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  ShakeHandsAsAProxy("istio-http/1.1");
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = ReceiveUntil("from the application");
  EXPECT_NE(answer.find("from the application"), std::string::npos);
  EXPECT_EQ(answer.find("x-plait"), std::string::npos) << answer;
}

TEST_F(PlaitForms, ForbidsAConnectionWhoseClientWouldBeRefusedUnderTheTrustOfNow) {
  StartHttpUpstream("inbound|80||");
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  const tls::TestCa ca;
  const tls::TestCa next("next root");
  BeginTls("istio-http/1.1", ca, ca);
  ASSERT_TRUE(loop_.RunUntil([&] { return opened_.open; }, kLimit));
  Send("GET /mutual HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(ReceiveUntil("app /mutual").find("200"), std::string::npos);
  Chain chain;
  chain.terminal = inbound_;
  const auto trust = [&](const std::string& roots) {
    tls::ContextOptions options;
    options.server = true;
    options.identities = {next.Issue("spiffe://cluster.local/ns/default/sa/app")};
    options.bundle_pem = roots;
    downstream_tls_.context = tls::Context::Make(options).value();
  };
  trust(ca.root_pem() + next.root_pem());
  EXPECT_EQ(session_->Follow(chain), "");
  trust(next.root_pem());
  EXPECT_EQ(session_->Follow(chain),
            "peer_no_longer_trusted{peer_certificate:_unable_to_get_local_issuer_certificate}");
}

TEST_F(PlaitForms, PassesOnTheApplicationsOwnTlsInsideMutualTlsAlsoOnAPortThatIsCalledHttp) {
  StartTcpUpstream("inbound|80||", "");
  Inbound(kCalledHttp);
  ShakeHandsAsAProxy("istio");
  const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);
  Send(hello);
  EXPECT_EQ(ReceiveUntil(hello), "echo:" + hello);
}

TEST_F(PlaitForms, RefusesBytesThatAreNeitherHttpNorTlsOnAPortThatIsCalledHttp) {
  StartTcpUpstream("inbound|80||", "");
  Inbound(kCalledHttp);
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

// A mesh client behind a slow network, or one that the index does not know yet.
TEST_F(PlaitForms, TerminatesAMeshHelloThatComesAfterTheSilentApplicationWasDialled) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"},
          {.detection_timeout = std::chrono::milliseconds(10)});
  ASSERT_TRUE(loop_.RunUntil([&] { return accepted_.size() == 1; }, kLimit));
  ShakeHandsAsAProxy("istio");
  Send("login");
  EXPECT_EQ(ReceiveUntil("echo:login"), "echo:login");
}

TEST_F(PlaitForms, TellsASilentClientThatTheApplicationIsDown) {
  for (const xds::MtlsMode mode : {xds::MtlsMode::kDisable, xds::MtlsMode::kPermissive}) {
    AddCluster("inbound|80||", DeadAddress());
    Inbound({.port = 80, .mode = mode, .cluster = "inbound|80||"},
            {.detection_timeout = std::chrono::milliseconds(10)});
    EXPECT_EQ(ReceiveUntil("(never sent)"), "");
    EXPECT_NE(LastLine().find(" UF"), std::string::npos) << LastLine();
    recorder_.lines.clear();
  }
}

TEST_F(PlaitForms, HoldsTheGreetingBackWhileAHelloIsOnItsWay) {
  StartTcpUpstream("inbound|80||", "");
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"},
          {.detection_timeout = std::chrono::milliseconds(10)});
  ASSERT_TRUE(loop_.RunUntil([&] { return accepted_.size() == 1; }, kLimit));
  Send(std::string("\x16\x03\x01\x00\x05\x01", 6));
  EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(20)), "");
  Buffer greetings("greetings");
  ASSERT_TRUE(accepted_[0]->stream->Write(greetings));
  EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(50)), "");
  Send(std::string("\x00\x00\x01\x00", 4));  // no hello of the mesh: the application's
  EXPECT_EQ(ReceiveUntil("echo:").substr(0, 9), "greetings");
}

// Half a hello of a client that says nothing more: what is there is the application's (semantics.md 1).
TEST_F(PlaitForms, TakesHalfAClientHelloForBytesWhenNothingFollows) {
  for (const std::string_view half : {std::string_view("\x16\x03"), std::string_view("\x16\x03\x01\x00\x50\x01", 6)}) {
    StartTcpUpstream("inbound|80||", "");
    const MonotonicTime start = loop_.Now();
    Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
    Send(half);
    EXPECT_EQ(ReceiveUntil(half), "echo:" + std::string(half));
    EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
    EXPECT_LT(loop_.Now() - start, std::chrono::seconds(2));
    session_.reset();
  }
}

TEST_F(PlaitForms, WaitsNoLongerForAClientHelloWhoseBytesTrickleIn) {
  StartTcpUpstream("inbound|80||", "");
  const MonotonicTime start = loop_.Now();
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
  Send("\x16");
  EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(700)), "");
  Send("\x03");
  EXPECT_EQ(ReceiveUntil("\x16\x03"), "echo:\x16\x03");
  EXPECT_LT(loop_.Now() - start, std::chrono::milliseconds(1650));
}

TEST_F(PlaitForms, RefusesHalfAClientHelloUnderStrictWhenNothingFollows) {
  StartTcpUpstream("inbound|80||", "");
  const MonotonicTime start = loop_.Now();
  Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  Send(std::string_view("\x16\x03\x01\x00\x50\x01", 6));
  EXPECT_EQ(ReceiveUntil("never"), "");
  EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
  ASSERT_EQ(recorder_.lines.size(), 1U);
  EXPECT_EQ(recorder_.lines.back(), "0 - plaintext_refused_by_strict_mutual_tls ");
  EXPECT_TRUE(accepted_.empty());
}

TEST_F(PlaitForms, RefusesThePrefixOfAClientHelloWhereAPolicyHasHttpRules) {
  for (const std::string_view half : {std::string_view("\x16\x03"), std::string_view("\x16\x03\x01\x00\x50\x01", 6)}) {
    StartTcpUpstream("inbound|80||", "");
    Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"}, {.http_policy = true});
    Send(half);
    EXPECT_NE(ReceiveUntil("Bad Request").find("400"), std::string::npos);
    EXPECT_TRUE(accepted_.empty());
    session_.reset();
  }
}

// A hello that spans packets, the second of which is lost and sent again.
TEST_F(PlaitForms, TerminatesAMeshHelloThatComesInPieces) {
  for (const xds::MtlsMode mode : {xds::MtlsMode::kPermissive, xds::MtlsMode::kStrict}) {
    Inbound({.port = 80, .mode = mode, .cluster = "inbound|80||"});
    const std::string hello = HelloOfAProxy("istio");
    Send(hello.substr(0, 100));
    EXPECT_EQ(ReceiveFor(std::chrono::milliseconds(300)), "");
    Send(hello.substr(100));
    EXPECT_EQ(ReceiveFor(kLimit).substr(0, 2), "\x16\x03") << "the server's hello";
    EXPECT_TRUE(recorder_.lines.empty());
  }
}

TEST_F(PlaitForms, TakesAPrefixOfHttpForTheApplicationsBytesAfterASecond) {
  StartTcpUpstream("inbound|80||", "");
  const MonotonicTime start = loop_.Now();
  Inbound({.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"});
  Send("GE");
  EXPECT_EQ(ReceiveUntil("GE"), "echo:GE");
  EXPECT_GE(loop_.Now() - start, std::chrono::seconds(1));
  EXPECT_LT(loop_.Now() - start, std::chrono::seconds(2));
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
