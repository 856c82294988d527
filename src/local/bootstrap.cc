#include "local/bootstrap.h"

#include <nlohmann/json.hpp>

#include "core/base/strings.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;
constexpr const char* kServiceIp = "10.96.0.10";
constexpr const char* kIstioVersion = "1.31.4";  // whose interfaces this proxy speaks

// The pod's prometheus.io annotations as Istio's injector hands them to its agent; empty: nothing is to be merged.
std::string ScrapeAnnotations(const PodSpec& pod) {
  const auto annotation = [&pod](std::string_view name) -> std::string {
    for (const auto& [key, value] : pod.annotations)
      if (key == name) return value;
    return "";
  };
  Json out = Json::object();
  for (const char* name : {"scrape", "port", "path"}) {
    const std::string value = annotation(std::string("prometheus.io/") + name);
    if (!value.empty()) out[name] = value;
  }
  const bool unwanted = annotation("prometheus.istio.io/merge-metrics") == "false";
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

Json XdsCluster(const BootstrapInput& input) {
  const Json address = {{"socket_address", {{"address", input.control_address}, {"port_value", input.xds_port.value}}}};
  const Json tls = {{"@type", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"},
                    {"sni", "plaitd.plait-system.svc"},
                    {"common_tls_context",
                     {{"alpn_protocols", {"h2"}},
                      {"validation_context",
                       {{"trusted_ca", {{"filename", input.root_path}}},
                        {"match_typed_subject_alt_names",
                         {{{"san_type", "DNS"}, {"matcher", {{"exact", "plaitd.plait-system.svc"}}}}}}}}}}};
  const Json http = {{"@type", "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
                     {"explicit_http_config", {{"http2_protocol_options", Json::object()}}}};
  return {
      {"name", "xds-grpc"},
      {"type", "STATIC"},
      {"connect_timeout", "5s"},
      {"typed_extension_protocol_options", {{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions", http}}},
      {"transport_socket", {{"name", "envoy.transport_sockets.tls"}, {"typed_config", tls}}},
      {"load_assignment",
       {{"cluster_name", "xds-grpc"}, {"endpoints", {{{"lb_endpoints", {{{"endpoint", {{"address", address}}}}}}}}}}}};
}

}  // namespace

std::string WorkloadName(const PodSpec& pod) { return pod.owner.empty() ? pod.name : pod.owner; }

std::string BootstrapYaml(const BootstrapInput& input) {
  const PodSpec& pod = input.pod;
  const std::string kind = pod.proxy == ProxyKind::kGateway ? "router" : "sidecar";
  const std::string id = kind + "~" + (input.ips.empty() ? "" : input.ips.front()) + "~" + pod.name + "." + pod.ns +
                         "~" + pod.ns + ".svc.cluster.local";
  const Json ads = {{"ads", Json::object()}, {"resource_api_version", "V3"}};
  const Json identity = {{"@type", "type.googleapis.com/plait.proxy.v1.Identity"},
                         {"ca_cluster", "xds-grpc"},
                         {"token_path", input.token_path},
                         {"root_path", input.root_path},
                         {"ttl", "86400s"},
                         {"key_type", "P256"}};
  const Json bootstrap = {
      {"node", {{"id", id}, {"cluster", ClusterOf(pod)}, {"metadata", Metadata(input)}}},
      {"admin", {{"address", {{"socket_address", {{"address", "127.0.0.1"}, {"port_value", 15000}}}}}}},
      {"dynamic_resources",
       {{"ads_config",
         {{"api_type", "DELTA_GRPC"},
          {"transport_api_version", "V3"},
          {"grpc_services", {{{"envoy_grpc", {{"cluster_name", "xds-grpc"}}}}}}}},
        {"lds_config", ads},
        {"cds_config", ads}}},
      {"static_resources", {{"clusters", {XdsCluster(input)}}}},
      {"bootstrap_extensions", {{{"name", "plait.identity"}, {"typed_config", identity}}}},
  };
  return "# Made by plait up for this proxy. JSON is YAML.\n" + bootstrap.dump(2) + "\n";
}

std::string ResolvConf(const std::string& ns) {
  return std::string("nameserver ") + kServiceIp + "\nsearch " + ns +
         ".svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";
}

std::string FieldOf(const PodSpec& pod, const std::vector<std::string>& ips, std::string_view path) {
  if (path == "metadata.name") return pod.name;
  if (path == "metadata.namespace") return pod.ns;
  if (path == "metadata.uid") return pod.uid;
  if (path == "spec.serviceAccountName") return pod.service_account;
  if (path == "spec.nodeName") return "localhost";
  if (path == "status.hostIP") return "10.244.0.1";
  if (path == "status.podIP") return ips.empty() ? "" : ips.front();
  if (path == "status.podIPs") return Join(ips, ",");
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
