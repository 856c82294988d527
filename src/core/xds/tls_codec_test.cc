// Where TLS contexts may have their secrets from.
#include <gtest/gtest.h>

#include "core/xds/decode.h"

namespace plait::xds {
namespace {

// Why a cluster whose certificate comes from there is refused; empty: it is not.
std::string RefusalOf(const std::string& sds_config) {
  const auto read = ReadBootstrap(R"(
static_resources:
  clusters:
  - name: a
    load_assignment: {cluster_name: a}
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context:
          tls_certificate_sds_secret_configs: [{name: mine, sds_config: )" +
                                      sds_config + "}]\n",
                                  "test.yaml");
  return read ? std::string() : read.error().ToString();
}

TEST(SecretRef, OfAFileIsRefusedWithItsPlaceAndWhatToDoInstead) {
  for (const char* source : {"{path_config_source: {path: /etc/sds.yaml}}", "{path: /etc/sds.yaml}"}) {
    const std::string refusal = RefusalOf(source);
    EXPECT_NE(refusal.find("common_tls_context.tls_certificate_sds_secret_configs[0].sds_config: "
                           "secret \"mine\" out of a file is not implemented"),
              std::string::npos)
        << refusal;
    EXPECT_NE(refusal.find("tls_certificates"), std::string::npos) << refusal;
  }
}

TEST(SecretRef, OfTheStreamAndOfTheAgentIsTaken) {
  EXPECT_EQ(RefusalOf("{ads: {}, resource_api_version: V3}"), "");
  EXPECT_EQ(RefusalOf("{api_config_source: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: "
                      "{cluster_name: sds-grpc}}]}, resource_api_version: V3}"),
            "");
}

}  // namespace
}  // namespace plait::xds
