#include "control/model/gateway_credential.h"

#include <gtest/gtest.h>

#include "core/tls/test_pki.h"

namespace plait::control::model {
namespace {

Secret With(std::map<std::string, std::string> data) { return {.meta = {}, .type = {}, .data = std::move(data)}; }

TEST(GatewayCredential, IsACertificateWithItsOwnKey) {
  const tls::TestCa ca;
  const std::string root = ca.root_pem(), key = ca.key().ToPem();
  EXPECT_EQ(ProblemOfCertificate(With({{"tls.crt", root}, {"tls.key", key}})), "");
  EXPECT_EQ(ProblemOfCertificate(With({{"cert", root}, {"key", key}})), "");
  const auto problem = [](std::map<std::string, std::string> data) {
    return ProblemOfCertificate(With(std::move(data)));
  };
  EXPECT_NE(problem({{"tls.crt", root}}).find("needs the keys"), std::string::npos);
  EXPECT_NE(problem({{"tls.crt", "garbage"}, {"tls.key", key}}).find("certificate cannot be read"), std::string::npos);
  EXPECT_NE(problem({{"tls.crt", root}, {"tls.key", "secret words"}}).find("key cannot be read"), std::string::npos);
  EXPECT_EQ(problem({{"tls.crt", root}, {"tls.key", "secret words"}}).find("secret words"), std::string::npos);
  EXPECT_EQ(problem({{"tls.crt", root}, {"tls.key", tls::TestCa().key().ToPem()}}),
            "its private key is not the one of its certificate");
}

TEST(GatewayCredential, MayHaveRootsForClients) {
  EXPECT_EQ(ProblemOfRoots(With({})), "");
  EXPECT_EQ(ProblemOfRoots(With({{"ca.crt", tls::TestCa().root_pem()}})), "");
  EXPECT_NE(ProblemOfRoots(With({{"cacert", "x"}})).find("roots (ca.crt) cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace plait::control::model
