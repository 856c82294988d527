#include "control/serve/mesh_pages.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "control/serve/registry_pages.h"
#include "control/source/config_files.h"
#include "core/base/json_text.h"

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

// Each object as it was written, as Kubernetes prints it, and where it stands.
Json Objects(const Snapshot& mesh, const MeshPageSources& sources) {
  Json out = Json::array();
  const std::map<std::string, std::string> written = sources.written();
  for (const model::ObjectRef& object : mesh.objects()) {
    const model::Meta& meta = model::MetaOf(*object);
    Json entry = {{"kind", model::KindName(meta.key.kind)}};
    // Values of Secrets are nobody's business here.
    const auto text = written.find(source::ObjectName(meta));
    if (text != written.end() && !std::holds_alternative<model::Secret>(*object))
      if (Json json = Json::parse(text->second, nullptr, false); json.is_object()) entry.update(json);
    entry["metadata"]["name"] = meta.name();
    if (!meta.name_space().empty()) entry["metadata"]["namespace"] = meta.name_space();
    entry["at"] = meta.at.file + ":" + std::to_string(meta.at.line);
    out.push_back(std::move(entry));
  }
  return out;
}

Json ToJson(const PushStatus& status) {
  Json out = Json::object();
  for (const auto& [metric, events] : status)
    for (const auto& [key, event] : events) {
      Json& entry = out[std::string(metric)][key];
      if (!event.proxy.empty()) entry["proxy"] = event.proxy;
      entry["message"] = event.message;
    }
  return out;
}

// Istio's events by metric; beside them what is wrong with single objects, in the same shape by analyzer code. The
// further ones of a place are "PLACE #2" and so on.
Json Problems(const Snapshot* mesh, const Findings& findings) {
  Json status = mesh != nullptr ? ToJson(PushStatusOf(*mesh)) : Json::object();
  std::set<std::string> told;
  std::map<std::pair<std::string, std::string>, int> at_place;
  for (const Finding& finding : findings) {
    std::string message = finding.ToString();
    if (!told.insert(message).second) continue;
    const Diagnostic& d = finding.diagnostic;
    const std::string code = finding.code.empty() ? "plait" : finding.code;
    std::string place =
        d.at.file + ":" + std::to_string(d.at.line) + ":" + std::to_string(d.at.column) + " " + d.object;
    if (const int count = ++at_place[{code, place}]; count > 1) place += " #" + std::to_string(count);
    status[code][place] = {{"severity", SeverityName(finding.severity)}, {"message", std::move(message)}};
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
          {"dnsRefreshRate", FormatDuration(mesh.dns_refresh_rate)},
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
  const PushStatus status = PushStatusOf(mesh);
  for (const std::string_view metric : kPushStatusMetrics) {
    const auto events = status.find(metric);
    metrics.Set(metric, {}, events == status.end() ? 0 : static_cast<double>(events->second.size()));
  }
}

conn::Response Names(const Snapshot& mesh, const DebugEndpoints::Query& query) {
  const auto id = query.find("proxyID");
  const auto dot = id == query.end() ? std::string::npos : id->second.rfind('.');
  if (dot == std::string::npos) return conn::TextResponse(400, "say which proxy: /debug/ndsz?proxyID=POD.NAMESPACE\n");
  const std::string name = id->second.substr(0, dot);
  const std::string name_space = id->second.substr(dot + 1);
  if (mesh.FindWorkload(name_space, name) == nullptr)
    return conn::TextResponse(404, "no pod '" + name + "' in namespace '" + name_space + "'\n");
  return JsonResponse(NamesJson(mesh, name_space));
}

}  // namespace

std::string PushStatusJson(const PushStatus& status) { return JsonText(ToJson(status)); }

void AddMeshPages(DebugEndpoints& debug, MeshPageSources sources) {
  using Query = DebugEndpoints::Query;
  const auto page = [&](const char* path, const char* description, auto answer) {
    debug.AddPage(path, description, [sources, answer](const Query& query) {
      const model::SnapshotRef mesh = sources.snapshot();
      if (mesh == nullptr) return conn::TextResponse(503, "the configuration has not been read yet\n");
      return answer(*mesh, query);
    });
  };
  page("/debug/registryz", "Services",
       [](const Snapshot& mesh, const Query&) { return JsonResponse(ServicesJson(mesh)); });
  page("/debug/endpointz", "Endpoints of services (?brief: a line each)", [](const Snapshot& mesh, const Query& query) {
    return query.contains("brief") ? conn::TextResponse(200, EndpointsText(mesh)) : JsonResponse(EndpointsJson(mesh));
  });
  page("/debug/configz", "Configuration objects and where they stand",
       [sources](const Snapshot& mesh, const Query&) { return JsonResponse(JsonText(Objects(mesh, sources), 2)); });
  page("/debug/ndsz", "What names a proxy resolves (?proxyID=POD.NAMESPACE)", Names);
  page("/debug/mesh", "MeshConfig in force",
       [](const Snapshot& mesh, const Query&) { return JsonResponse(JsonText(Mesh(mesh.mesh()), 2)); });
  debug.AddPage("/debug/push_status", "Conflicts and problems of the configuration", [sources](const Query&) {
    return JsonResponse(JsonText(Problems(sources.snapshot().get(), sources.problems()), 2));
  });
  debug.BeforeScrape([sources](Metrics& metrics) {
    if (const model::SnapshotRef mesh = sources.snapshot()) FillGauges(*mesh, sources.problems(), metrics);
  });
}

}  // namespace plait::control::serve
