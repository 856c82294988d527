#include "cli/envoys.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/tls/root_certificate.h"

namespace plait::cli {
namespace {

local::MeshStatus Mesh() {
  local::MeshStatus status;
  status.directory = "/shop";
  for (const auto& [name, program] : {std::pair{"web-0", "plait-proxy"}, std::pair{"details-0", "envoy"},
                                      std::pair{"reviews-0", "envoy"}, std::pair{"reviews-0-identity", "plait-proxy"}})
    status.workloads.push_back({.name = name, .ns = "default", .proxy = "sidecar", .proxy_program = program});
  return status;
}

TEST(Envoys, AreToldFromPlaitProxiesAndFromThoseThatKeepTheirIdentity) {
  const Json syncz = Json::parse(R"([{"proxy":"web-0.default"},{"proxy":"details-0.default"},
{"proxy":"details-0-identity.default"},{"proxy":"reviews-0-identity.default"},{"proxy":"web-0-identity.default"},
{"proxy":"details-0-identity.other"},7])");
  EXPECT_EQ(ProxiesIn(syncz, Mesh()), Json::parse(R"([{"proxy":"web-0.default"},
{"proxy":"details-0.default","program":"envoy"},{"proxy":"reviews-0-identity.default"},
{"proxy":"web-0-identity.default"},{"proxy":"details-0-identity.other"}])"))
      << "left out is what stands beside an Envoy, not a pod that has such a name";
}

TEST(Envoys, AreNotAskedForTheirVersionsOnceOneDoesNotAnswer) {
  const Json proxies = Json::parse(R"([{"proxy":"a","program":"envoy"},{"proxy":"web"},{"proxy":"b","program":"envoy"},
{"proxy":"c","program":"envoy"}])");
  std::string asked;
  std::string silent = "b";
  const auto ask = [&](const std::string& proxy) -> Outcome<Json> {
    asked += proxy;
    if (proxy == silent) return Explain(Errc::kUnavailable, "no answer");
    return Json::parse(R"({"version":"0f3a/1.38.0/Clean/RELEASE/BoringSSL"})");
  };
  EXPECT_EQ(EnvoyVersions(proxies, ask), (std::map<std::string, int>{{"1.38.0", 1}, {"unknown", 2}}));
  EXPECT_EQ(asked, "ab");
  silent.clear();
  EXPECT_EQ(EnvoyVersions(proxies, ask), (std::map<std::string, int>{{"1.38.0", 3}}));
}

TEST(Envoys, AreAskedOfflineByACommandThatCanBeCopied) {
  local::MeshStatus mesh = Mesh();
  mesh.directory = "/my shop";
  EXPECT_TRUE(AskOffline(mesh, "a b").ends_with("plait explain -f '/my shop' a b")) << AskOffline(mesh, "a b");
}

TEST(Envoys, SayTheirVersionInAText) {
  EXPECT_EQ(EnvoyVersion(Json::parse(R"({"version":"0f3a/1.38.0/Clean/RELEASE/BoringSSL"})")), "1.38.0");
  EXPECT_EQ(EnvoyVersion(Json::parse(R"({"version":"dev"})")), "dev");
  EXPECT_EQ(EnvoyVersion(Json::parse("[]")), "");
}

TEST(Envoys, SerialNumbersOfTheirSecretsAreRead) {
  const Outcome<tls::Certificate> old = tls::MakeRoot("cluster.local", tls::PrivateKey::Generate());
  const Outcome<tls::Certificate> next = tls::MakeRoot("cluster.local", tls::PrivateKey::Generate());
  const auto encoded = [](const std::string& pem) { return Base64Encode(AsBytes(pem)); };
  const Json secrets = {
      {"configs",
       {{{"name", "default"},
         {"secret", {{"tls_certificate", {{"certificate_chain", {{"inline_bytes", encoded(next->ToPem())}}}}}}}},
        {{"name", "ROOTCA"},
         {"secret",
          {{"validation_context", {{"trusted_ca", {{"inline_bytes", encoded(old->ToPem() + next->ToPem())}}}}}}}}}}};
  EXPECT_EQ(SerialsIn(secrets, "default"), std::vector<std::string>{next->serial()});
  EXPECT_EQ(SerialsIn(secrets, "ROOTCA"), (std::vector<std::string>{old->serial(), next->serial()}));
  EXPECT_TRUE(SerialsIn(secrets, "other").empty());
  EXPECT_TRUE(SerialsIn({{"configs", {{{"name", "default"}, {"secret", "?"}}}}}, "default").empty());
}

}  // namespace
}  // namespace plait::cli
