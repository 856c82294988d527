#include "core/xds/encode/encode.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/xds/decode.h"
#include "core/xds/type_url.h"

namespace plait::xds {
namespace {

using Json = nlohmann::json;

// As config_dump shows it.
Json Dump(std::string_view type_url, const std::string& bytes) {
  namespace util = google::protobuf::util;
  const std::unique_ptr<util::TypeResolver> resolver(util::NewTypeResolverForDescriptorPool(
      "type.googleapis.com", google::protobuf::DescriptorPool::generated_pool()));
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = util::BinaryToJsonString(resolver.get(), std::string(type_url), bytes, &text, options);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return Json::parse(text, nullptr, false);
}

TEST(Encode, ARouteWithWeightsHeadersAndRetries) {
  RouteAction action;
  action.clusters = {{.name = "outbound|9080|v1|reviews", .weight = 80},
                     {.name = "outbound|9080|v2|reviews", .weight = 20}};
  action.timeout = std::chrono::milliseconds(1500);
  action.retry = RetryPolicy{.retry_on = kRetryConnectFailure | kRetryRefusedStream,
                             .num_retries = 2,
                             .avoid_previous_hosts = true,
                             .host_selection_max_attempts = 5};
  Route route{.name = "default", .action = action};
  route.match.headers = {{.name = "end-user", .value = StringMatcher{.value = "jason"}}};
  route.headers.request_add = {{.name = "x-a", .value = "b", .action = HeaderOption::Action::kOverwriteIfExistsOrAdd}};
  route.operation = "reviews:9080/*";
  route.istio_config = "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews";
  const RouteConfiguration routes{
      .name = "9080",
      .virtual_hosts = {{.name = "reviews:9080", .domains = {"reviews"}, .routes = {route}}},
      .validate_clusters = false};

  const Json dump = Dump(type_url::kRoute, Encode(routes));
  EXPECT_EQ(dump["name"], "9080");
  EXPECT_EQ(dump["validate_clusters"], false);
  const Json& out = dump["virtual_hosts"][0]["routes"][0];
  EXPECT_EQ(out["match"],
            Json::parse(R"({"prefix":"/","headers":[{"name":"end-user","string_match":{"exact":"jason"}}]})"));
  EXPECT_EQ(out["route"]["weighted_clusters"]["clusters"][1],
            Json::parse(R"({"name":"outbound|9080|v2|reviews","weight":20})"));
  EXPECT_EQ(out["route"]["timeout"], "1.500s");
  EXPECT_EQ(out["route"]["retry_policy"]["num_retries"], 2);
  EXPECT_EQ(out["route"]["retry_policy"]["retry_host_predicate"][0]["name"],
            "envoy.retry_host_predicates.previous_hosts");
  EXPECT_EQ(out["request_headers_to_add"][0]["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD");
  EXPECT_EQ(out["metadata"]["filter_metadata"]["istio"]["config"], route.istio_config);
}

TEST(Encode, AnAccessLogInJsonWithItsShape) {
  AccessLog log{.name = "envoy.access_loggers.file", .target = AccessLog::Target::kFile, .path = "/dev/stdout"};
  log.format = AccessLog::Format::kJson;
  log.json_format = ParseJsonFormat(R"({"a": {"b": ["%PROTOCOL%", 1.5, true, null, {}]}, "c": "x"})").value();
  Outbound outbound{.network = "net", .unknown_cluster = "PassthroughCluster"};
  outbound.http.routes = RdsRef{};
  outbound.http.filters = {{.name = "envoy.filters.http.router", .config = RouterFilter{}}};
  outbound.http.access_logs = {log};
  Listener listener{.name = "virtualOutbound", .addresses = {{.address = *io::SocketAddress::Parse("[::]:15001")}}};
  const auto format_of = [&] {
    listener.default_filter_chain = FilterChain{.filters = {{.name = "plait.outbound", .config = outbound}}};
    return Dump(type_url::kListener, Encode(listener))["default_filter_chain"]["filters"][0]["typed_config"]["http"]
                                                      ["access_log"][0]["typed_config"]["log_format"];
  };
  EXPECT_EQ(format_of(),
            Json::parse(R"({"json_format": {"a": {"b": ["%PROTOCOL%", 1.5, true, null, {}]}, "c": "x"}})"));
  outbound.http.access_logs[0].json_format = ParseJsonFormat(R"({"a": ["%REQ_WITHOUT_QUERY(:PATH)%"]})").value();
  EXPECT_EQ(format_of()["formatters"], Json::parse(R"([{"name": "envoy.formatter.req_without_query", "typed_config":
      {"@type": "type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"}}])"));
}

TEST(Encode, TheOutboundListenerOfASidecar) {
  Outbound outbound{.network = "net", .unknown_cluster = "PassthroughCluster"};
  outbound.http.stat_prefix = "outbound";
  outbound.http.routes = RdsRef{};
  outbound.http.filters = {{.name = "envoy.filters.http.router", .config = RouterFilter{}}};
  Listener listener{.name = "virtualOutbound",
                    .addresses = {{.address = *io::SocketAddress::Parse("[::]:15001"), .ipv4_compat = true}}};
  listener.default_filter_chain =
      FilterChain{.name = "default", .filters = {{.name = "plait.outbound", .config = outbound}}};
  listener.direction = Listener::Direction::kOutbound;

  const Json dump = Dump(type_url::kListener, Encode(listener));
  EXPECT_EQ(dump["address"]["socket_address"],
            Json::parse(R"({"address":"::","port_value":15001,"ipv4_compat":true})"));
  EXPECT_EQ(dump["traffic_direction"], "OUTBOUND");
  const Json& form = dump["default_filter_chain"]["filters"][0]["typed_config"];
  EXPECT_EQ(form["@type"], "type.googleapis.com/plait.proxy.v1.Outbound");
  EXPECT_EQ(form["unknown_cluster"], "PassthroughCluster");
  EXPECT_EQ(form["dial_after"], "0.005s");
  EXPECT_TRUE(form["http"]["rds"]["config_source"].contains("ads"));
  EXPECT_EQ(form["http"]["http_filters"][0]["typed_config"]["@type"],
            "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
}

TEST(Encode, AnInboundListenerWithModesAndPolicies) {
  RbacPolicy policy{.name = "ns[default]-policy[p]-rule[0]"};
  policy.permissions = {
      {.kind = Permission::Kind::kNot, .children = {{.kind = Permission::Kind::kDestinationPort, .port_start = 80}}}};
  policy.principals = {
      {.kind = Principal::Kind::kAuthenticated, .has_text = true, .text = {.value = "spiffe://a/ns/b/sa/c"}}};
  Inbound inbound;
  inbound.network_filters = {
      {.rules = RbacRules{.action = RbacRules::Action::kDeny, .policies = {policy}}, .stat_prefix = "tcp."}};
  inbound.tls.require_client_certificate = true;
  inbound.tls.common.certificate_secrets = {{.name = "default", .source = SecretRef::Source::kLocal}};
  inbound.ports = {{.port = 9080,
                    .mode = MtlsMode::kStrict,
                    .declared = DeclaredProtocol::kHttp,
                    .cluster = "inbound|9080||",
                    .probes = {{.path = "/health"}}}};
  inbound.other = {
      .mode = MtlsMode::kPermissive, .cluster = "InboundPassthroughCluster", .strict_by = "invalid_policy[a/b]"};
  Listener listener{.name = "virtualInbound", .addresses = {{.address = *io::SocketAddress::Parse("0.0.0.0:15006")}}};
  listener.default_filter_chain = FilterChain{.filters = {{.name = "plait.inbound", .config = inbound}}};

  const Json form = Dump(type_url::kListener, Encode(listener))["default_filter_chain"]["filters"][0]["typed_config"];
  EXPECT_EQ(
      form["ports"][0],
      Json::parse(
          R"({"port":9080,"mode":"STRICT","declared":"HTTP","cluster":"inbound|9080||","probes":[{"path":"/health"}]})"));
  EXPECT_EQ(form["other"]["mode"], "PERMISSIVE");
  EXPECT_EQ(form["other"]["strict_by"], "invalid_policy[a/b]");
  const Json& rules = form["network_filters"][0]["typed_config"]["rules"];
  EXPECT_EQ(rules["action"], "DENY");
  EXPECT_EQ(rules["policies"]["ns[default]-policy[p]-rule[0]"]["permissions"][0],
            Json::parse(R"({"not_rule":{"destination_port":80}})"));
  EXPECT_EQ(form["tls"]["common_tls_context"]["tls_certificate_sds_secret_configs"][0]["name"], "default");
}

TEST(Encode, AClusterWithItsLimitsAndMetadata) {
  Cluster cluster{
      .name = "outbound|9080||reviews", .type = Cluster::Type::kEds, .eds_service_name = "outbound|9080||reviews"};
  cluster.lb.policy = LbPolicy::kLeastRequest;
  cluster.circuit_breakers.max_connections = 7;
  cluster.http.protocol = UpstreamHttpOptions::Protocol::kUseDownstream;
  UpstreamTlsContext tls{.sni = "outbound_.9080_._.reviews"};
  tls.common.alpn_protocols = {"plait-h2", "istio"};
  cluster.transport_socket_matches = {{.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = tls},
                                      {.name = "tlsMode-disabled"}};
  cluster.istio_services = {{.host = "reviews.default.svc.cluster.local", .name = "reviews", .name_space = "default"}};
  cluster.pin_original_dst = true;

  const Json dump = Dump(type_url::kCluster, Encode(cluster));
  EXPECT_EQ(dump["type"], "EDS");
  EXPECT_EQ(dump["connect_timeout"], "5s");
  EXPECT_EQ(dump["lb_policy"], "LEAST_REQUEST");
  EXPECT_EQ(dump["circuit_breakers"]["thresholds"][0]["max_connections"], 7);
  EXPECT_EQ(dump["transport_socket_matches"][0]["transport_socket"]["typed_config"]["sni"],
            "outbound_.9080_._.reviews");
  EXPECT_EQ(dump["transport_socket_matches"][1]["transport_socket"]["name"], "envoy.transport_sockets.raw_buffer");
  EXPECT_EQ(dump["metadata"]["filter_metadata"]["istio"]["services"][0]["name"], "reviews");
  EXPECT_EQ(dump["metadata"]["filter_metadata"]["plait.dev"]["pin_original_dst"], true);
  EXPECT_TRUE(
      dump["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].contains(
          "use_downstream_protocol_config"));
}

TEST(Encode, EndpointsWithIdentityAndBothFamilies) {
  Endpoint endpoint{.address = *io::SocketAddress::Parse("10.244.0.5:9080")};
  endpoint.additional_addresses = {*io::SocketAddress::Parse("[fd00:10:244::5]:9080")};
  endpoint.health = HealthStatus::kHealthy;
  endpoint.identity = "spiffe://cluster.local/ns/default/sa/reviews";
  endpoint.transport_socket_match = {{"tlsMode", "istio"}};
  const Json dump = Dump(type_url::kEndpoint,
                         Encode(ClusterLoadAssignment{.cluster_name = "c", .localities = {{.endpoints = {endpoint}}}}));
  const Json& out = dump["endpoints"][0]["lb_endpoints"][0];
  EXPECT_EQ(out["endpoint"]["additional_addresses"][0]["address"]["socket_address"]["address"], "fd00:10:244::5");
  EXPECT_EQ(out["metadata"]["filter_metadata"]["plait.dev"]["identity"], endpoint.identity);
  EXPECT_EQ(out["metadata"]["filter_metadata"]["envoy.transport_socket_match"]["tlsMode"], "istio");
  EXPECT_EQ(out["health_status"], "HEALTHY");
}

TEST(Encode, AnAddressOfTheIndexWithItsExtension) {
  Workload workload{.uid = "Kubernetes//Pod/default/a",
                    .name = "a",
                    .name_space = "default",
                    .addresses = {*io::IpAddress::Parse("10.0.0.1")}};
  workload.services["default/web.default.svc.cluster.local"] = {
      {.service_port = 80, .target_port = 8080, .app_protocol = AppProtocol::kHttp11}};
  workload.labels = {{"app", "a"}};
  workload.tls_mode = TlsMode::kIstio;
  const Json dump = Dump(type_url::kAddress, Encode(Address{workload}))["workload"];
  EXPECT_EQ(dump["addresses"][0], "CgAAAQ==");
  EXPECT_EQ(dump["services"]["default/web.default.svc.cluster.local"]["ports"][0]["target_port"], 8080);
  EXPECT_EQ(dump["extensions"][0]["name"], "plait.workload");
  EXPECT_EQ(dump["extensions"][0]["config"]["tls_mode"], "ISTIO");
  EXPECT_EQ(dump["extensions"][0]["config"]["labels"]["app"], "a");

  Service service{.name = "web",
                  .name_space = "default",
                  .hostname = "web.default.svc.cluster.local",
                  .addresses = {{.network = "", .address = *io::Cidr::Parse("10.96.0.0/24")}}};
  service.ports = {
      {.port = {.service_port = 80, .target_port = 8080}, .name = "http", .declared = DeclaredProtocol::kHttp}};
  service.headless = true;
  const Json out = Dump(type_url::kAddress, Encode(Address{service}))["service"];
  EXPECT_EQ(out["addresses"][0]["length"], 24);
  EXPECT_EQ(out["extensions"][0]["config"]["headless"], true);
  EXPECT_EQ(out["extensions"][0]["config"]["ports"][0]["declared"], "HTTP");
}

TEST(Encode, EqualStructsGiveEqualBytes) {
  RbacRules rules;
  for (int i = 0; i < 50; ++i)
    rules.policies.push_back({.name = "policy-" + std::to_string(i), .permissions = {{}}, .principals = {{}}});
  Listener listener{.name = "l", .addresses = {{.address = *io::SocketAddress::Parse("0.0.0.0:1")}}};
  listener.default_filter_chain =
      FilterChain{.filters = {{.name = "rbac", .config = NetworkRbac{.rules = rules, .stat_prefix = "x"}}}};
  const std::string first = Encode(listener);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Encode(Listener(listener)), first);
}

TEST(Encode, HowLongASourceIsWaitedForSurvivesTheWire) {
  const SecretRef secret{.name = "site", .fetch_timeout = std::chrono::milliseconds(1500)};
  Cluster cluster{.name = "a", .type = Cluster::Type::kEds, .eds_fetch_timeout = Duration::zero()};
  cluster.tls.emplace().common.certificate_secrets = {secret};
  const Outcome<Cluster> again = DecodeCluster(Encode(cluster));
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->eds_fetch_timeout, Duration::zero());
  ASSERT_TRUE(again->tls);
  EXPECT_EQ(again->tls->common.certificate_secrets, std::vector<SecretRef>{secret});
  HttpConnectionManager manager;
  manager.routes = RdsRef{.name = "web", .fetch_timeout = std::chrono::seconds(3)};
  manager.filters = {{.name = "envoy.filters.http.router", .config = RouterFilter{}}};
  Listener listener{.name = "edge", .addresses = {{.address = *io::SocketAddress::Parse("0.0.0.0:80")}}};
  listener.filter_chains = {FilterChain{.filters = {{.name = "http", .config = manager}}}};
  const Outcome<Listener> decoded = DecodeListener(Encode(listener));
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  const auto* http = std::get_if<HttpConnectionManager>(&decoded->filter_chains.at(0).filters.at(0).config);
  ASSERT_NE(http, nullptr);
  EXPECT_EQ(std::get<RdsRef>(http->routes), (RdsRef{.name = "web", .fetch_timeout = std::chrono::seconds(3)}));
}

TEST(Encode, SecretsAndL4Routes) {
  const Json secret = Dump(
      type_url::kSecret,
      Encode(Secret{.name = "ROOTCA",
                    .value = ValidationContext{.trusted_ca = {.kind = DataSource::Kind::kInline, .value = "PEM"}}}));
  EXPECT_EQ(secret["validation_context"]["trusted_ca"]["inline_bytes"], "UEVN");
  const Json routes =
      Dump(type_url::kL4Routes, Encode(L4Routes{.name = "443",
                                                .routes = {{.sni = {"*.a"},
                                                            .destinations = {*io::Cidr::Parse("10.0.0.0/8")},
                                                            .clusters = {{.name = "c", .weight = 3}}}}}));
  EXPECT_EQ(
      routes["routes"][0],
      Json::parse(
          R"({"sni":["*.a"],"destinations":[{"address_prefix":"10.0.0.0","prefix_len":8}],"clusters":[{"name":"c","weight":3}]})"));
}

}  // namespace
}  // namespace plait::xds
