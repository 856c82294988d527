// Namespace, Service, ServiceAccount, ConfigMap, Secret and metadata.
#include <k8s.io/api/core/v1/generated.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace core = k8s::io::api::core::v1;
namespace api = k8s::io::apimachinery::pkg::apis::meta::v1;

bool ReadServicePort(ObjectReader& reader, const std::string& path, const core::ServicePort& from, ServicePort& to) {
  if (!CheckPort(reader, path + ".port", static_cast<std::uint32_t>(from.port()))) return false;
  to.name = from.name();
  to.port = static_cast<std::uint16_t>(from.port());
  to.target_port = to.port;
  if (from.has_targetport()) {
    const auto& target = from.targetport();
    if (target.type() == 1) {
      to.target_port = 0;
      to.target_name = target.strval();
      to.target_at = {reader.At(path + ".targetPort")};
    } else if (target.intval() != 0) {
      if (!CheckPort(reader, path + ".targetPort", static_cast<std::uint32_t>(target.intval()))) return false;
      to.target_port = static_cast<std::uint16_t>(target.intval());
    }
  }
  to.protocol = ProtocolOfPort(from.protocol(), from.name(), from.appprotocol(), to.port);
  if (from.protocol() == "UDP")
    reader.Warning(path + ".protocol", "port " + std::to_string(to.port) + " is of UDP, which proxies do not carry",
                   "workloads without a proxy reach it; others call the pods at their own addresses");
  if (from.protocol() == "SCTP")
    reader.Warning(path + ".protocol",
                   "port " + std::to_string(to.port) + " is of SCTP, which is not honoured: nobody reaches it",
                   "use TCP");
  return true;
}

bool ReadPorts(ObjectReader& reader, const core::ServiceSpec& spec, Service& service) {
  for (int i = 0; i < spec.ports_size(); ++i) {
    const std::string path = Indexed("spec.ports", static_cast<std::size_t>(i));
    ServicePort port;
    if (!ReadServicePort(reader, path, spec.ports(i), port)) return false;
    if (spec.ports_size() > 1 && port.name.empty()) {
      reader.Error(path, "a name is required when a Service has several ports", "e.g. name: http");
      return false;
    }
    for (const ServicePort& other : service.ports) {
      if (other.port == port.port && (other.protocol == Protocol::kUdp) == (port.protocol == Protocol::kUdp)) {
        reader.Error(path, "port " + std::to_string(port.port) + " stands twice", "remove one of them");
        return false;
      }
      if (other.name == port.name) {
        reader.Error(path + ".name", "the port name \"" + port.name + "\" stands twice", "name each port differently");
        return false;
      }
    }
    service.ports.push_back(std::move(port));
  }
  return true;
}

bool ReadAddresses(ObjectReader& reader, const core::ServiceSpec& spec, Service& service) {
  std::vector<std::string> given(spec.clusterips().begin(), spec.clusterips().end());
  if (given.empty() && !spec.clusterip().empty()) given.push_back(spec.clusterip());
  service.headless = !given.empty() && given.front() == "None";
  for (const std::string& text : given) {
    if (text == "None") continue;
    const auto ip = io::IpAddress::Parse(text);
    if (!ip) {
      reader.Error(spec.clusterips_size() > 0 ? "spec.clusterIPs" : "spec.clusterIP",
                   "\"" + text + "\" is not an IP address", "leave it out, or write None for a headless service");
      return false;
    }
    if (ip->is_loopback() || ip->is_unspecified()) {
      reader.Error(spec.clusterips_size() > 0 ? "spec.clusterIPs" : "spec.clusterIP",
                   text + " is no address of a service", "leave it out, or write None for a headless service");
      return false;
    }
    service.cluster_ips.push_back(*ip);
  }
  if (spec.ipfamilies_size() == 1 && spec.ipfamilypolicy() == "SingleStack") {
    service.want_v4 = spec.ipfamilies(0) == "IPv4";
    service.want_v6 = !service.want_v4;
  }
  return true;
}
}  // namespace

// RFC 1123 subdomain, as Kubernetes names most things.
bool IsObjectName(std::string_view name) noexcept {
  if (name.empty() || name.size() > 253) return false;
  return std::ranges::all_of(Split(name, '.'), IsNamespaceName);
}

bool IsNamespaceName(std::string_view name) noexcept {
  return IsDnsLabel(name) &&
         std::none_of(name.begin(), name.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

bool DecodeMeta(const yaml::Node& root, Kind kind, bool namespaced, const std::string& file,
                const DecodeContext& context, Meta& meta, Findings& findings) {
  const auto fail = [&](yaml::Mark at, std::string message, std::string hint) {
    findings.push_back({Severity::kError,
                        {.message = std::move(message),
                         .object = std::string(KindName(kind)),
                         .at = yaml::At(file, at),
                         .hint = std::move(hint)},
                        "IST0106"});
    return false;
  };
  const yaml::Node* metadata = root.Find("metadata");
  if (!metadata) return fail(root.at, "metadata is missing", "every object has metadata with a name");
  api::ObjectMeta from;
  Diagnostics errors = yaml::Decode(*metadata, file, from, KubernetesJson());
  meta.key = {kind, namespaced ? from.namespace_() : "", from.name()};
  for (Diagnostic& error : errors) {
    error.object = meta.key.ToString();
    error.message.insert(0, "metadata: ");
    findings.push_back({Severity::kError, std::move(error), "IST0106"});
  }
  if (!errors.empty()) return false;
  if (namespaced && meta.key.name_space.empty()) meta.key.name_space = context.default_namespace;
  const yaml::Mark at = yaml::MarkAt(root, "metadata.name");
  if (from.name().empty() && !from.generatename().empty())
    return fail(yaml::MarkAt(root, "metadata.generateName"), "metadata.name is missing: nobody makes names here",
                "write name instead of generateName");
  if (from.name().empty()) return fail(metadata->at, "metadata.name is missing", "every object needs a name");
  if (!IsObjectName(from.name()))
    return fail(at, "the name \"" + from.name() + "\" is not allowed",
                from.name().find("{{") == std::string::npos ? "lower-case letters, digits, - and dots" : kRenderHelm);
  if (namespaced && !IsNamespaceName(meta.key.name_space))
    return fail(yaml::MarkAt(root, "metadata.namespace"),
                "the namespace \"" + meta.key.name_space + "\" is not allowed", "lower-case letters, digits and -");
  meta.labels.insert(from.labels().begin(), from.labels().end());
  meta.annotations.insert(from.annotations().begin(), from.annotations().end());
  if (from.has_creationtimestamp()) meta.created = WallTime(std::chrono::seconds(from.creationtimestamp().seconds()));
  meta.at = yaml::At(file, at);
  return true;
}

void DecodeNamespace(ObjectReader& reader, Decoded& out) {
  core::Namespace message;
  if (ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) Keep(out, Namespace{reader.meta()});
}

void DecodeServiceAccount(ObjectReader& reader, Decoded& out) {
  core::ServiceAccount message;
  if (ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) Keep(out, ServiceAccount{reader.meta()});
}

void DecodeService(ObjectReader& reader, Decoded& out) {
  core::Service message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  const core::ServiceSpec& spec = message.spec();
  Service service{.meta = reader.meta()};
  if (!ReadPorts(reader, spec, service) || !ReadAddresses(reader, spec, service)) return;
  if (spec.type() == "ExternalName") {
    if (!CheckHost(reader, "spec.externalName", spec.externalname(), false)) return;
    service.external_name = ToLower(spec.externalname());
    if (service.external_name.ends_with('.')) service.external_name.pop_back();
    service.external_name_at = {reader.At("spec.externalName")};
  } else if (spec.ports_size() == 0 && !service.headless) {
    return reader.Error("spec", "a Service needs at least one port", "add spec.ports");
  }
  service.selector.insert(spec.selector().begin(), spec.selector().end());
  service.outside = spec.type() == "NodePort" || spec.type() == "LoadBalancer";
  service.publish_not_ready = spec.publishnotreadyaddresses();
  if (const auto export_to = reader.meta().annotations.find("networking.istio.io/exportTo");
      export_to != reader.meta().annotations.end())
    for (std::string_view part : Split(export_to->second, ',')) service.export_to.emplace_back(Trim(part));
  Keep(out, std::move(service));
}

void DecodeConfigMap(ObjectReader& reader, Decoded& out) {
  core::ConfigMap message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  ConfigMap map{.meta = reader.meta()};
  map.data.insert(message.data().begin(), message.data().end());
  map.binary_data.insert(message.binarydata().begin(), message.binarydata().end());
  const yaml::Node* mesh = map.meta.name() == "istio" ? &yaml::Locate(reader.root(), "data.mesh") : nullptr;
  if (mesh && map.data.contains("mesh")) map.mesh = DecodeMeshConfig(reader, *mesh);
  if (mesh && map.data.contains("meshNetworks"))
    map.networks = DecodeMeshNetworks(reader, yaml::Locate(reader.root(), "data.meshNetworks"));
  Keep(out, std::move(map));
}

void DecodeSecret(ObjectReader& reader, Decoded& out) {
  core::Secret message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  Secret secret{.meta = reader.meta(), .type = message.type()};
  secret.data.insert(message.data().begin(), message.data().end());
  for (const auto& [key, value] : message.stringdata()) secret.data[key] = value;
  Keep(out, std::move(secret));
}

}  // namespace plait::control::model
