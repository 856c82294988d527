#include "core/tls/certificate.h"

#include <gtest/gtest.h>

#include "core/tls/test_pki.h"

namespace plait::tls {
namespace {

TEST(Certificate, KeepsNamesTimesAndKeyThroughPem) {
  const TestCa ca;
  const Identity issued = ca.Issue("spiffe://cluster.local/ns/a/sa/b", "b.a.svc");
  const Certificate leaf = *Certificate::FromPem(issued.chain_pem);
  EXPECT_EQ(leaf.uri_sans(), std::vector<std::string>{"spiffe://cluster.local/ns/a/sa/b"});
  EXPECT_EQ(leaf.dns_sans(), std::vector<std::string>{"b.a.svc"});
  EXPECT_TRUE(PrivateKey::FromPem(issued.key_pem)->Matches(leaf));
  EXPECT_FALSE(PrivateKey::Generate().Matches(leaf));
  EXPECT_EQ(Certificate::FromDer(leaf.ToDer())->sha256(), leaf.sha256());
  EXPECT_TRUE(ca.root().is_ca());
  EXPECT_FALSE(leaf.is_ca());
}

TEST(Csr, ProvesPossessionAndSaysWhatItAsksFor) {
  for (const KeyType type : {KeyType::kP256, KeyType::kRsa2048}) {
    const PrivateKey key = PrivateKey::Generate(type);
    const std::string pem = MakeCsr(key, "spiffe://cluster.local/ns/a/sa/b");
    const auto csr = ReadCsr(pem);
    ASSERT_TRUE(csr) << csr.error().ToString();
    EXPECT_EQ(csr->uri_sans, std::vector<std::string>{"spiffe://cluster.local/ns/a/sa/b"});
    const TestCa ca;
    const auto now = SystemClock().Wall();
    const auto signed_leaf = SignCertificate({.subject_organization = {},
                                              .common_name = {},
                                              .uri_sans = {"spiffe://x/ns/y/sa/z"},
                                              .dns_sans = {},
                                              .not_before = now,
                                              .not_after = now + std::chrono::hours(1000)},
                                             *csr, {ca.root(), ca.key()});
    ASSERT_TRUE(signed_leaf);
    EXPECT_TRUE(key.Matches(*signed_leaf));
    EXPECT_LE(signed_leaf->not_after(), ca.root().not_after());
  }
}

TEST(Csr, IsRefusedWhenItsSignatureIsBroken) {
  std::string pem = MakeCsr(PrivateKey::Generate(), "spiffe://a/ns/b/sa/c");
  EXPECT_FALSE(ReadCsr("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"));
  EXPECT_FALSE(ReadCsr(""));
  pem[pem.size() / 2] = pem[pem.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(ReadCsr(pem));
}

TEST(Bundle, NumbersTheBrokenCertificate) {
  const TestCa ca;
  EXPECT_EQ(ReadBundle(ca.root_pem() + ca.root_pem())->size(), 2u);
  const auto broken = ReadBundle(ca.root_pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("certificate 2"), std::string::npos);
  EXPECT_FALSE(ReadBundle("nothing"));
}

}  // namespace
}  // namespace plait::tls
