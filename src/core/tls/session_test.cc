// For how long, and under what, an accepted peer stays accepted: resumed sessions, cached chains, open connections
// (semantics.md 3 and 5).
#include <gtest/gtest.h>

#include <functional>

#include "core/tls/test_handshake.h"
#include "core/tls/ticket_keys.h"
#include "testing/manual_clock.h"

namespace plait::tls {
namespace {
using namespace std::chrono_literals;

constexpr const char* kOther = "spiffe://cluster.local/ns/default/sa/other";

class TlsSession : public ::testing::Test {
 protected:
  // A connection that works, with the tickets that it brings: whether it went on with the session of an earlier one.
  bool Resumes(const std::shared_ptr<const Context>& from, const std::shared_ptr<const Context>& to,
               const std::string& endpoint = "10.0.0.1:80") {
    Handshake h(loop, from, to, {.sni = {}, .expected_identity = {}, .alpn = {}, .session_key = endpoint});
    EXPECT_TRUE(h.Works()) << FailureOf(*h.client->stream) << FailureOf(*h.server->stream);
    Buffer pong("pong");
    EXPECT_TRUE(h.server->stream->Write(pong));
    loop.RunUntil([&] { return h.client->received.size() == 4; }, kTestLimit);
    EXPECT_EQ(h.server->stream->tls()->peer_identity, kClient);
    EXPECT_EQ(h.server->stream->tls()->resumed, h.client->stream->tls()->resumed);
    return h.client->stream->tls()->resumed;
  }
  bool Works(const ContextOptions& from, const ContextOptions& to) {
    Handshake h(loop, Make(from), Make(to));
    return h.Works();
  }
  // The same connection is accepted twice, so that all there is to cache is cached.
  void Warm() {
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(Works(client_options, server_options));
    }
  }

  void Pass(Duration time) {
    clock.Advance(time);
    passed += time;
    loop.RunOnce(Duration(0));  // timers that begin now count from then
  }

  ManualClock clock{ManualClock::Start::kRunning};
  Duration passed{};  // what is issued counts from the real time
  io::Loop loop{clock};
  TestCa ca{"test root", 24h * 20};
  TestCa next_ca{"next root", 24h * 20};
  Identity client_id = ca.Issue(kClient, {}, 24h * 10);
  Identity server_id = ca.Issue(kServer, {}, 24h * 10);
  ContextOptions client_options = Options(false, client_id, ca.root_pem());
  ContextOptions server_options = Options(true, server_id, ca.root_pem());
};

TEST_F(TlsSession, IsResumedToTheSameEndpointAlsoWhenTheServerHasRenewedItsCertificate) {
  const auto client = Make(client_options);
  const auto server = Make(server_options);
  EXPECT_FALSE(Resumes(client, server));
  EXPECT_TRUE(Resumes(client, server));
  EXPECT_FALSE(Resumes(client, server, "10.0.0.2:80"));
  server_options.identities = {ca.Issue(kServer)};
  EXPECT_TRUE(Resumes(client, Make(server_options)));
}

TEST_F(TlsSession, GoesOnOverDaysAndTheirKeysAndIsPastWhenNobodyUsedItForADay) {
  const auto client = Make(client_options);
  const auto server = Make(server_options);
  EXPECT_FALSE(Resumes(client, server));
  for (int i = 0; i < 4; ++i) {
    Pass(23h);  // a key is replaced in almost each of them
    EXPECT_TRUE(Resumes(client, server)) << i;
  }
  Pass(kSessionLife);
  EXPECT_FALSE(Resumes(client, server));
  EXPECT_TRUE(Resumes(client, server));
  Pass(2 * kSessionLife);
  EXPECT_FALSE(Resumes(client, server));
}

TEST_F(TlsSession, IsNotResumedUnderOtherTrustOrAnotherOwnIdentity) {
  const std::vector<std::pair<const char*, std::function<void(ContextOptions&)>>> changes{
      {"a further root", [&](ContextOptions& o) { o.bundle_pem += next_ca.root_pem(); }},
      {"a revocation list", [&](ContextOptions& o) { o.crl_pem = ca.Revoke({}); }},
      {"a trust domain's alias", [](ContextOptions& o) { o.peer.trust_domains.emplace_back("alias"); }},
      {"a name",
       [](ContextOptions& o) {
         o.peer.sans = {{SanMatcher::Type::kUri, SanMatcher::Match::kPrefix, "spiffe://cluster.local/"}};
       }},
      {"expired certificates", [](ContextOptions& o) { o.peer.any_time = true; }},
      {"no certificate", [](ContextOptions& o) { o.peer.certificate = PeerPolicy::Certificate::kOptional; }},
      {"another identity", [&](ContextOptions& o) { o.identities = {ca.Issue(kOther)}; }},
  };
  const auto client = Make(client_options);
  for (const auto& [what, change] : changes) {
    const auto server = Make(server_options);
    EXPECT_FALSE(Resumes(client, server, what));
    EXPECT_TRUE(Resumes(client, server, what));
    ContextOptions changed = server_options;
    change(changed);
    EXPECT_FALSE(Resumes(client, Make(changed), what)) << what;
  }
  client_options.identities = {ca.Issue(kOther)};
  Handshake other(loop, Make(client_options), Make(server_options),
                  {.sni = {}, .expected_identity = {}, .alpn = {}, .session_key = "a name"});
  EXPECT_TRUE(other.Works());
  EXPECT_FALSE(other.client->stream->tls()->resumed);
  EXPECT_EQ(other.server->stream->tls()->peer_identity, kOther);
}

// A certificate without SPIFFE identity stands for itself: two hosts of a gateway are not one.
TEST_F(TlsSession, IsNotResumedToAServerOfAnotherName) {
  client_options.peer.trust_domains.clear();
  const auto client = Make(client_options);
  server_options.identities = {ca.Issue("", "a.example.com")};
  const auto server = Make(server_options);
  EXPECT_FALSE(Resumes(client, server));
  EXPECT_TRUE(Resumes(client, server));
  server_options.identities = {ca.Issue("", "b.example.com")};
  EXPECT_FALSE(Resumes(client, Make(server_options)));
}

TEST_F(TlsSession, EndsWithTheServersCertificateAndAFullHandshakeTakesTheNewOne) {
  server_options.identities = {ca.Issue(kServer, {}, 2h)};
  const auto client = Make(client_options);
  const auto server = Make(server_options);
  EXPECT_FALSE(Resumes(client, server));
  EXPECT_TRUE(Resumes(client, server));
  server_options.identities = {server_id};
  Pass(2h + 1s);
  EXPECT_FALSE(Resumes(client, Make(server_options)));
}

TEST_F(TlsSession, EndsWithTheEarliestCertificateOfTheClientsChain) {
  for (const bool below : {false, true}) {
    client_options.identities = {below ? ca.IssueBelow(kClient, passed + 24h, passed + 2h)
                                       : ca.Issue(kClient, {}, passed + 2h)};
    const auto client = Make(client_options);
    const auto server = Make(server_options);
    EXPECT_FALSE(Resumes(client, server));
    EXPECT_TRUE(Resumes(client, server));
    Pass(2h + 1s);
    Handshake h(loop, client, server, {.sni = {}, .expected_identity = {}, .alpn = {}, .session_key = "10.0.0.1:80"});
    EXPECT_FALSE(h.Works());
    // The ticket was not taken: the certificates themselves were looked at.
    EXPECT_EQ(FailureOf(*h.server->stream), "peer certificate: certificate has expired");
  }
}

TEST_F(TlsSession, CachedChainsEndWithTheirEarliestCertificate) {
  for (const bool below : {false, true}) {
    client_options.identities = {below ? ca.IssueBelow(kClient, passed + 24h, passed + 2h)
                                       : ca.Issue(kClient, {}, passed + 2h)};
    Warm();
    Pass(2h + 1s);
    EXPECT_FALSE(Works(client_options, server_options)) << below;
  }
}

TEST_F(TlsSession, CachedChainsEndWithTheTrustTheyWereVerifiedUnder) {
  const std::vector<std::pair<const char*, std::function<void(ContextOptions&)>>> changes{
      {"the roots", [&](ContextOptions& o) { o.bundle_pem = next_ca.root_pem(); }},
      {"the revocation list", [&](ContextOptions& o) { o.crl_pem = ca.Revoke({client_id}); }},
      {"the trust domains", [](ContextOptions& o) { o.peer.trust_domains = {"renamed"}; }},
      {"the names",
       [](ContextOptions& o) {
         o.peer.sans = {{SanMatcher::Type::kUri, SanMatcher::Match::kPrefix, "spiffe://renamed/"}};
       }},
  };
  for (const auto& [what, change] : changes) {
    Warm();
    ContextOptions changed = server_options;
    change(changed);
    EXPECT_FALSE(Works(client_options, changed)) << what;
  }
}

TEST_F(TlsSession, CachedChainsEndWithTheNextRevocationListAndTheTimeOfTheirOwn) {
  server_options.crl_pem = ca.Revoke({}, 2h);
  Warm();
  ContextOptions changed = server_options;
  changed.crl_pem = ca.Revoke({client_id}, 2h);
  EXPECT_FALSE(Works(client_options, changed));
  Pass(2h + 1s);
  EXPECT_FALSE(Works(client_options, server_options)) << "a list that is out of date says nothing";
}

struct Change {
  const char* what;
  std::function<void(ContextOptions&)> change;
  const char* refusal;  // a part of it; empty: none
};

TEST_F(TlsSession, OfAnOpenConnectionIsForbiddenByTheTrustOfNowAndNothingElse) {
  using Shows = PeerPolicy::Certificate;
  const std::vector<Change> changes{
      {"nothing", [](ContextOptions&) {}, ""},
      {"the own certificate", [&](ContextOptions& o) { o.identities = {ca.Issue(kServer)}; }, ""},
      {"a further root", [&](ContextOptions& o) { o.bundle_pem += next_ca.root_pem(); }, ""},
      {"another root", [&](ContextOptions& o) { o.bundle_pem = next_ca.root_pem(); }, "local issuer"},
      {"a list without it", [&](ContextOptions& o) { o.crl_pem = ca.Revoke({server_id}, 240h); }, ""},
      {"a list with it", [&](ContextOptions& o) { o.crl_pem = ca.Revoke({client_id}, 240h); }, "revoked"},
      {"another pinned one",
       [](ContextOptions& o) {
         o.peer.any_chain = true;
         o.peer.certificate_sha256 = {std::string(64, '0')};
         o.bundle_pem.clear();
       },
       "none of the pinned ones"},
      {"an alias", [](ContextOptions& o) { o.peer.trust_domains.emplace_back("alias"); }, ""},
      {"its trust domain", [](ContextOptions& o) { o.peer.trust_domains = {"alias"}; }, "not of trust domain alias"},
      {"no certificates",
       [](ContextOptions& o) {
         o.peer.certificate = Shows::kNone;
         o.bundle_pem.clear();
       },
       ""},
  };
  for (const Duration later : {Duration(0), Duration(2h)}) {  // expired since: that alone ends no connection
    for (const auto& [what, change, refusal] : changes) {
      client_id = ca.Issue(kClient, {}, passed + 1h);
      client_options.identities = {client_id};
      Handshake h(loop, Make(client_options), Make(server_options));
      ASSERT_TRUE(h.Works());
      Pass(later);
      ContextOptions changed = server_options;
      change(changed);
      const auto [why, root_gone] = RefusalOf(*h.server->stream, *Make(changed));
      if (*refusal == '\0') {
        EXPECT_EQ(why, "") << what;
      } else {
        EXPECT_NE(why.find(refusal), std::string::npos) << what << ": " << why;
      }
      EXPECT_EQ(root_gone, std::string_view(what) == "another root") << what;
    }
  }
}

TEST_F(TlsSession, OfAnOpenConnectionIsForbiddenWhenACertificateIsRequiredNow) {
  client_options.identities.clear();
  server_options.peer.certificate = PeerPolicy::Certificate::kOptional;
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.Works());
  EXPECT_EQ(RefusalOf(*h.server->stream, *Make(server_options)).why, "");
  server_options.peer.certificate = PeerPolicy::Certificate::kRequired;
  EXPECT_EQ(RefusalOf(*h.server->stream, *Make(server_options)).why, "the peer showed no certificate");
}

TEST_F(TlsSession, OfAClientIsForbiddenLikeThatOfAServer) {
  Handshake h(loop, Make(client_options), Make(server_options),
              {.sni = {}, .expected_identity = kServer, .alpn = {}, .session_key = {}});
  ASSERT_TRUE(h.Works());
  client_options.bundle_pem += next_ca.root_pem();
  EXPECT_EQ(RefusalOf(*h.client->stream, *Make(client_options)).why, "");
  client_options.bundle_pem = next_ca.root_pem();
  EXPECT_TRUE(RefusalOf(*h.client->stream, *Make(client_options)).root_gone);
}

TEST_F(TlsSession, TellsWhenTheOwnCertificateHasAnotherRootNow) {
  client_options.bundle_pem += next_ca.root_pem();
  server_options.bundle_pem += next_ca.root_pem();
  Handshake h(loop, Make(client_options), Make(server_options));
  ASSERT_TRUE(h.Works());
  const auto under_other_root = [&] { return IsUnderOtherRoot(*h.client->stream, *Make(client_options)); };
  client_options.identities = {ca.Issue(kClient)};
  EXPECT_FALSE(under_other_root());
  client_options.identities = {ca.IssueBelow(kClient, 1h, 1h)};
  EXPECT_FALSE(under_other_root());
  client_options.identities = {next_ca.Issue(kClient)};
  EXPECT_TRUE(under_other_root());
  client_options.bundle_pem = ca.root_pem();  // where it leads to is not known
  EXPECT_FALSE(under_other_root());
}

}  // namespace
}  // namespace plait::tls
