#include "core/tls/verify.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/tls/test_pki.h"

namespace plait::tls {
namespace {

class RevocationLists : public testing::Test {
 protected:
  Outcome<std::unique_ptr<Verifier>> With(const std::string& lists) const {
    ContextOptions options;
    options.bundle_pem = first_.root_pem() + second_.root_pem();
    options.crl_pem = lists;
    return Verifier::Make(options);
  }
  // Why the peer is refused; "" when it is let in.
  static std::string Reason(const Outcome<std::unique_ptr<Verifier>>& verifier, const Identity& peer) {
    const std::string der = Certificate::FromPem(peer.chain_pem)->ToDer();
    const bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> chain(sk_CRYPTO_BUFFER_new_null());
    bssl::UniquePtr<CRYPTO_BUFFER> buffer(
        CRYPTO_BUFFER_new(reinterpret_cast<const std::uint8_t*>(der.data()), der.size(), nullptr));
    EXPECT_TRUE(bssl::PushToStack(chain.get(), std::move(buffer)));
    const std::string nobody;
    const auto facts = (*verifier)->Judge(chain.get(), {nobody, nobody}, SystemClock().Wall());
    return facts ? "" : facts.error();
  }

  const TestCa first_{"first"};
  const TestCa second_{"second"};
  const Identity good_ = first_.Issue("spiffe://a/ns/b/sa/c");
  const Identity bad_ = second_.Issue("spiffe://a/ns/b/sa/c");
};

TEST_F(RevocationLists, OfSeveralAuthoritiesAllCount) {
  const auto verifier = With(first_.Revoke({}) + second_.Revoke({bad_}));
  ASSERT_TRUE(verifier) << verifier.error().ToString();
  EXPECT_EQ(Reason(verifier, good_), "");
  EXPECT_EQ(Reason(verifier, bad_), "certificate revoked");
}

TEST_F(RevocationLists, AreRefusedWhenOneOfThemCannotBeRead) {
  const std::string whole = first_.Revoke({});
  const std::string cut = second_.Revoke({bad_});
  const auto verifier = With(whole + cut.substr(0, cut.size() / 2));
  ASSERT_FALSE(verifier);
  EXPECT_TRUE(verifier.error().message.starts_with("revocation list: list 2 is broken: ")) << verifier.error().message;
  EXPECT_FALSE(With(whole + "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n" + cut));
  EXPECT_TRUE(With("of the first authority\n" + whole + "\nof the second\n" + cut)) << "text around them is none";
  const auto none = With("nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "revocation list: there is no PEM X509 CRL in it");
}

// A block that says it is encrypted; whoever asked for its password would read standard input (or the terminal).
std::string Encrypted(const std::string& kind) {
  return "-----BEGIN " + kind +
         "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nMAA=\n-----END " +
         kind + "-----\n";
}

TEST(EncryptedPem, IsRefusedWithoutAskingForAPassword) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  constexpr std::string_view kSecret = "secret\nsecret\n";
  ASSERT_EQ(write(ends[1], kSecret.data(), kSecret.size()), static_cast<ssize_t>(kSecret.size()));
  const int before = dup(STDIN_FILENO);
  ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  EXPECT_FALSE(ReadCsr(Encrypted("CERTIFICATE REQUEST")));
  EXPECT_FALSE(ReadBundle(Encrypted("CERTIFICATE")));
  EXPECT_FALSE(Certificate::FromPem(Encrypted("CERTIFICATE")));
  EXPECT_FALSE(PrivateKey::FromPem(Encrypted("EC PRIVATE KEY")));
  ContextOptions options;
  options.crl_pem = Encrypted("X509 CRL");
  EXPECT_FALSE(Verifier::Make(options));
  int unread = 0;
  EXPECT_EQ(ioctl(ends[0], FIONREAD, &unread), 0);
  EXPECT_EQ(unread, static_cast<int>(kSecret.size()));
  dup2(before, STDIN_FILENO);
  for (const int fd : {before, ends[0], ends[1]}) close(fd);
}

TEST(WallTimes, OfCertificatesBeyondWhatCanBeCountedAreTheFirstOrTheLast) {
  const bssl::UniquePtr<ASN1_TIME> time(ASN1_TIME_new());
  ASSERT_EQ(ASN1_TIME_set_string(time.get(), "00010101000000Z"), 1);
  EXPECT_LT(ToWallTime(time.get()), WallTime{} - std::chrono::years(200));
  ASSERT_EQ(ASN1_TIME_set_string(time.get(), "99991231235959Z"), 1);
  EXPECT_GT(ToWallTime(time.get()), WallTime{} + std::chrono::years(200));
}

}  // namespace
}  // namespace plait::tls
