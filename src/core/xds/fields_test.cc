// Fields that are refused with their names, and fields that are read and not used: each of these exists.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/xds/decode.h"
#include "core/xds/ignored_fields.h"
#include "core/xds/named_types.h"

namespace plait::xds {
namespace {

const std::string kManager =
    "\"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
    "http_filters: [{name: r, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}], "
    "route_config: {virtual_hosts: [{name: a, domains: [\"*\"], routes: [{match: {prefix: /}, direct_response: "
    "{status: 200}}]}]}";

std::string Listener(const std::string& manager, const std::string& more = "") {
  return "static_resources: {listeners: [{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 0}}" +
         more + ", filter_chains: [{filters: [{name: m, typed_config: {" + kManager + manager + "}}]}]}]}";
}

std::string ClusterWith(const std::string& more) {
  return "static_resources: {clusters: [{name: c, connect_timeout: 1s, load_assignment: {cluster_name: c}" + more +
         "}]}";
}

std::string Ads(const std::string& more, const std::string& extensions = "") {
  return "dynamic_resources: {ads_config: {api_type: DELTA_GRPC, grpc_services: [{envoy_grpc: {cluster_name: c}" +
         more +
         "}]}}, static_resources: {clusters: [{name: c, connect_timeout: 1s, load_assignment: {cluster_name: c}}]}" +
         extensions;
}

std::string AdsEvery(const std::string& back_off) {
  std::string text = Ads("");
  const std::string_view cluster = "cluster_name: c";
  return text.insert(text.find(cluster) + cluster.size(), ", retry_policy: {retry_back_off: {" + back_off + "}}");
}

std::string Problem(const std::string& text) {
  const auto read = ReadBootstrap("{" + text + "}", "test.yaml");
  return read ? std::string() : read.error().ToString();
}

struct Refusal {
  const char* field;
  std::string text;
};

TEST(Fields, RefusesByNameWhatWouldSilentlyMeanSomethingElse) {
  const std::string token =
      ", bootstrap_extensions: [{name: i, typed_config: {\"@type\": type.googleapis.com/plait.proxy.v1.Identity, "
      "ca_cluster: c, token_path: /t}}]";
  for (const Refusal& c : {
           Refusal{"max_connection_pools",
                   ClusterWith(", circuit_breakers: {thresholds: [{max_connection_pools: 3}]}")},
           Refusal{"close_connections_on_host_set_change",
                   ClusterWith(", common_lb_config: {close_connections_on_host_set_change: true}")},
           Refusal{"dns_refresh_rate: must be above 1 ms", ClusterWith(", dns_refresh_rate: 0.001s")},
           Refusal{"base_interval: must be above 1 ms", ClusterWith(", dns_failure_refresh_rate: {max_interval: 1s}")},
           Refusal{"max_interval must not be below",
                   ClusterWith(", dns_failure_refresh_rate: {base_interval: 2s, max_interval: 1s}")},
           Refusal{"maximum_ring_size: must not be above 8388608",
                   ClusterWith(", lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 8388609}")},
           Refusal{"minimum_ring_size: must not be above 8388608",
                   ClusterWith(", lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 999999999}")},
           Refusal{"minimum_ring_size: must not be above maximum_ring_size",
                   ClusterWith(
                       ", lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 9, maximum_ring_size: 8}")},
           Refusal{"table_size: must be a prime number up to 5000011",
                   ClusterWith(", lb_policy: MAGLEV, maglev_lb_config: {table_size: 18446744073709551615}")},
           Refusal{"table_size: must be a prime number up to 5000011",
                   ClusterWith(", lb_policy: MAGLEV, maglev_lb_config: {table_size: 65536}")},
           Refusal{"table_size: must be a prime number up to 5000011",
                   ClusterWith(", lb_policy: MAGLEV, maglev_lb_config: {table_size: 0}")},
           Refusal{"outlier_detection: interval must be above 0", ClusterWith(", outlier_detection: {interval: 0s}")},
           Refusal{"outlier_detection: base_ejection_time must be above 0",
                   ClusterWith(", outlier_detection: {base_ejection_time: 0s}")},
           Refusal{"outlier_detection: max_ejection_percent must not be above 100",
                   ClusterWith(", outlier_detection: {max_ejection_percent: 101}")},
           Refusal{"represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
                   Listener(", represent_ipv4_remote_address_as_ipv4_mapped_ipv6: true")},
           Refusal{"match_upstream", Listener(", scheme_header_transformation: {match_upstream: true}")},
           Refusal{"unix_sockets", Listener(", internal_address_config: {unix_sockets: true}")},
           Refusal{"allow_absolute_url", Listener(", http_protocol_options: {allow_absolute_url: false}")},
           Refusal{"freebind", Listener("", ", freebind: true")},
           Refusal{"header_prefix", "header_prefix: x-mine"},
           Refusal{"base_interval must be 1 ms to 24 hours", AdsEvery("base_interval: 0s")},
           Refusal{"max_interval must not be below base_interval", AdsEvery("base_interval: 2s, max_interval: 1s")},
           Refusal{"initial_metadata[0]: key", Ads(", initial_metadata: [{key: \":path\", value: a}]")},
           Refusal{"initial_metadata[0]: key", Ads(", initial_metadata: [{key: grpc-timeout, value: 1S}]")},
           Refusal{"initial_metadata[0]: value", Ads(", initial_metadata: [{key: a, value: \"b\\r\\nc: d\"}]")},
           Refusal{"initial_metadata[0]: value", Ads(", initial_metadata: [{key: a, value: \"%ENVIRONMENT(X)%\"}]")},
           Refusal{"authorization", Ads(", initial_metadata: [{key: Authorization, value: a}]", token)},
       })
    EXPECT_NE(Problem(c.text).find(c.field), std::string::npos) << c.field << ": " << Problem(c.text);
}

TEST(Fields, AcceptsThoseWhoseMeaningIsHarmless) {
  for (const std::string& text :
       {ClusterWith(", lb_policy: MAGLEV, maglev_lb_config: {table_size: 5000011}"),
        ClusterWith(", lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 8388608}"),
        ClusterWith(", circuit_breakers: {thresholds: [{track_remaining: true}]}, lb_policy: ROUND_ROBIN, "
                    "round_robin_lb_config: {slow_start_config: {slow_start_window: 30s}}"),
        ClusterWith(
            ", lb_policy: LEAST_REQUEST, least_request_lb_config: {slow_start_config: {slow_start_window: 30s}}"),
        Listener(", tracing: {random_sampling: {value: 1}}, http2_protocol_options: {connection_keepalive: {interval: "
                 "30s, timeout: 5s}}"),
        Listener("", ", freebind: false, connection_balance_config: {exact_balance: {}}"),
        std::string("header_prefix: x-envoy"), Ads(", initial_metadata: [{key: a, value: b}], timeout: 5s")})
    EXPECT_EQ(Problem(text), "") << text;
}

TEST(Fields, ReadsInitialMetadataWithNamesAsHttp2WantsThem) {
  const auto read = ReadBootstrap("{" + Ads(", initial_metadata: [{key: X-Tenant, value: Blue}]") + "}", "test.yaml");
  ASSERT_TRUE(read) << read.error().ToString();
  const std::vector<std::pair<std::string, std::string>> wanted{{"x-tenant", "Blue"}};
  EXPECT_EQ(read->dynamic.ads->initial_metadata, wanted);
}

TEST(Fields, ReadsHowSoonTheControlPlaneIsDialledAgain) {
  const auto read = [](const std::string& text) {
    const auto bootstrap = ReadBootstrap("{" + text + "}", "test.yaml");
    EXPECT_TRUE(bootstrap) << bootstrap.error().ToString();
    return bootstrap ? *bootstrap->dynamic.ads : GrpcTarget{};
  };
  EXPECT_EQ(read(Ads("")).longest_back_off, std::chrono::seconds(30));
  const auto both = read(AdsEvery("base_interval: 0.1s, max_interval: 2s"));
  EXPECT_EQ(both.first_back_off, std::chrono::milliseconds(100));
  EXPECT_EQ(both.longest_back_off, std::chrono::seconds(2));
  EXPECT_EQ(read(AdsEvery("base_interval: 0.1s")).longest_back_off, std::chrono::seconds(1));
}

TEST(Fields, ReadsHowOftenNamesAreAskedFor) {
  const auto read = [](const std::string& more) {
    const auto bootstrap = ReadBootstrap("{" + ClusterWith(more) + "}", "test.yaml");
    EXPECT_TRUE(bootstrap) << bootstrap.error().ToString();
    return bootstrap ? *bootstrap->clusters.at(0).value : Cluster{};
  };
  using namespace std::chrono_literals;
  EXPECT_EQ(read("").dns_refresh_rate, 5s);
  EXPECT_FALSE(read("").dns_failure_refresh_rate);
  EXPECT_EQ(read(", dns_refresh_rate: 7s, dns_jitter: 0.1s").dns_refresh_rate, 7s);
  EXPECT_EQ(read(", dns_jitter: 0.1s").dns_jitter, 100ms);
  EXPECT_EQ(read(", dns_failure_refresh_rate: {base_interval: 2s, max_interval: 3s}").dns_failure_refresh_rate,
            (DnsFailureRefreshRate{2s, 3s}));
  EXPECT_EQ(read(", dns_failure_refresh_rate: {base_interval: 2s}").dns_failure_refresh_rate,
            (DnsFailureRefreshRate{2s, 20s}))
      << "ten times the base";
}

TEST(Fields, OfRetriesPassOverWordsThatAreNotKnown) {
  std::string text = Listener("");
  const std::string_view answer = "direct_response: {status: 200}";
  text.replace(text.find(answer), answer.size(),
               "route: {cluster: c, retry_policy: {retry_on: \"5xx, whenever,,unavailable\"}}");
  const auto read = ReadBootstrap("{" + text + "}", "test.yaml");
  ASSERT_TRUE(read) << read.error().ToString();
  const auto& manager =
      std::get<HttpConnectionManager>(read->listeners.at(0).value->filter_chains.at(0).filters.at(0).config);
  const Route& route = std::get<RouteConfiguration>(manager.routes).virtual_hosts.at(0).routes.at(0);
  EXPECT_EQ(std::get<RouteAction>(route.action).retry->retry_on, kRetry5xx | kRetryGrpcUnavailable);
}

AccessLog LogOf(const std::string& format) {
  const auto read = ReadBootstrap(
      "{" +
          Listener(", access_log: [{name: f, typed_config: {\"@type\": "
                   "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null, "
                   "log_format: {" +
                   format + "}}}]") +
          "}",
      "test.yaml");
  EXPECT_TRUE(read) << read.error().ToString();
  if (!read) return {};
  return std::get<HttpConnectionManager>(read->listeners.at(0).value->filter_chains.at(0).filters.at(0).config)
      .access_logs.at(0);
}

TEST(Fields, ReadsTheShapeOfALogInJson) {
  const std::string json = R"({"b": ["%PROTOCOL%", 1.5, true, null, {"c": "d"}], "a": "x"})";
  const AccessLog log =
      LogOf("omit_empty_values: true, json_format_options: {sort_properties: true}, json_format: " + json);
  EXPECT_EQ(log.json_format, ParseJsonFormat(json).value());
  EXPECT_EQ(log.json_format.keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(log.omit_empty_values);
}

TEST(Fields, ReadsTheFormatOfALogFromItsSource) {
  const std::string path = ::testing::TempDir() + "/format-of-a-log";
  std::ofstream(path) << "of a file\n";
  setenv("PLAIT_TEST_LOG_FORMAT", "of a variable", 1);
  EXPECT_EQ(LogOf("text_format_source: {filename: " + path + "}").text_format, "of a file\n");
  EXPECT_EQ(LogOf("text_format_source: {environment_variable: PLAIT_TEST_LOG_FORMAT}").text_format, "of a variable");
  EXPECT_EQ(LogOf("text_format_source: {inline_bytes: YQ==}").text_format, "a");
  const std::string begin =
      ", access_log: [{name: f, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null, log_format: {";
  EXPECT_NE(
      Problem(Listener(begin + "text_format_source: {filename: /none}}}}]")).find("log_format: text_format_source: "),
      std::string::npos);
}

TEST(Fields, TakesFormattersWhoseOperatorsThereAre) {
  const auto with = [](const std::string& type) {
    return "text_format: a, formatters: [{name: f, typed_config: {\"@type\": type.googleapis.com/envoy.extensions." +
           type + "}}]";
  };
  EXPECT_EQ(LogOf(with("formatter.req_without_query.v3.ReqWithoutQuery")).text_format, "a");
  EXPECT_EQ(LogOf(with("formatter.metadata.v3.Metadata")).text_format, "a");
  EXPECT_EQ(LogOf(with("formatter.cel.v3.Cel")).text_format, "a");
}

TEST(Fields, NamesOnlyFieldsThatExist) {
  LinkNamedTypes();
  EXPECT_FALSE(DecodeAddress("\xff"));  // links what only its decoder knows
  for (const IgnoredField& field : IgnoredFields()) {
    const std::string name(field.field);
    EXPECT_NE(google::protobuf::DescriptorPool::generated_pool()->FindFieldByName(name), nullptr) << name;
    EXPECT_FALSE(field.reason.empty()) << name;
  }
}

}  // namespace
}  // namespace plait::xds
