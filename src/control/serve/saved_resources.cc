#include "control/serve/saved_resources.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "control/serve/mesh_provider.h"
#include "control/source/directory_source.h"
#include "control/source/pods.h"
#include "core/base/capture_annotations.h"
#include "core/base/encoding.h"
#include "core/base/json_text.h"
#include "core/base/strings.h"
#include "core/base/which_pod.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::ordered_json;

// Every pod of the directory as one that runs: 10.244.0.2 and up, in the order of their names.
void RunAll(source::PodsController& pods) {
  constexpr std::uint32_t kFirst = 0x0af40002;
  std::vector<source::PodStatus> statuses;
  for (const source::DesiredPod& pod : pods.desired()) {
    const auto index = static_cast<std::uint32_t>(statuses.size());
    statuses.push_back({.uid = pod.uid, .ips = {io::IpAddress::V4(kFirst + index)}, .ready = true, .phase = "Running"});
  }
  pods.SetStatuses(std::move(statuses));
}

Outcome<source::DesiredPod> FindPod(const source::PodsController& pods, const std::string& workload) {
  if (pods.desired().empty())
    return Explain(Errc::kNotFound, "there is no workload \"" + workload + "\"",
                   "add a Deployment, StatefulSet, Job or Pod: no file that can be read has one");
  std::vector<PodName> names;
  for (const source::DesiredPod& pod : pods.desired())
    names.push_back({.name = pod.name, .owner = pod.owner, .ns = pod.spec.name_space});
  const Outcome<std::size_t> found = WhichPod(names, workload);
  if (!found) return std::unexpected(found.error());
  return pods.desired()[*found];
}

Proxy ProxyOf(const source::DesiredPod& pod, const source::PodStatus& status, const std::string& trust_domain) {
  Proxy proxy;
  const source::PodTemplate& spec = pod.spec;
  proxy.kind = spec.proxy == source::ProxyKind::kGateway ? Proxy::Kind::kRouter : Proxy::Kind::kSidecar;
  proxy.name = pod.name;
  proxy.name_space = spec.name_space;
  proxy.service_account = spec.service_account;
  proxy.dns_domain = spec.name_space + ".svc.cluster.local";
  proxy.ips = status.ips;
  proxy.plait_form = true;
  proxy.identity = {
      .trust_domain = trust_domain, .name_space = spec.name_space, .service_account = spec.service_account};
  proxy.node.id = std::string(KindName(proxy.kind)) + "~" + status.ips.front().ToString() + "~" + proxy.Key() + "~" +
                  proxy.dns_domain;
  proxy.node.labels = spec.labels;
  proxy.node.user_agent_name = "plait-proxy";
  return proxy;
}

void AddResource(std::string_view type_url, const ResourceRef& resource, Json& to) {
  to.push_back({{"type", type_url},
                {"name", resource->name},
                {"aliases", resource->aliases},
                {"value", Base64Encode(AsBytes(resource->bytes))}});
}

Json AllResources(MeshProvider& provider, const Proxy& proxy) {
  namespace url = xds::type_url;
  Json out = Json::array();
  for (const std::string_view type : {url::kListener, url::kRoute, url::kCluster, url::kEndpoint, url::kAddress})
    for (const ResourceRef& resource : provider.All(proxy, type)) AddResource(type, resource, out);
  // L4Routes are asked for by original port.
  std::set<std::string> ports;
  for (const auto& service : provider.snapshot()->services())
    for (const auto& port : service->ports) ports.insert(std::to_string(port.port));
  for (const std::string& port : ports)
    if (const ResourceRef resource = provider.Find(proxy, url::kL4Routes, port))
      AddResource(url::kL4Routes, resource, out);
  return out;
}

// Names of the secrets that a gateway gets: what is in them stays here.
Json SecretNames(MeshProvider& provider, const Proxy& proxy, const model::Labels& labels) {
  std::set<std::string> names;
  for (const model::Gateway* gateway : provider.snapshot()->GatewaysOf(labels))
    for (const model::GatewayServer& server : gateway->servers)
      for (const char* ending : {"", "-cacert"}) {
        const std::string name = "kubernetes://" + server.tls.credential_name + ending;
        if (provider.Find(proxy, xds::type_url::kSecret, name)) names.insert(name);
      }
  return Json(names);
}

Json Objects(const model::Snapshot& mesh) {
  Json out = Json::array();
  for (const model::ObjectRef& object : mesh.objects()) {
    const model::Meta& meta = model::MetaOf(*object);
    out.push_back({{"kind", model::KindName(meta.key.kind)},
                   {"name", meta.name()},
                   {"namespace", meta.name_space()},
                   {"at", meta.at.file + ":" + std::to_string(meta.at.line)}});
  }
  return out;
}

Json Problems(const model::Findings& findings) {
  Json out = Json::array();
  for (const model::Finding& finding : findings)
    out.push_back({{"severity", finding.severity == model::Severity::kError     ? "error"
                                : finding.severity == model::Severity::kWarning ? "warning"
                                                                                : "info"},
                   {"text", finding.ToString()}});
  return out;
}

// What decides which of its connections go to the proxy.
Json CaptureAnnotations(const source::PodTemplate& pod) {
  Json out = Json::object();
  for (const auto& [name, value] : pod.annotations)
    if (name.starts_with(capture_annotations::kPrefix)) out[name] = value;
  return out;
}

// Where its containers say that they listen.
Json DeclaredPorts(const source::PodTemplate& pod) {
  Json out = Json::array();
  for (const source::ResolvedContainer& container : pod.containers)
    for (const model::ContainerPort& port : container.ports)
      if (port.protocol == "TCP") out.push_back(port.port);
  return out;
}

// A broken file may hold bytes that are no text.
std::string Dump(const Json& json) { return JsonText(json, 1); }

}  // namespace

SavedResources ResourcesOf(io::Loop& loop, const SavedResourcesOptions& options) {
  const source::DirectorySource files(loop, {.directories = options.directories}, [] {});
  source::PodsController pods(loop, {}, [] {});
  model::SnapshotOptions as_up;  // what `plait up` adds to MeshConfig
  as_up.mesh.trust_domain = options.trust_domain;
  as_up.mesh.root_namespace = options.root_namespace;
  as_up.strict_by_default = as_up.access_log_by_default = true;
  const auto first = model::Snapshot::Build(files.objects(), pods.workloads(), as_up);
  const source::PodSets sets =
      source::RenderPodSets(files.objects(), files.images(), first->mesh(), source::Programs::kOptional);
  std::vector<source::PodSet> at_once = sets.sets;
  for (source::PodSet& set : at_once) set.parallel = true;  // no pod waits for the one before it
  pods.SetTemplates(std::move(at_once));
  RunAll(pods);
  const Outcome<source::DesiredPod> pod = FindPod(pods, options.workload);
  MeshProvider provider("");
  provider.SetSnapshot(model::Snapshot::Build(files.objects(), pods.workloads(), as_up));
  const model::Snapshot& mesh = *provider.snapshot();
  SavedResources out;
  for (const model::Findings* findings : {&files.findings(), &sets.findings, &mesh.findings()})
    out.problems.insert(out.problems.end(), findings->begin(), findings->end());
  if (!pod) {
    out.error = pod.error();
    out.json = Dump({{"problems", Problems(out.problems)}, {"error", out.error->message}, {"hint", out.error->hint}});
    return out;
  }
  const Proxy proxy = ProxyOf(*pod, *pods.FindStatus(pod->uid), mesh.mesh().trust_domain);

  const bool has_proxy =
      pod->spec.proxy == source::ProxyKind::kSidecar || pod->spec.proxy == source::ProxyKind::kGateway;
  out.json = Dump({{"problems", Problems(out.problems)},
                   {"node", {{"id", proxy.node.id}}},
                   {"pod", proxy.Key()},
                   {"proxy", has_proxy ? KindName(proxy.kind) : "none"},
                   {"ip", proxy.ips.front().ToString()},
                   {"identity", proxy.identity.ToString()},
                   {"capture", CaptureAnnotations(pod->spec)},
                   {"ports", DeclaredPorts(pod->spec)},
                   {"resources", has_proxy ? AllResources(provider, proxy) : Json::array()},
                   {"secrets", SecretNames(provider, proxy, pod->spec.labels)},
                   {"objects", Objects(mesh)}});
  return out;
}

}  // namespace plait::control::serve
