#include "control/serve/mesh_pages.h"

#include <map>
#include <nlohmann/json.hpp>

namespace plait::control::serve {
namespace {

using Json = nlohmann::ordered_json;
using model::Finding;
using model::Findings;
using model::Severity;
using model::Snapshot;

std::string_view SeverityName(Severity severity) {
  return severity == Severity::kError ? "error" : severity == Severity::kWarning ? "warning" : "info";
}

Json Services(const Snapshot& mesh) {
  Json out = Json::array();
  for (const auto& service : mesh.services()) {
    Json ports = Json::array();
    for (const auto& port : service->ports) ports.push_back({{"name", port.name}, {"port", port.port}});
    Json vips = Json::array();
    for (const io::Cidr& vip : service->vips) vips.push_back(vip.ToString());
    out.push_back({{"hostname", service->hostname},
                   {"Attributes", {{"Name", service->name}, {"Namespace", service->name_space}}},
                   {"addresses", vips},
                   {"headless", service->headless},
                   {"meshExternal", service->mesh_external},
                   {"ports", ports}});
  }
  return out;
}

Json Endpoints(const Snapshot& mesh) {
  Json out = Json::array();
  for (const auto& service : mesh.services()) {
    for (std::size_t i = 0; i < service->ports.size() && i < service->endpoints.size(); ++i) {
      Json list = Json::array();
      for (const model::EndpointView& endpoint : service->endpoints[i]) {
        Json addresses = Json::array();
        for (const io::IpAddress& ip : endpoint.ips) addresses.push_back(ip.ToString());
        if (!endpoint.dns_name.empty()) addresses.push_back(endpoint.dns_name);
        list.push_back({{"addresses", addresses},
                        {"port", endpoint.port},
                        {"ready", endpoint.ready},
                        {"mtls", endpoint.mtls},
                        {"identity", endpoint.identity}});
      }
      out.push_back(
          {{"svc", service->hostname + ":" + std::to_string(service->ports[i].port)}, {"ep", std::move(list)}});
    }
  }
  return out;
}

Json Objects(const Snapshot& mesh) {
  Json out = Json::array();
  for (const model::ObjectRef& object : mesh.objects()) {
    const model::Meta& meta = model::MetaOf(*object);
    out.push_back({{"kind", model::KindName(meta.key.kind)},
                   {"metadata", {{"name", meta.name()}, {"namespace", meta.name_space()}}},
                   {"at", meta.at.file + ":" + std::to_string(meta.at.line)}});
  }
  return out;
}

// Istio's shape: what it is called, then the object, then the message.
Json Problems(const Findings& findings) {
  Json status = Json::object();
  for (const Finding& finding : findings) {
    const std::string code = finding.code.empty() ? "plait" : finding.code;
    const std::string object =
        finding.diagnostic.object.empty() ? finding.diagnostic.at.file : finding.diagnostic.object;
    status[code].push_back(
        {{"object", object}, {"severity", SeverityName(finding.severity)}, {"message", finding.ToString()}});
  }
  return {{"ProxyStatus", std::move(status)}};
}

Json Mesh(const model::MeshConfig& mesh) {
  return {{"trustDomain", mesh.trust_domain},
          {"trustDomainAliases", mesh.trust_domain_aliases},
          {"rootNamespace", mesh.root_namespace},
          {"outboundTrafficPolicy", {{"mode", mesh.registry_only ? "REGISTRY_ONLY" : "ALLOW_ANY"}}},
          {"enableAutoMtls", mesh.auto_mtls},
          {"connectTimeout", FormatDuration(mesh.connect_timeout)},
          {"accessLogFile", mesh.access_log_file},
          {"accessLogEncoding", mesh.access_log_json ? "JSON" : "TEXT"}};
}

void FillGauges(const Snapshot& mesh, const Findings& problems, Metrics& metrics) {
  std::map<std::string_view, double> objects;
  for (const model::ObjectRef& object : mesh.objects()) ++objects[model::KindName(model::MetaOf(*object).key.kind)];
  metrics.Clear("plaitd_config_objects");
  for (const auto& [kind, count] : objects) metrics.Set("plaitd_config_objects", {{"kind", kind}}, count);
  metrics.Set("pilot_services", {}, static_cast<double>(mesh.services().size()));
  metrics.Set("pilot_virt_services", {}, objects["VirtualService"]);
  std::map<std::string_view, double> severities = {{"error", 0}, {"warning", 0}};
  for (const Finding& finding : problems) ++severities[SeverityName(finding.severity)];
  for (const auto& [severity, count] : severities)
    metrics.Set("plaitd_config_problems", {{"severity", severity}}, count);
}

}  // namespace

void AddMeshPages(DebugEndpoints& debug, SnapshotOf snapshot, ProblemsOf problems) {
  const auto page = [&](const char* path, const char* description, auto render) {
    debug.AddPage(path, description, [snapshot, render](const DebugEndpoints::Query&) {
      const model::SnapshotRef mesh = snapshot();
      if (mesh == nullptr) return conn::TextResponse(503, "the configuration has not been read yet\n");
      return JsonResponse(render(*mesh).dump(2));
    });
  };
  page("/debug/registryz", "Services", Services);
  page("/debug/endpointz", "Endpoints of services", Endpoints);
  page("/debug/configz", "Configuration objects and where they stand", Objects);
  page("/debug/mesh", "MeshConfig in force", [](const Snapshot& mesh) { return Mesh(mesh.mesh()); });
  debug.AddPage("/debug/push_status", "What is wrong with the configuration",
                [problems](const DebugEndpoints::Query&) { return JsonResponse(Problems(problems()).dump(2)); });
  debug.BeforeScrape([snapshot, problems](Metrics& metrics) {
    if (const model::SnapshotRef mesh = snapshot()) FillGauges(*mesh, problems(), metrics);
  });
}

}  // namespace plait::control::serve
