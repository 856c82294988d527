#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "control/ca/authenticate.h"
#include "control/ca/authority.h"
#include "core/base/encoding.h"
#include "core/tls/facts.h"

namespace plait::control::ca {
namespace {
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class AuthorityTest : public ::testing::Test {
 protected:
  AuthorityTest() {
    std::string name = ::testing::TempDir() + "plait-ca-XXXXXX";
    directory = ::mkdtemp(name.data());
  }
  ~AuthorityTest() override { fs::remove_all(directory); }
  fs::path directory;
  const identity::SpiffeId alice{.trust_domain = "cluster.local", .name_space = "default", .service_account = "alice"};
};

TEST_F(AuthorityTest, KeepsItsRootOverARestart) {
  const std::string first = (*Authority::LoadOrCreate(directory / "ca", {}))->bundle_pem();
  EXPECT_EQ((*Authority::LoadOrCreate(directory / "ca", {}))->bundle_pem(), first);
  EXPECT_EQ(fs::status(directory / "ca" / "root-key.pem").permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AuthorityTest, IssuesTheAuthenticatedIdentityWhateverTheRequestAsksFor) {
  const auto authority = *Authority::LoadOrCreate(directory, {});
  const auto csr =
      tls::ReadCsr(tls::MakeCsr(tls::PrivateKey::Generate(), "spiffe://cluster.local/ns/kube-system/sa/admin"));
  const auto chain = authority->SignWorkload(*csr, alice, 1h);
  ASSERT_TRUE(chain);
  const tls::Certificate leaf = *tls::Certificate::FromPem(*chain);
  EXPECT_EQ(leaf.uri_sans(), std::vector<std::string>{alice.ToString()});
  EXPECT_FALSE(leaf.is_ca());
  EXPECT_LE(leaf.not_after(), SystemClock().Wall() + 1h);
  EXPECT_FALSE(authority->SignWorkload(*csr, {.trust_domain = "evil", .name_space = "a", .service_account = "b"}, 1h));
}

TEST_F(AuthorityTest, CutsTheLifeToItsMaximum) {
  const auto authority = *Authority::LoadOrCreate(directory, {});
  const auto csr = tls::ReadCsr(tls::MakeCsr(tls::PrivateKey::Generate(), alice.ToString()));
  EXPECT_LE(tls::Certificate::FromPem(*authority->SignWorkload(*csr, alice, 24h * 10'000))->not_after(),
            SystemClock().Wall() + 24h * 90);
}

TEST_F(AuthorityTest, FollowsTheStepsOfARotation) {
  const auto authority = *Authority::LoadOrCreate(directory / "ca", {});
  ASSERT_TRUE(Authority::LoadOrCreate(directory / "next", {}));
  const auto read = [](const fs::path& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string old_root = authority->bundle_pem();
  const std::string new_root = read(directory / "next" / "root-cert.pem");
  EXPECT_EQ(authority->Reload(), false);

  fs::copy_file(directory / "next" / "root-cert.pem", directory / "ca" / "trusted-roots.pem");
  EXPECT_EQ(authority->Reload(), true);
  EXPECT_EQ(authority->bundle_pem(), old_root + new_root);

  std::ofstream(directory / "ca" / "trusted-roots.pem") << old_root;
  fs::rename(directory / "next" / "root-cert.pem", directory / "ca" / "root-cert.pem");
  EXPECT_FALSE(authority->Reload());  // half of the change: the key is still the old one's
  EXPECT_EQ(authority->bundle_pem(), old_root + new_root);
  fs::rename(directory / "next" / "root-key.pem", directory / "ca" / "root-key.pem");
  EXPECT_EQ(authority->Reload(), true);
  EXPECT_EQ(authority->bundle_pem(), new_root + old_root);

  fs::remove(directory / "ca" / "trusted-roots.pem");
  EXPECT_EQ(authority->Reload(), true);
  EXPECT_EQ(authority->bundle_pem(), new_root);
}

TEST_F(AuthorityTest, NamesADamagedFileAndDoesNotReplaceIt) {
  ASSERT_TRUE(Authority::LoadOrCreate(directory, {}));
  const fs::path key = directory / "root-key.pem";
  fs::resize_file(key, 40);
  const auto damaged = Authority::LoadOrCreate(directory, {});
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().ToString().find("root-key.pem"), std::string::npos);
  EXPECT_FALSE(damaged.error().hint.empty());
  EXPECT_EQ(fs::file_size(key), 40u);
  fs::resize_file(key, 5 << 20);
  EXPECT_EQ(Authority::LoadOrCreate(directory, {}).error().ToString(),
            key.string() +
                ": has more than 4194304 bytes (that is no PEM file of certificates or of a key: restore it "
                "from a backup)");
  fs::remove(directory / "root-cert.pem");
  EXPECT_NE(Authority::LoadOrCreate(directory, {}).error().message.find("missing"), std::string::npos);
}

TEST_F(AuthorityTest, SignsWithAPluggedIntermediate) {
  const auto root = *Authority::LoadOrCreate(directory / "root", {});
  const tls::PrivateKey root_key = *tls::PrivateKey::FromPem([&] {
    std::ifstream in(directory / "root" / "root-key.pem");
    return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  }());
  const tls::Certificate root_certificate = *tls::Certificate::FromPem(root->bundle_pem());
  const tls::PrivateKey key = tls::PrivateKey::Generate();
  const WallTime now = SystemClock().Wall();
  const std::string intermediate = tls::SignCertificate({.subject_organization = "intermediate",
                                                         .common_name = {},
                                                         .uri_sans = {},
                                                         .dns_sans = {},
                                                         .not_before = now,
                                                         .not_after = now + 1h,
                                                         .is_ca = true},
                                                        key, {root_certificate, root_key})
                                       ->ToPem();
  fs::create_directories(directory / "cacerts");
  for (const auto& [name, text] :
       {std::pair{"ca-cert.pem", intermediate}, std::pair{"ca-key.pem", key.ToPem()},
        std::pair{"root-cert.pem", root->bundle_pem()}, std::pair{"cert-chain.pem", intermediate}})
    std::ofstream(directory / "cacerts" / name) << text;
  const auto plugged = Authority::LoadPlugged(directory / "cacerts", {});
  ASSERT_TRUE(plugged) << plugged.error().ToString();
  EXPECT_EQ((*plugged)->bundle_pem(), root->bundle_pem());
  const auto csr = tls::ReadCsr(tls::MakeCsr(tls::PrivateKey::Generate(), alice.ToString()));
  EXPECT_EQ(tls::ReadBundle(*(*plugged)->SignWorkload(*csr, alice, 1h))->size(), 2u);
}

TEST(Authenticate, TakesTheCertificateThenTheTokenAndNothingElse) {
  TokenTable tokens;
  tokens.Replace({{.sha256_hex = HexEncode(AsBytes(tls::Sha256("secret"))),
                   .pod_uid = "uid",
                   .id = {.trust_domain = "cluster.local", .name_space = "default", .service_account = "bob"}}});
  grpc::CallContext call;
  EXPECT_EQ(Authenticate(call, tokens, "cluster.local").error().code, grpc::Code::kUnauthenticated);
  call.metadata.Set("authorization", "Bearer wrong");
  EXPECT_FALSE(Authenticate(call, tokens, "cluster.local"));
  call.metadata.Set("authorization", "Bearer secret");
  EXPECT_EQ(Authenticate(call, tokens, "cluster.local")->service_account, "bob");
  io::TlsFacts facts;
  facts.peer_certificate = true;
  facts.peer_identity = "spiffe://cluster.local/ns/default/sa/alice";
  call.tls = &facts;
  EXPECT_EQ(Authenticate(call, tokens, "cluster.local")->service_account, "alice");
  facts.peer_identity = "spiffe://other/ns/default/sa/alice";
  EXPECT_FALSE(Authenticate(call, tokens, "cluster.local"));
}

}  // namespace
}  // namespace plait::control::ca
