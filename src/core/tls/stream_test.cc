#include "core/tls/stream.h"

#include <gtest/gtest.h>

#include "core/io/socket.h"
#include "core/tls/test_handshake.h"
#include "testing/manual_clock.h"

namespace plait::tls {
namespace {
using namespace std::chrono_literals;

class Tls : public ::testing::Test {
 protected:
  io::Loop loop;
  TestCa ca;
  Identity client_id = ca.Issue(kClient);
  Identity server_id = ca.Issue(kServer);
  ContextOptions client_options = Options(false, client_id, ca.root_pem());
  ContextOptions server_options = Options(true, server_id, ca.root_pem());
};

TEST_F(Tls, BothSidesKnowTheOtherAfterAMutualHandshake) {
  Handshake h(loop, Make(client_options), Make(server_options),
              {.sni = "outbound_.80_._.server", .expected_identity = kServer, .alpn = {}, .session_key = {}});
  ASSERT_TRUE(h.Works()) << FailureOf(*h.client->stream) << FailureOf(*h.server->stream);
  EXPECT_EQ(h.server->stream->tls()->peer_identity, kClient);
  EXPECT_EQ(h.client->stream->tls()->peer_identity, kServer);
  EXPECT_EQ(h.server->stream->tls()->sni, "outbound_.80_._.server");
  EXPECT_EQ(h.server->stream->tls()->alpn, "istio-http/1.1");
  EXPECT_EQ(h.client->stream->tls()->version, "TLSv1.3");
  EXPECT_EQ(h.client->stream->tls()->cipher, "TLS_AES_128_GCM_SHA256");
}

TEST_F(Tls, SpeaksTls12WithAnOlderPeer) {
  client_options.tls13 = false;
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.Works());
  EXPECT_EQ(h.server->stream->tls()->version, "TLSv1.2");
  EXPECT_EQ(h.server->stream->tls()->peer_identity, kClient);
}

TEST_F(Tls, RefusesAServerOfAnotherIdentityAndSaysWhich) {
  Handshake h(
      loop, Make(client_options), Make(server_options),
      {.sni = {}, .expected_identity = "spiffe://cluster.local/ns/default/sa/other", .alpn = {}, .session_key = {}});
  ASSERT_TRUE(h.client->failed);
  EXPECT_EQ(h.client->failed->code, Errc::kDenied);
  EXPECT_NE(FailureOf(*h.client->stream).find(kServer), std::string::npos);
}

TEST_F(Tls, DemandsTheExpectedNameInsteadOfTheListOfNames) {
  client_options.peer.trust_domains.clear();
  client_options.peer.sans = {{.type = SanMatcher::Type::kDns, .match = SanMatcher::Match::kExact, .value = "other"}};
  server_options.identities = {ca.Issue(kServer, "*.example.com")};
  WrapOptions options{
      .sni = "a.example.com", .expected_identity = {}, .expected_name = "a.example.com", .alpn = {}, .session_key = {}};
  Handshake good(loop, Make(client_options), Make(server_options), options);
  EXPECT_TRUE(good.Works()) << FailureOf(*good.client->stream);
  options.expected_name = "example.org";
  Handshake bad(loop, Make(client_options), Make(server_options), options);
  ASSERT_TRUE(bad.client->failed);
  EXPECT_NE(FailureOf(*bad.client->stream).find("example.org"), std::string::npos);
}

TEST_F(Tls, TellsTheServerWhoseCertificateTheClientDoesNotAccept) {
  server_options.identities = {TestCa("foreign root").Issue(kServer)};
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.client->failed);
  ASSERT_TRUE(loop.RunUntil([&] { return h.server->failed.has_value(); }, kTestLimit)) << "the alert comes";
  EXPECT_TRUE(OwnCertificateRefused(*h.server->stream)) << FailureOf(*h.server->stream);
  EXPECT_FALSE(OwnCertificateRefused(*h.client->stream)) << FailureOf(*h.client->stream);
}

TEST_F(Tls, RefusesCertificatesOfAForeignRootOrOutOfTime) {
  const TestCa foreign("foreign root");
  for (const Identity& bad : {foreign.Issue(kClient), ca.Issue(kClient, {}, -1h)}) {
    client_options.identities = {bad};
    Handshake h(loop, Make(client_options), Make(server_options));
    EXPECT_FALSE(h.Works());
    EXPECT_NE(FailureOf(*h.server->stream).find("peer certificate"), std::string::npos);
    EXPECT_FALSE(OwnCertificateRefused(*h.server->stream));
  }
}

TEST_F(Tls, LetsAnExpiredCertificatePassOnlyWhenToldToAndNothingElseWithIt) {
  client_options.identities = {ca.Issue(kClient, {}, -1s)};
  for (const bool any_time : {false, true, false}) {  // what was judged with one rule is not remembered for the other
    server_options.peer.any_time = any_time;
    Handshake h(loop, Make(client_options), Make(server_options));
    EXPECT_EQ(h.Works(), any_time) << FailureOf(*h.server->stream);
  }
  server_options.peer.any_time = true;
  client_options.identities = {TestCa("another").Issue(kClient, {}, -1s)};
  Handshake foreign(loop, Make(client_options), Make(server_options));
  EXPECT_FALSE(foreign.Works());
}

TEST_F(Tls, RefusesAnotherTrustDomainAndAPeerWithoutIdentity) {
  for (const Identity& bad : {ca.Issue("spiffe://evil.local/ns/default/sa/client"), ca.Issue("", "client.example.com"),
                              ca.Issue("https://cluster.local/")}) {
    client_options.identities = {bad};
    Handshake h(loop, Make(client_options), Make(server_options));
    EXPECT_FALSE(h.Works());
  }
}

TEST_F(Tls, RefusesAClientWithoutCertificateWhenOneIsRequired) {
  client_options.identities.clear();
  Handshake required(loop, Make(client_options), Make(server_options));
  EXPECT_FALSE(required.Works());
  server_options.peer.certificate = PeerPolicy::Certificate::kOptional;
  Handshake optional(loop, Make(client_options), Make(server_options));
  EXPECT_TRUE(optional.Works());
  EXPECT_FALSE(optional.server->stream->tls()->peer_certificate);
}

TEST_F(Tls, MatchesSubjectAlternativeNames) {
  using M = SanMatcher::Match;
  using T = SanMatcher::Type;
  struct Case {
    SanMatcher matcher;
    bool accepted;
  };
  const Identity named = ca.Issue(kServer, "*.example.com");
  for (const auto& [matcher, accepted] :
       std::vector<Case>{{{T::kUri, M::kExact, kServer}, true},
                         {{T::kUri, M::kPrefix, "spiffe://cluster.local/ns/default/"}, true},
                         {{T::kUri, M::kSuffix, "/sa/other"}, false},
                         {{T::kUri, M::kRegex, "spiffe://.*/sa/(server|x)"}, true},
                         {{T::kUri, M::kRegex, "spiffe"}, false},
                         {{T::kDns, M::kExact, "a.example.com"}, true},
                         {{T::kDns, M::kExact, "a.b.example.com"}, false},
                         {{T::kEmail, M::kExact, kServer}, false},
                         {{T::kAny, M::kContains, "example"}, true}}) {
    client_options.peer.sans = {matcher};
    server_options.identities = {named};
    Handshake h(loop, Make(client_options), Make(server_options));
    EXPECT_EQ(h.Works(), accepted) << matcher.value;
  }
}

TEST_F(Tls, ServesTheCertificateThatFitsTheServerName) {
  server_options.identities = {ca.Issue("", "default.example.com"), ca.Issue("", "*.shop.example.com")};
  server_options.peer.certificate = PeerPolicy::Certificate::kNone;
  client_options.peer.trust_domains.clear();
  const auto server = Make(server_options);
  for (const auto& [sni, san] :
       std::vector<std::pair<std::string, std::string>>{{"a.shop.example.com", "*.shop.example.com"},
                                                        {"else", "default.example.com"},
                                                        {"", "default.example.com"}}) {
    Handshake h(loop, Make(client_options), server,
                {.sni = sni, .expected_identity = {}, .alpn = {}, .session_key = {}});
    ASSERT_TRUE(h.Works());
    EXPECT_EQ(h.client->stream->tls()->peer_dns_sans.front(), san);
  }
}

TEST_F(Tls, CarriesManyBytesAndBothHalfCloses) {
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.Works());
  const std::string big(5'000'000, 'x');
  Buffer up(big);
  EXPECT_TRUE(loop.RunUntil(
      [&] {
        EXPECT_TRUE(h.client->stream->Write(up));
        return up.empty();
      },
      10s));
  h.client->stream->ShutdownWrite();
  EXPECT_TRUE(loop.RunUntil([&] { return h.server->ended.has_value(); }, 10s));
  EXPECT_EQ(h.server->ended->code, Errc::kPeerClosed);
  EXPECT_EQ(h.server->received.size(), big.size() + 4);
  Buffer answer("still here");
  EXPECT_TRUE(h.server->stream->Write(answer));
  EXPECT_TRUE(loop.RunUntil([&] { return h.client->received.size() == 10; }, 5s));
}

TEST_F(Tls, TellsWhetherBytesThatItHasTakenStillWaitAndWhenTheyHaveGone) {
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.Works());
  EXPECT_FALSE(h.client->stream->unsent());
  h.server->stream->SetEvents(nullptr);  // does not read
  Buffer big(std::string(50'000, 'x'));
  while (!h.client->stream->unsent()) {
    ASSERT_TRUE(h.client->stream->Write(big));
    if (big.empty()) big.Append(std::string(50'000, 'x'));
  }
  const int before = h.client->writable;
  h.client->stream->ShutdownWrite();
  EXPECT_TRUE(h.client->stream->unsent());
  h.server->stream->SetEvents(h.server.get());
  h.server->OnReadable();
  EXPECT_TRUE(loop.RunUntil([&] { return h.client->writable > before && h.server->ended; }, 10s));
  EXPECT_FALSE(h.client->stream->unsent());
}

TEST_F(Tls, GarbageInsteadOfAHelloFailsWithAReason) {
  auto [a, b] = io::StreamPair(loop);
  End server(Wrap(loop, std::move(b), Make(server_options)));
  End client(std::move(a));
  loop.RunUntil([&] { return client.open; }, 5s);
  Buffer garbage("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(client.stream->Write(garbage));
  EXPECT_TRUE(loop.RunUntil([&] { return server.failed.has_value(); }, 5s));
  EXPECT_NE(FailureOf(*server.stream).find("TLS handshake failed"), std::string::npos);
}

TEST_F(Tls, WhyAHandshakeFailedIsKnownAlsoWhenItsTimeWouldBeOver) {
  ManualClock clock(ManualClock::Start::kRunning);
  io::Loop ours(clock);
  client_options.identities = {TestCa("strangers").Issue(kClient)};
  const Handshake h(ours, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.server->failed);
  const std::string why = FailureOf(*h.server->stream);
  clock.Advance(1min);
  for (int round = 0; round < 3; ++round) ours.RunOnce(Duration(0));
  EXPECT_EQ(FailureOf(*h.server->stream), why);
}

TEST_F(Tls, ASilentPeerTimesOut) {
  auto [a, b] = io::StreamPair(loop);
  End server(Wrap(loop, std::move(b), Make(server_options),
                  {.sni = {}, .expected_identity = {}, .alpn = {}, .session_key = {}, .handshake_timeout = 20ms}));
  EXPECT_TRUE(loop.RunUntil([&] { return server.failed.has_value(); }, 5s));
  EXPECT_EQ(server.failed->code, Errc::kTimedOut);
}

TEST(Context, SaysWhatIsWrongWithItsParts) {
  const TestCa ca;
  ContextOptions options = Options(true, ca.Issue(kServer), ca.root_pem());
  options.identities[0].key_pem = PrivateKey::Generate().ToPem();
  EXPECT_NE(Context::Make(options).error().message.find("does not belong"), std::string::npos);
  options = Options(true, ca.Issue(kServer), "no certificate");
  EXPECT_NE(Context::Make(options).error().message.find("trust bundle"), std::string::npos);
  options = Options(true, {"", ""}, ca.root_pem());
  EXPECT_NE(Context::Make(options).error().message.find("certificate chain 1"), std::string::npos);
}

}  // namespace
}  // namespace plait::tls
