// A secret that is no credential is refused, as in Envoy: what was there before goes on, and nobody waits for it.
#include "proxy/worker/test_trust.h"

namespace plait::proxy::worker {
namespace {

using Kind = xds::DataSource::Kind;

class RefusedSecrets : public Trust {
 protected:
  explicit RefusedSecrets(Duration warming_limit = std::chrono::seconds(1))
      : Trust(WorkerOptions{}.drain_time, warming_limit) {}
  // Why it is refused; empty: it is taken.
  template <class T>
  std::string Put(const std::string& name, T value) {
    const auto put = store_.PutSecret(std::make_shared<xds::Secret>(xds::Secret{name, std::move(value)}), {});
    return put ? std::string() : put.error().ToString();
  }
  static xds::TlsCertificate Certificate(const std::string& chain, const std::string& key) {
    return {{Kind::kInline, chain}, {Kind::kInline, key}, {}};
  }
  static xds::ValidationContext RootsOf(const std::string& pem) {
    xds::ValidationContext validation;
    validation.trusted_ca = {Kind::kInline, pem};
    return validation;
  }
  bool IsServed(const io::SocketAddress& at, const tls::TestCa& client) {
    const Client end = Shake(client, io::Connect(main_, at));
    return end->open && Asks(end);
  }
  void ExpectReason(const std::string& reason, std::string_view part) {
    EXPECT_NE(reason.find(part), std::string::npos) << (reason.empty() ? "it was taken" : reason);
  }
};

TEST_F(RefusedSecrets, LeaveTheCertificateBeforeThemInForce) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  ASSERT_TRUE(IsServed(at, old_));
  const tls::Identity one = old_.Issue(tls::kServer);
  const tls::Identity other = old_.Issue(tls::kServer);
  ExpectReason(Put("default", Certificate(one.chain_pem, other.key_pem)),
               "secret default: certificate chain 1: the private key does not belong to certificate");
  ExpectReason(Put("default", Certificate("garbage", one.key_pem)), "secret default: certificate chain 1: ");
  ExpectReason(Put("default", RootsOf(old_.root_pem())), "secret default: it is a certificate");
  ExpectReason(Put("default", xds::TlsCertificate{{Kind::kFile, "/nowhere/a"}, {Kind::kFile, "/nowhere/b"}, {}}),
               "secret default: /nowhere/a cannot be read");
  EXPECT_TRUE(IsServed(at, old_));
  EXPECT_EQ(Put("default", Certificate(other.chain_pem, other.key_pem)), "");
  EXPECT_TRUE(IsServed(at, old_));
}

TEST_F(RefusedSecrets, LeaveTheRootsBeforeThemInForce) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const Client stays = Connect(at, old_);
  ExpectReason(Put("ROOTCA", RootsOf("garbage")), "secret ROOTCA: trust bundle: ");
  const tls::Identity own = old_.Issue(tls::kServer);
  ExpectReason(Put("ROOTCA", Certificate(own.chain_pem, own.key_pem)), "secret ROOTCA: it is a validation context");
  EXPECT_TRUE(IsServed(at, old_));
  EXPECT_TRUE(Asks(stays));
}

TEST_F(RefusedSecrets, AreNotThoseThatTakeAllTrustAway) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  ASSERT_TRUE(IsServed(at, old_));
  EXPECT_EQ(Put("ROOTCA", RootsOf("")), "");
  EXPECT_FALSE(IsServed(at, old_));
}

// Of locked.example, with its key under the password "opensesame": by `openssl req -x509 -newkey ec` and `openssl ec`.
constexpr const char* kLockedCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBpTCCAUqgAwIBAgIUFGekUCeJE3sa8wcOv6tXdXsecpMwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwObG9ja2VkLmV4YW1wbGUwIBcNMjYxMTMwMTEyNjA3WhgPMjEy
NjExMDYxMTI2MDdaMBkxFzAVBgNVBAMMDmxvY2tlZC5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEIU9ctVgts8pKT2Fgsh8a1TzXtZU10S+TXp9NlFCS
KrWYiYuEp2UOBKXSXGUBvj8Gb0ypVQW6uR5YbXvbmipJQqNuMGwwHQYDVR0OBBYE
FFf82iDRJhvYWm5IuPnE4y0x8Ve5MB8GA1UdIwQYMBaAFFf82iDRJhvYWm5IuPnE
4y0x8Ve5MA8GA1UdEwEB/wQFMAMBAf8wGQYDVR0RBBIwEIIObG9ja2VkLmV4YW1w
bGUwCgYIKoZIzj0EAwIDSQAwRgIhAKGMzumHWudBGiR2Torew7yYPtdmkV2DI7Kj
DErQdFYrAiEAx+UT3fu+6axTyfMFShS0arTOs9D0P8t8g5UyR2qoYOc=
-----END CERTIFICATE-----
)";
constexpr const char* kLockedKeys[] = {R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAjdfbtLEKBGGwICCAAw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIg/LhxGQ0x5QEgZCrcxZiljpa3rMC
uGAEpcQ29VWIHSU3JhVxWX+vrBDihueSOngLGxvOL9DihpMJpB/uWhlgqm0m5sMn
lNcvyRuJ3pPW0XM4TCAd9g8VRVIPneEmmB+0fjkU+EOYk50EIIGOq0CmDFz9wFEb
lueGM34noRfTrXcjlfmXhdns5fAa9Pq5mBawGuGEcXbPmJHAe48=
-----END ENCRYPTED PRIVATE KEY-----
)",
                                       R"(-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,E0CD7219C478850EB85FDF48AA77819F

9/mpXnd8gW6tXAx4H+tSW1jN2evG9Y4emwjMK4JvDzfkX7VulMfsfy/QCg79GnKO
9rsTccvuWy/C73eaHZ+IXLdJfu07wC3ltKZc8vrRhlOBTzYzJgltBAI2uSWEuE7c
CTqZsx6V4ohDoLj2YLfde/MvT8Clxfirm2SmwajRG/k=
-----END EC PRIVATE KEY-----
)"};

TEST_F(RefusedSecrets, AreNotThoseWhoseKeyThePasswordOpens) {
  for (const char* key : kLockedKeys) {
    xds::TlsCertificate locked = Certificate(kLockedCertificate, key);
    ExpectReason(Put("locked", locked), "private key");
    locked.password = {Kind::kInline, "open"};
    ExpectReason(Put("locked", locked), "secret locked: not a PEM private key that the password opens");
    locked.password = {Kind::kFile, "/nowhere/password"};
    ExpectReason(Put("locked", locked), "secret locked: /nowhere/password cannot be read");
    EXPECT_FALSE(secrets_.Has("locked"));
    locked.password = {Kind::kInline, "opensesame"};
    EXPECT_EQ(Put("locked", locked), "");
    EXPECT_TRUE(secrets_.Has("locked"));
    secrets_.Remove("locked");
  }
}

class RefusedSecretsWithoutLimit : public RefusedSecrets {
 protected:
  RefusedSecretsWithoutLimit() : RefusedSecrets(Duration(0)) {}
};

// Of which there is no good version.
TEST_F(RefusedSecretsWithoutLimit, HoldUpNeitherTheOtherHostsOfTheirListenerNorTheirCluster) {
  AddCluster("backend", {StartUpstream()});
  xds::FilterChain good = HttpChain({RouteTo("/", "backend")});
  good.name = "good";
  good.match.server_names = {"good.example"};
  good.tls.emplace().common.certificate_secrets = {{.name = "default"}};
  xds::FilterChain bad = good;
  bad.name = "bad";
  bad.match.server_names = {"bad.example"};
  bad.tls->common.certificate_secrets = {{.name = "bad"}};
  xds::Listener listener;
  listener.name = "edge";
  listener.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  listener.listener_filters.emplace_back();  // reads the ClientHello
  listener.filter_chains = {good, bad};
  PutListener(listener);
  AddCluster("secure", {StartUpstream()},
             [](xds::Cluster& cluster) { cluster.tls.emplace().common.certificate_secrets = {{.name = "bad"}}; });
  EXPECT_FALSE(store_.HasActive("edge"));
  EXPECT_EQ(store_.clusters().Find("secure"), nullptr);
  ExpectReason(Put("bad", Certificate("garbage", "garbage")), "secret bad: certificate chain 1: ");
  EXPECT_TRUE(store_.HasActive("edge"));
  EXPECT_NE(store_.clusters().Find("secure"), nullptr);
  EXPECT_TRUE(store_.MissingSecrets().contains("bad"));
}

}  // namespace
}  // namespace plait::proxy::worker
