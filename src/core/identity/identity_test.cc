#include <gtest/gtest.h>

#include "core/identity/ca_service_codec.h"
#include "core/identity/workload_certificate.h"
#include "core/tls/root_certificate.h"
#include "core/tls/test_pki.h"
#include "testing/manual_clock.h"
#include "testing/sleeping_clock.h"

namespace plait::identity {
namespace {
using namespace std::chrono_literals;

TEST(SpiffeId, IsStrictAboutItsForm) {
  const auto id = SpiffeId::Parse("spiffe://cluster.local/ns/default/sa/bookinfo-ratings");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->principal(), "cluster.local/ns/default/sa/bookinfo-ratings");
  for (const char* bad :
       {"", "spiffe://", "spiffe://a/ns/b/sa/", "spiffe://a/ns//sa/c", "spiffe://a/ns/b/sa/c/d",
        "spiffe://a:80/ns/b/sa/c", "spiffe://A/ns/b/sa/c", "https://a/ns/b/sa/c", "spiffe://a/ns/b/sa/%63",
        "spiffe://a/ns/../sa/c", "spiffe://a/xx/b/sa/c", "spiffe://a/ns/b/sa/c?x"})
    EXPECT_FALSE(SpiffeId::Parse(bad)) << bad;
}

TEST(CaService, CarriesRequestAndChain) {
  const auto request = DecodeCertificateRequest(EncodeCertificateRequest({.csr_pem = "csr", .ttl = 24h}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->csr_pem, "csr");
  EXPECT_EQ(request->ttl, 24h);
  EXPECT_EQ(*DecodeCertificateResponse(EncodeCertificateResponse({"leaf", "root"})),
            (std::vector<std::string>{"leaf", "root"}));
  EXPECT_FALSE(DecodeCertificateRequest("\xff\xff"));
}

constexpr const char* kId = "spiffe://cluster.local/ns/default/sa/a";

// Signs in a later round with a CA of its own, or fails as often as it was told to.
class FakeCa final : public CaClient {
 public:
  FakeCa(io::Loop& loop, std::string issue_for) : loop_(loop), issue_for_(std::move(issue_for)) {}
  Pending Sign(std::string csr_pem, Duration ttl, std::move_only_function<void(Outcome<Signed>)> done) override {
    ++asked;
    return loop_.After(1ms, [this, csr_pem, ttl, call = std::move(done)]() mutable {
      if (failures > 0) {
        --failures;
        return call(Explain(Errc::kUnavailable, "down"));
      }
      const auto now = loop_.clock().Wall();
      const auto leaf = tls::SignCertificate({.subject_organization = {},
                                              .common_name = {},
                                              .uri_sans = {issue_for_},
                                              .dns_sans = {},
                                              .not_before = now - tls::kClockSkew,
                                              .not_after = now + ttl},
                                             *tls::ReadCsr(csr_pem), {ca.root(), ca.key()});
      call(Signed{.chain_pem = leaf->ToPem(), .bundle_pem = ca.root_pem()});
    });
  }
  tls::TestCa ca;
  int asked = 0;
  int failures = 0;

 private:
  io::Loop& loop_;
  std::string issue_for_;
};

TEST(WorkloadCertificate, GetsOneAndTellsItsSubscribers) {
  io::Loop loop;
  FakeCa ca(loop, kId);
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId});
  std::string told;
  certificate.Subscribe([&](const auto& secret) { told = secret->spiffe_id; });
  certificate.Start();
  EXPECT_EQ(certificate.current(), nullptr);
  EXPECT_TRUE(loop.RunUntil([&] { return !told.empty(); }, 5s));
  EXPECT_EQ(told, kId);
  EXPECT_TRUE(tls::PrivateKey::FromPem(certificate.current()->identity.key_pem));
}

TEST(WorkloadCertificate, RenewsTowardsTheEndOfItsLife) {
  ManualClock clock{ManualClock::Start::kRunning};
  io::Loop loop{clock};
  FakeCa ca(loop, kId);
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId, .ttl = 100s});
  certificate.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, 5s));
  const auto first = certificate.current();
  // At four fifths of 99 to 100 s, for its end is a whole second, and one more or less.
  clock.Advance(70s);
  loop.RunOnce(Duration(0));
  EXPECT_EQ(ca.asked, 1);
  clock.Advance(12s);
  EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != first; }, 5s));
  EXPECT_EQ(ca.asked, 2);
  EXPECT_LT(loop.clock().Wall(), first->not_after);
  EXPECT_NE(certificate.current()->identity.key_pem, first->identity.key_pem);
}

TEST(WorkloadCertificate, RenewsSoonAfterTheMachineSleptThroughItsEnd) {
  SleepingClock clock;
  io::Loop loop{clock};
  FakeCa ca(loop, kId);
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId, .ttl = 24h});
  certificate.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, 5s));
  clock.Sleep(30h);
  clock.Advance(30s);
  EXPECT_TRUE(loop.RunUntil([&] { return ca.asked == 2; }, 5s));
}

TEST(WorkloadCertificate, TriesAgainAfterFailuresAndSaysWhatIsWrongMeanwhile) {
  io::Loop loop;
  FakeCa ca(loop, kId);
  ca.failures = 2;
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId, .first_backoff = 2ms});
  certificate.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return !certificate.problem().empty(); }, 5s));
  EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, 5s));
  EXPECT_EQ(ca.asked, 3);
  EXPECT_TRUE(certificate.problem().empty());
}

TEST(WorkloadCertificate, RefusesACertificateOfAnotherIdentity) {
  io::Loop loop;
  FakeCa ca(loop, "spiffe://cluster.local/ns/default/sa/other");
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId});
  std::optional<Outcome<>> result;
  certificate.RenewNow([&](Outcome<> r) { result = std::move(r); });
  EXPECT_TRUE(loop.RunUntil([&] { return result.has_value(); }, 5s));
  EXPECT_FALSE(*result);
  EXPECT_EQ(certificate.current(), nullptr);
}

TEST(WorkloadCertificate, RenewNowReplacesItAndReports) {
  io::Loop loop;
  FakeCa ca(loop, kId);
  WorkloadCertificate certificate(loop, ca, {.spiffe_id = kId});
  certificate.Start();
  EXPECT_TRUE(loop.RunUntil([&] { return certificate.current() != nullptr; }, 5s));
  const auto first = certificate.current();
  bool renewed = false;
  certificate.RenewNow([&](const Outcome<>& r) { renewed = r.has_value(); });
  EXPECT_TRUE(loop.RunUntil([&] { return renewed; }, 5s));
  EXPECT_NE(certificate.current(), first);
}

}  // namespace
}  // namespace plait::identity
