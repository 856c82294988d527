#include "local/certificate_ttl.h"

#include <gtest/gtest.h>

#include "local/bootstrap.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

PodSpec WithConfig(std::string text) {
  PodSpec pod;
  pod.annotations = {{"a", "b"}, {"proxy.istio.io/config", std::move(text)}};
  return pod;
}

TEST(CertificateTtl, IsADayWhereNobodySays) {
  EXPECT_EQ(CertificateTtl({}).value(), 24h);
  for (const char* text : {"", "holdApplicationUntilProxyStarts: true", "proxyMetadata: {OTHER: 1h}",
                           "proxyMetadata:", "[SECRET_TTL]", "SECRET_TTL: 1h"}) {
    EXPECT_EQ(CertificateTtl(WithConfig(text)).value(), 24h) << text;
  }
}

TEST(CertificateTtl, IsWhatTheAnnotationAsksFor) {
  EXPECT_EQ(CertificateTtl(WithConfig("proxyMetadata:\n  SECRET_TTL: 1h30m\n")).value(), 90min);
  EXPECT_EQ(CertificateTtl(WithConfig(R"({"proxyMetadata": {"SECRET_TTL": "10s"}})")).value(), 10s);
  const PodSpec pod = WithConfig("proxyMetadata: {SECRET_TTL: 15s}");
  EXPECT_NE(BootstrapYaml({.pod = pod}).find(R"("ttl": "15s")"), std::string::npos);
  EXPECT_NE(IdentityBootstrapYaml({.pod = pod}).find(R"("ttl": "15s")"), std::string::npos);
}

TEST(CertificateTtl, RefusesWhatNoCertificateCanLiveFor) {
  for (const char* value : {"soon", "60", "9s", "-1h", "[1h]", "''"}) {
    const auto ttl = CertificateTtl(WithConfig(std::string("proxyMetadata: {SECRET_TTL: ") + value + "}"));
    ASSERT_FALSE(ttl.has_value()) << value;
    EXPECT_EQ(ttl.error().code, Errc::kInvalidInput);
    EXPECT_NE(ttl.error().message.find("SECRET_TTL"), std::string::npos) << ttl.error().message;
  }
  const auto broken = CertificateTtl(WithConfig("proxyMetadata: {"));
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, Errc::kInvalidInput);
  EXPECT_EQ(broken.error().at.file, "annotation proxy.istio.io/config");
}

}  // namespace
}  // namespace plait::local
