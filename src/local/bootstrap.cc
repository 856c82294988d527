#include "local/bootstrap.h"

#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/base/proxy_ports.h"
#include "core/base/strings.h"
#include "core/io/socket.h"
#include "local/certificate_ttl.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;
constexpr const char* kIstioVersion = "1.31.4";  // whose interfaces this proxy speaks

// The pod's prometheus.io annotations as Istio's injector hands them to its agent; empty: nothing is to be merged.
std::string ScrapeAnnotations(const PodSpec& pod) {
  Json out = Json::object();
  for (const char* name : {"scrape", "port", "path"}) {
    const std::string* value = pod.Annotation(std::string("prometheus.io/") + name);
    if (value && !value->empty()) out[name] = *value;
  }
  const std::string* merge = pod.Annotation("prometheus.istio.io/merge-metrics");
  const bool unwanted = merge && *merge == "false";
  return out.empty() || unwanted ? "" : out.dump();
}

Json Metadata(const BootstrapInput& input) {
  const PodSpec& pod = input.pod;
  Json labels = Json::object();
  for (const auto& [name, value] : pod.labels) labels[name] = value;
  Json ports = Json::array();
  for (const ContainerSpec& container : pod.containers)
    for (const auto& [name, port] : container.ports)
      ports.push_back({{"name", name}, {"containerPort", port.value}, {"protocol", "TCP"}});
  Json out = {{"NAMESPACE", pod.ns},
              {"SERVICE_ACCOUNT", pod.service_account},
              {"LABELS", labels},
              {"CLUSTER_ID", "Kubernetes"},
              {"NETWORK", ""},
              {"MESH_ID", "cluster.local"},
              {"INSTANCE_IPS", Join(input.ips, ",")},
              {"WORKLOAD_NAME", WorkloadName(pod)},
              {"POD_NAME", pod.name},
              {"NAME", pod.name},
              {"ISTIO_VERSION", kIstioVersion},
              {"POD_PORTS", ports.dump()}};
  if (const std::string scrape = ScrapeAnnotations(pod); !scrape.empty()) out["ISTIO_PROMETHEUS_ANNOTATIONS"] = scrape;
  return out;
}

std::string ClusterOf(const PodSpec& pod) {
  for (const char* label : {"app", "app.kubernetes.io/name", "service.istio.io/canonical-name"})
    if (const std::string* value = pod.Label(label)) return *value + "." + pod.ns;
  return WorkloadName(pod) + "." + pod.ns;
}

Json Assignment(const std::string& cluster, const Json& address) {
  return {{"cluster_name", cluster}, {"endpoints", {{{"lb_endpoints", {{{"endpoint", {{"address", address}}}}}}}}}};
}

Json SocketAddress(const std::string& address, Port port) {
  return {{"socket_address", {{"address", address}, {"port_value", port.value}}}};
}

Json Http2() {
  return {{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
           {{"@type", "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
            {"explicit_http_config", {{"http2_protocol_options", Json::object()}}}}}};
}

// Of a proxy of `pod`; `name` is the pod's, or tells one of two proxies apart.
Json NodeOf(const BootstrapInput& input, const std::string& name) {
  const PodSpec& pod = input.pod;
  const std::string kind = pod.proxy == ProxyKind::kGateway ? "router" : "sidecar";
  const std::string id = kind + "~" + (input.ips.empty() ? "" : input.ips.front()) + "~" + name + "." + pod.ns + "~" +
                         pod.ns + ".svc.cluster.local";
  return {{"id", id}, {"cluster", ClusterOf(pod)}, {"metadata", Metadata(input)}};
}

Json XdsCluster(const BootstrapInput& input) {
  const Json tls = {{"@type", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"},
                    {"sni", "plaitd.plait-system.svc"},
                    {"common_tls_context",
                     {{"alpn_protocols", {"h2"}},
                      {"validation_context",
                       {{"trusted_ca", {{"filename", input.root_path}}},
                        {"match_typed_subject_alt_names",
                         {{{"san_type", "DNS"}, {"matcher", {{"exact", "plaitd.plait-system.svc"}}}}}}}}}}};
  // Hours may pass without a change: that plaitd forgot the connection, or vanished, is noticed after a minute.
  const Json keep_alive = {{"keepalive_time", 30}, {"keepalive_interval", 10}, {"keepalive_probes", 3}};
  return {{"name", "xds-grpc"},
          {"type", "STATIC"},
          {"connect_timeout", "5s"},
          {"upstream_connection_options", {{"tcp_keepalive", keep_alive}}},
          {"typed_extension_protocol_options", Http2()},
          {"transport_socket", {{"name", "envoy.transport_sockets.tls"}, {"typed_config", tls}}},
          {"load_assignment", Assignment("xds-grpc", SocketAddress(input.control_address, input.xds_port))}};
}

Json Identity(const BootstrapInput& input) {
  const Json config = {{"@type", "type.googleapis.com/plait.proxy.v1.Identity"},
                       {"ca_cluster", "xds-grpc"},
                       {"token_path", input.token_path},
                       {"root_path", input.root_path},
                       {"ttl", FormatDuration(CertificateTtl(input.pod).value_or(kCertificateTtl))},
                       {"key_type", "P256"}};
  return Json::array({{{"name", "plait.identity"}, {"typed_config", config}}});
}

Json AdsConfig(const char* api_type) {
  // plaitd is on the same host and soon back: whoever asks for it late goes by what was for so long.
  const Json back_off = {{"base_interval", "0.5s"}, {"max_interval", "2s"}};
  const Json service = {{"cluster_name", "xds-grpc"}, {"retry_policy", {{"retry_back_off", back_off}}}};
  return {{"api_type", api_type},
          {"transport_api_version", "V3"},
          {"grpc_services", Json::array({{{"envoy_grpc", service}}})}};
}

Json Admin() { return {{"address", SocketAddress("127.0.0.1", proxy_ports::kAdmin)}}; }

std::string ToYaml(const Json& bootstrap) {
  return "# Made by plait up for this proxy. JSON is YAML.\n" + bootstrap.dump(2) + "\n";
}

// --- of a stock Envoy ---

// Towards plaitd as the workload itself: the certificate comes from the plait-proxy beside it.
Json EnvoyXdsCluster(const EnvoyBootstrapInput& input) {
  Json out = XdsCluster(input.common);
  const Json source = {{"resource_api_version", "V3"},
                       {"api_config_source",
                        {{"api_type", "GRPC"},
                         {"transport_api_version", "V3"},
                         {"set_node_on_first_message_only", true},
                         {"grpc_services", {{{"envoy_grpc", {{"cluster_name", "sds-grpc"}}}}}}}}};
  out["transport_socket"]["typed_config"]["common_tls_context"]["tls_certificate_sds_secret_configs"] =
      Json::array({{{"name", "default"}, {"sds_config", source}}});
  return out;
}

Json StaticCluster(const char* name, const Json& address) {
  return {
      {"name", name}, {"type", "STATIC"}, {"connect_timeout", "1s"}, {"load_assignment", Assignment(name, address)}};
}

// Which parts of a statistic's name are labels for Prometheus: Istio's names of them, so that its dashboards find an
// Envoy's series as they find a plait-proxy's. The prefixes of connection managers are plaitd's and those below.
constexpr const char* kStatsTags[][2] = {
    {"cluster_name", R"(^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.))"},
    {"tcp_prefix", R"(^tcp\.((.*?)\.)\w+?$)"},
    {"response_code", R"(_rq(_(\d{3}))$)"},
    {"response_code_class", R"(_rq(_(\dxx))$)"},
    {"http_conn_manager_listener_prefix",
     R"(^listener\..*?\.http\.(((?:inbound_|outbound_)?(?:[_.\d]*|[_\[\]a-fA-F\d]*)|agent|stats|InboundPassthroughCluster)\.))"},
    {"http_conn_manager_prefix",
     R"(^http\.(((?:inbound_|outbound_)?(?:[_.\d]*|[_\[\]a-fA-F\d]*)|agent|stats|InboundPassthroughCluster)\.))"},
    {"listener_address", R"(^listener\.(([_.\d]*|[_\[\]a-fA-F\d]*)\.))"},
};
Json StatsConfig() {
  Json tags = Json::array();
  for (const auto& [name, regex] : kStatsTags) tags.push_back({{"tag_name", name}, {"regex", regex}});
  return {{"use_all_default_tags", false}, {"stats_tags", std::move(tags)}};
}

// As in Istio's bootstrap: of itself Envoy refuses routes whose regular expression makes a program larger than 100.
Json RegexLimit() {
  return {{"layers", Json::array({{{"name", "global config"},
                                   {"static_layer", {{"re2.max_program_size.error_level", 32768}}}}})}};
}

// A port of the workload that leads to one page of Envoy's admin, as in Istio's bootstrap.
Json PageListener(Port port, bool v6, const char* stat_prefix, const char* path, const char* page) {
  const Json route = {{"match", {{"path", path}}}, {"route", {{"cluster", "admin"}, {"prefix_rewrite", page}}}};
  const Json manager = {
      {"@type",
       "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"},
      {"stat_prefix", stat_prefix},
      {"route_config",
       {{"virtual_hosts",
         Json::array({{{"name", "admin"}, {"domains", Json::array({"*"})}, {"routes", Json::array({route})}}})}}},
      {"http_filters",
       Json::array(
           {{{"name", "envoy.filters.http.router"},
             {"typed_config", {{"@type", "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}})}};
  const Json filter = {{"name", "envoy.filters.network.http_connection_manager"}, {"typed_config", manager}};
  Json out = {{"name", stat_prefix},
              {"address", SocketAddress("0.0.0.0", port)},
              {"enable_reuse_port", false},
              {"filter_chains", Json::array({{{"filters", Json::array({filter})}}})}};
  if (v6) out["additional_addresses"] = Json::array({{{"address", SocketAddress("::", port)}}});
  return out;
}

}  // namespace

std::string WorkloadName(const PodSpec& pod) { return pod.owner.empty() ? pod.name : pod.owner; }

std::string BootstrapYaml(const BootstrapInput& input) {
  const Json ads = {{"ads", Json::object()}, {"resource_api_version", "V3"}};
  return ToYaml(
      {{"node", NodeOf(input, input.pod.name)},
       {"admin", Admin()},
       {"dynamic_resources", {{"ads_config", AdsConfig("DELTA_GRPC")}, {"lds_config", ads}, {"cds_config", ads}}},
       {"static_resources", {{"clusters", {XdsCluster(input)}}}},
       {"bootstrap_extensions", Identity(input)}});
}

std::string IdentityBootstrapYaml(const BootstrapInput& input) {
  return ToYaml({{"node", NodeOf(input, input.pod.name + "-identity")},
                 {"dynamic_resources", {{"ads_config", AdsConfig("DELTA_GRPC")}}},
                 {"static_resources", {{"clusters", {XdsCluster(input)}}}},
                 {"bootstrap_extensions", Identity(input)}});
}

std::string EnvoyBootstrapYaml(const EnvoyBootstrapInput& input) {
  const Json ads = {{"ads", Json::object()}, {"resource_api_version", "V3"}};
  const bool v6 = input.common.ips.size() > 1;  // the second address of a workload is its IPv6 one
  Json node = NodeOf(input.common, input.common.pod.name);
  node["metadata"]["PLAIT_APPLICATION_MARK"] = std::to_string(io::kMarkToApplication);
  Json control = AdsConfig(input.delta ? "DELTA_GRPC" : "GRPC");
  control["set_node_on_first_message_only"] = true;  // with its list of extensions it has 40 KB
  Json sds = StaticCluster("sds-grpc", {{"pipe", {{"path", input.sds_path}}}});
  sds["typed_extension_protocol_options"] = Http2();
  // What is not for the own application carries the other mark (semantics.md 8): capture lets it pass.
  const Json mark = {{"description", "mark of the proxy's own connections"},
                     {"level", SOL_SOCKET},
                     {"name", SO_MARK},
                     {"int_value", io::kMarkOutbound},
                     {"state", "STATE_PREBIND"}};
  return ToYaml(
      {{"node", node},
       {"admin", Admin()},
       {"stats_config", StatsConfig()},
       {"layered_runtime", RegexLimit()},
       {"cluster_manager", {{"upstream_bind_config", {{"socket_options", Json::array({mark})}}}}},
       {"dynamic_resources", {{"ads_config", control}, {"lds_config", ads}, {"cds_config", ads}}},
       {"static_resources",
        {{"clusters", Json::array({EnvoyXdsCluster(input), sds,
                                   StaticCluster("admin", SocketAddress("127.0.0.1", proxy_ports::kAdmin))})},
         {"listeners", Json::array({PageListener(proxy_ports::kReadiness, v6, "agent", "/healthz/ready", "/ready"),
                                    PageListener(proxy_ports::kMetrics, v6, "stats", "/stats/prometheus",
                                                 "/stats/prometheus")})}}}});
}

namespace {
// As a volume of Kubernetes writes them, which only it can have whole.
std::string Lines(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) out += key + "=" + JsonText(Json(value)) + "\n";
  return out;
}
}  // namespace

std::string FieldOf(const PodSpec& pod, const std::vector<std::string>& ips, std::string_view path) {
  if (path == "metadata.name") return pod.name;
  if (path == "metadata.namespace") return pod.ns;
  if (path == "metadata.uid") return pod.uid;
  if (path == "spec.serviceAccountName") return pod.service_account;
  if (path == "spec.nodeName") return "localhost";
  if (path == "status.hostIP") return "10.244.0.1";
  if (path == "status.podIP") return ips.empty() ? "" : ips.front();
  if (path == "status.podIPs") return Join(ips, ",");
  if (path == "metadata.labels") return Lines(pod.labels);
  if (path == "metadata.annotations") return Lines(pod.annotations);
  const auto subscript = [&](std::string_view prefix, const auto& pairs) -> std::string {
    if (!path.starts_with(prefix) || !path.ends_with("']")) return "";
    const std::string_view key = path.substr(prefix.size(), path.size() - prefix.size() - 2);
    for (const auto& [name, value] : pairs)
      if (name == key) return value;
    return "";
  };
  if (std::string label = subscript("metadata.labels['", pod.labels); !label.empty()) return label;
  return subscript("metadata.annotations['", pod.annotations);
}

}  // namespace plait::local
