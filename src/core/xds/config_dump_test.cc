#include "core/xds/config_dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/xds/bootstrap.h"
#include "core/xds/decode.h"

namespace plait::xds {
namespace {

using Json = nlohmann::json;

constexpr const char* kBootstrap = R"(
node: {id: sidecar~x, metadata: {NAMESPACE: ns}}
static_resources:
  secrets:
  - name: server
    tls_certificate:
      certificate_chain: {inline_string: chain}
      private_key: {inline_string: very secret}
      password: {filename: /where/it/lies}
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    filter_chains:
    - filters:
      - name: web
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config: {name: local, virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: b}}]}]}
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - {name: a, connect_timeout: 1s, load_assignment: {cluster_name: a}}
  - {name: b, connect_timeout: 2s, load_assignment: {cluster_name: b}}
)";

class ConfigDump : public testing::Test {
 protected:
  ConfigDump() : bootstrap_(ReadBootstrap(kBootstrap, "test.yaml").value()) {
    config_.bootstrap = bootstrap_.bytes;
    config_.node = {.id = "sidecar~y", .user_agent_name = "plait-proxy", .user_agent_version = "1"};
    for (const auto& cluster : bootstrap_.clusters)
      config_.clusters.push_back(
          {.state = DumpedResource::State::kStatic, .name = cluster.name, .bytes = cluster.bytes});
    const auto& listener = bootstrap_.listeners[0];
    config_.listeners.push_back(
        {.state = DumpedResource::State::kStatic, .name = listener.name, .bytes = listener.bytes});
    const auto& secret = bootstrap_.secrets[0];
    config_.secrets.push_back({.state = DumpedResource::State::kStatic, .name = secret.name, .bytes = secret.bytes});
  }
  Json Dump(const DumpQuery& query) {
    const auto text = DumpConfig(config_, query);
    EXPECT_TRUE(text.has_value()) << text.error().ToString();
    return text ? Json::parse(*text)["configs"] : Json();
  }
  std::string ErrorOf(const DumpQuery& query) {
    const auto text = DumpConfig(config_, query);
    return text ? "no error" : text.error().message;
  }
  static Json Section(const Json& configs, const std::string& name) {
    for (const Json& config : configs)
      if (config["@type"] == "type.googleapis.com/envoy.admin.v3." + name) return config;
    return {};
  }
  Bootstrap bootstrap_;
  DumpedConfig config_;
};

TEST_F(ConfigDump, HasEnvoysSectionsInItsOrder) {
  std::string types;
  for (const Json& config : Dump({.include_eds = true})) {
    const auto type = config["@type"].get<std::string>();
    types += type.substr(type.rfind('.') + 1) + " ";
  }
  EXPECT_EQ(types,
            "BootstrapConfigDump ClustersConfigDump EndpointsConfigDump ListenersConfigDump ScopedRoutesConfigDump "
            "RoutesConfigDump SecretsConfigDump ");
}

TEST_F(ConfigDump, HasNoSectionsOfRoutesWhereNothingSpeaksHttp) {
  config_.listeners.clear();
  const Json dump = Dump({});
  EXPECT_TRUE(Section(dump, "RoutesConfigDump").is_null());
  EXPECT_TRUE(Section(dump, "ScopedRoutesConfigDump").is_null());
  EXPECT_EQ(ErrorOf({.resource = "static_route_configs"}), "static_route_configs not found in config dump");
  const auto own = ReadBootstrap(R"(
static_resources:
  listeners:
  - name: virtualOutbound
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    filter_chains:
    - filters:
      - name: outbound
        typed_config:
          "@type": type.googleapis.com/plait.proxy.v1.Outbound
          http: {stat_prefix: o, rds: {config_source: {ads: {}}}, http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}
          tcp: {stat_prefix: o}
          unknown_cluster: PassthroughCluster
)",
                                 "own.yaml");
  ASSERT_TRUE(own) << own.error().ToString();
  config_.listeners.push_back({.name = "virtualOutbound", .bytes = own->listeners[0].bytes});
  EXPECT_FALSE(Section(Dump({}), "RoutesConfigDump").is_null());
  config_.listeners.clear();
  config_.routes.push_back({.name = "later", .failure = DumpedFailure{.details = "refused"}});
  EXPECT_FALSE(Section(Dump({}), "RoutesConfigDump").is_null());
  EXPECT_EQ(Dump({.resource = "static_route_configs"}), Json::array());
}

TEST_F(ConfigDump, FindsEndpointsOnlyWhereTheyAreAskedFor) {
  const DumpQuery query{.resource = "static_endpoint_configs"};
  EXPECT_EQ(DumpConfig(config_, query).error().code, Errc::kNotFound);
  EXPECT_EQ(ErrorOf(query), "static_endpoint_configs not found in config dump; endpoints are in it with ?include_eds");
  EXPECT_EQ(Dump({.resource = "static_endpoint_configs", .include_eds = true}), Json::array());
}

TEST_F(ConfigDump, NeverShowsAPrivateKeyOrWhereItsPasswordLies) {
  const Json dump = Dump({});
  const std::string text = dump.dump();
  EXPECT_EQ(text.find("very secret"), std::string::npos);
  EXPECT_EQ(text.find("/where/it/lies"), std::string::npos);
  const Json secret = Section(dump, "SecretsConfigDump")["static_secrets"][0]["secret"];
  EXPECT_EQ(secret["tls_certificate"]["private_key"]["inline_string"], "[redacted]");
  EXPECT_EQ(secret["tls_certificate"]["certificate_chain"]["inline_string"], "chain");
}

TEST_F(ConfigDump, ShowsSecretsThatHaveNotCome) {
  config_.secrets.push_back({.state = DumpedResource::State::kWarming, .name = "later", .version = "v", .bytes = {}});
  const Json secrets = Section(Dump({}), "SecretsConfigDump");
  EXPECT_EQ(secrets["static_secrets"].size(), 1U);
  EXPECT_EQ(secrets["dynamic_warming_secrets"], Json::parse(R"([{"name": "later", "version_info": "v", "secret": {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "later"}}])"));
}

TEST_F(ConfigDump, ShowsTheNodeAsItIsSent) {
  const Json node = Section(Dump({}), "BootstrapConfigDump")["bootstrap"]["node"];
  EXPECT_EQ(node["id"], "sidecar~y");
  EXPECT_EQ(node["user_agent_name"], "plait-proxy");
  EXPECT_EQ(node["metadata"]["NAMESPACE"], "ns");
}

TEST_F(ConfigDump, ShowsRoutesOfAConnectionManagerAsStaticOnes) {
  const Json routes = Section(Dump({}), "RoutesConfigDump")["static_route_configs"];
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0]["route_config"]["@type"], "type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
  EXPECT_EQ(routes[0]["route_config"]["name"], "local");
  EXPECT_TRUE(Section(Dump({.name_regex = "main"}), "RoutesConfigDump")["static_route_configs"].is_null());
  EXPECT_EQ(Section(Dump({.name_regex = "local"}), "RoutesConfigDump")["static_route_configs"].size(), 1U);
}

TEST_F(ConfigDump, GivesTheElementsOfOneListWithTheirTypes) {
  const Json elements = Dump({.resource = "static_clusters", .mask = "cluster.name", .name_regex = "b"});
  EXPECT_EQ(elements, Json::parse(R"([{"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster",
    "cluster":{"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"b"}}])"));
  EXPECT_EQ(Dump({.resource = "dynamic_active_clusters"}), Json::array());
}

TEST_F(ConfigDump, MasksTheSectionsThatHaveTheField) {
  const Json masked = Dump({.mask = "static_clusters.cluster.name,bootstrap.node.id"});
  ASSERT_EQ(masked.size(), 2U);
  EXPECT_EQ(masked[0]["bootstrap"], Json::parse(R"({"node":{"id":"sidecar~y"}})"));
  EXPECT_EQ(masked[1]["static_clusters"][1]["cluster"]["name"], "b");
  EXPECT_FALSE(masked[1]["static_clusters"][1]["cluster"].contains("connect_timeout"));
}

TEST_F(ConfigDump, SaysWhatIsWrongWithAQuery) {
  EXPECT_EQ(ErrorOf({.resource = "nope"}), "nope not found in config dump");
  EXPECT_EQ(DumpConfig(config_, {.resource = "nope"}).error().code, Errc::kNotFound);
  EXPECT_EQ(ErrorOf({.resource = "bootstrap"}),
            "bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field");
  EXPECT_EQ(ErrorOf({.mask = "nope.nope"}), "FieldMask nope.nope could not be successfully applied to any configs.");
  EXPECT_EQ(ErrorOf({.resource = "static_clusters", .mask = "nope"}), "FieldMask nope could not be successfully used.");
  EXPECT_EQ(ErrorOf({.name_regex = "("}), "Error while parsing name_regex from (: missing ): (");
}

TEST_F(ConfigDump, TellsOfARefusedUpdateWithAndWithoutAnAcceptedVersion) {
  const DumpedFailure failure{.details = "clusters are cyclic", .version = "7"};
  config_.clusters.push_back({.name = "new", .failure = failure});
  config_.listeners.push_back(
      {.name = "l", .version = "6", .bytes = bootstrap_.listeners[0].bytes, .failure = failure});
  const Json dump = Dump({});
  const Json cluster = Section(dump, "ClustersConfigDump")["dynamic_active_clusters"][0];
  EXPECT_FALSE(cluster.contains("cluster"));
  EXPECT_EQ(cluster["error_state"]["details"], "clusters are cyclic");
  EXPECT_EQ(cluster["error_state"]["version_info"], "7");
  EXPECT_EQ(cluster["error_state"]["failed_configuration"]["name"], "new");
  const Json listener = Section(dump, "ListenersConfigDump")["dynamic_listeners"][0];
  EXPECT_EQ(listener["active_state"]["version_info"], "6");
  EXPECT_EQ(listener["error_state"]["details"], "clusters are cyclic");
}

}  // namespace
}  // namespace plait::xds
