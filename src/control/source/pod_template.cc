#include "control/source/pod_template.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/yaml/parse.h"
#include "core/yaml/print.h"

namespace plait::control::source {
namespace {
using namespace model;

const std::string* FindValue(const Labels& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

class Renderer {
 public:
  Renderer(const std::vector<ObjectRef>& objects, const LocalImages& images, const MeshConfig& mesh)
      : objects_(objects), images_(images), mesh_(mesh) {}

  PodSets Render() {
    for (const Deployment* from : ObjectsOf<Deployment>(objects_))
      Add(from->meta, from->pod, {.kind = OwnerKind::kDeployment, .replicas = from->replicas});
    for (const StatefulSet* from : ObjectsOf<StatefulSet>(objects_))
      Add(from->meta, from->pod,
          {.kind = OwnerKind::kStatefulSet,
           .replicas = from->replicas,
           .first_ordinal = from->first_ordinal,
           .parallel = from->parallel});
    for (const Job* from : ObjectsOf<Job>(objects_))
      Add(from->meta, from->pod,
          {.kind = OwnerKind::kJob,
           .replicas = from->suspended ? 0 : from->parallelism,
           .completions = from->completions,
           .backoff_limit = from->backoff_limit});
    for (const Pod* from : ObjectsOf<Pod>(objects_))
      Add(from->meta, {from->meta.labels, from->meta.annotations, from->spec}, {.kind = OwnerKind::kNone});
    AddIngressGateway();
    AddDns();
    std::sort(out_.sets.begin(), out_.sets.end(), [](const PodSet& a, const PodSet& b) { return a.Key() < b.Key(); });
    CollectGatewayPorts();
    return std::move(out_);
  }

 private:
  // Names of pods are their owner's with a number: two owners of one name would make the same pods, and so may a Pod.
  bool IsNameFree(const Meta& meta, OwnerKind kind) {
    std::string key = meta.name_space() + "/" + meta.name();
    if (kind == OwnerKind::kNone) {
      const auto digits = key.find_last_not_of("0123456789");
      if (digits + 1 == key.size() || key[digits] != '-') return true;
      key.resize(digits);
    }
    const auto other = owners_.find(key);
    if (other != owners_.end()) {
      const Position& at = other->second->at;
      Fail(meta,
           "it would have the name of a pod of " + other->second->key.ToString() + " in " + at.file + ":" +
               std::to_string(at.line),
           "rename one of them; the " + std::string(OwnerKindName(kind)) + " is not run");
      return false;
    }
    if (kind != OwnerKind::kNone) owners_.emplace(std::move(key), &meta);
    return true;
  }

  void Add(const Meta& meta, const PodTemplateSpec& from, PodSet set) {
    if (!IsNameFree(meta, set.kind)) return;
    const auto& [labels, annotations, spec] = from;
    set.name = meta.name();
    set.pod = {.name_space = meta.name_space(),
               .service_account = spec.service_account,
               .labels = labels,
               .annotations = annotations,
               .hostname = spec.hostname,
               .subdomain = spec.subdomain,
               .node_name = spec.node_name,
               .restart_policy = spec.restart_policy,
               .max_restarts = {},
               .grace_seconds = spec.grace_seconds,
               .host_network = spec.host_network,
               .proxy = ProxyOf(meta, labels, annotations, spec),
               .concurrency = mesh_.concurrency,
               .init_containers = {},
               .containers = {}};
    if (set.kind == OwnerKind::kJob) {
      set.pod.labels["job-name"] = set.pod.labels["batch.kubernetes.io/job-name"] = set.name;
      if (spec.restart_policy == "OnFailure") set.pod.max_restarts = set.backoff_limit;
    }
    if (!ResolveAll(meta, annotations, spec.init_containers, set.pod.proxy, set.pod.init_containers) ||
        !ResolveAll(meta, annotations, spec.containers, set.pod.proxy, set.pod.containers))
      return;
    Keep(std::move(set));
  }

  bool ResolveAll(const Meta& meta, const Labels& annotations, const std::vector<Container>& from, ProxyKind proxy,
                  std::vector<ResolvedContainer>& to) {
    for (const Container& container : from) {
      if (proxy != ProxyKind::kNone && IsOfTheMesh(container)) continue;
      if (!Resolve(meta, annotations, container, to.emplace_back())) return false;
    }
    return true;
  }

  // The proxy itself and what prepares a pod for it, as Istio's injection names them: made, not run from an image.
  static bool IsOfTheMesh(const Container& container) {
    return container.name == "istio-proxy" || container.name == "istio-init" || container.name == "istio-validation" ||
           container.image == "auto";
  }

  void Keep(PodSet set) {
    set.hash = HashOf(set.pod);
    out_.sets.push_back(std::move(set));
  }

  ProxyKind ProxyOf(const Meta& meta, const Labels& labels, const Labels& annotations, const PodSpec& spec) const {
    const std::string* templates = FindValue(annotations, "inject.istio.io/templates");
    if (templates && *templates == "gateway") return ProxyKind::kGateway;
    const std::string* inject = FindValue(labels, "sidecar.istio.io/inject");
    if (!inject) inject = FindValue(annotations, "sidecar.istio.io/inject");
    if ((inject && *inject == "false") || spec.host_network) return ProxyKind::kNone;
    if (inject && *inject == "true") return ProxyKind::kSidecar;
    for (const Namespace* space : ObjectsOf<Namespace>(objects_))
      if (space->meta.name() == meta.name_space())
        if (const std::string* injection = FindValue(space->meta.labels, "istio-injection");
            injection && *injection == "disabled")
          return ProxyKind::kNone;
    return ProxyKind::kSidecar;
  }

  bool Resolve(const Meta& meta, const Labels& annotations, const Container& from, ResolvedContainer& to) {
    to = {.name = from.name,
          .sidecar = from.sidecar,
          .argv = {},
          .env = {},
          .ports = from.ports,
          .working_dir = from.working_dir,
          .readiness = from.readiness,
          .liveness = from.liveness,
          .startup = from.startup};
    if (!ResolveArgv(meta, annotations, from, to.argv)) return false;
    for (const EnvVar& variable : from.env) ResolveVariable(meta, variable, to.env);
    return true;
  }

  // The annotation is the whole command. An image of local.yaml is the image's entry point, so args follow it; command
  // replaces it, as on Kubernetes.
  bool ResolveArgv(const Meta& meta, const Labels& annotations, const Container& from, std::vector<std::string>& argv) {
    const std::string key = "plait.dev/exec." + from.name;
    if (const std::string* text = FindValue(annotations, key)) {
      auto list = yaml::ParseOne(*text, meta.at.file);
      bool good = list && list->is_sequence() && !list->items.empty();
      for (const yaml::Node& word : good ? list->items : std::vector<yaml::Node>{}) {
        good &= word.is_scalar();
        argv.push_back(word.text);
      }
      if (!good)
        Fail(meta, "the annotation " + key + " is not a JSON array of words",
             "e.g. '[\"my-server\", \"--port\", \"8080\"]'");
      return good;
    }
    const std::vector<std::string>* image = images_.Find(from.image);
    if (!from.command.empty())
      argv = from.command;
    else if (image)
      argv = *image;
    argv.insert(argv.end(), from.args.begin(), from.args.end());
    if (!argv.empty() && (image || !from.command.empty())) return true;
    Fail(meta, "nothing says which program plays the image " + from.image + " of container " + from.name,
         "add `" + std::string(ImageName(from.image)) +
             ": [program, args...]` to images in local.yaml, or the annotation " + key);
    return false;
  }

  void ResolveVariable(const Meta& meta, const EnvVar& from, std::vector<EnvVar>& to) {
    if (from.config_map.empty() && from.secret.empty()) {
      to.push_back({.name = from.name, .value = from.value, .field = from.field});
      return;
    }
    const std::string source = from.secret.empty() ? "ConfigMap " + from.config_map : "Secret " + from.secret;
    const std::map<std::string, std::string>* data = DataOf(meta.name_space(), from);
    if (from.key.empty()) {  // envFrom
      if (!data && !from.optional)
        Tell(Severity::kWarning, meta, "envFrom: there is no " + source, "its variables are missing");
      for (const auto& [key, value] : data ? *data : std::map<std::string, std::string>{})
        to.push_back({.name = from.name + key, .value = value});
      return;
    }
    const std::string* value = data ? FindValue(*data, from.key) : nullptr;
    if (!value && from.optional) return;
    if (!value)
      Tell(Severity::kWarning, meta, "variable " + from.name + ": there is no key " + from.key + " in " + source,
           "the variable is empty");
    to.push_back({.name = from.name, .value = value ? *value : ""});
  }

  // Null: there is no such ConfigMap or Secret.
  const std::map<std::string, std::string>* DataOf(const std::string& name_space, const EnvVar& from) const {
    for (const ConfigMap* map : ObjectsOf<ConfigMap>(objects_))
      if (map->meta.name() == from.config_map && map->meta.name_space() == name_space) return &map->data;
    for (const Secret* secret : ObjectsOf<Secret>(objects_))
      if (secret->meta.name() == from.secret && secret->meta.name_space() == name_space) return &secret->data;
    return nullptr;
  }

  // contracts: a Gateway that selects the ingress gateway gets one when nobody brings it.
  void AddIngressGateway() {
    const Labels wanted{{"istio", "ingressgateway"}};
    bool selected = false;
    for (const Gateway* gateway : ObjectsOf<Gateway>(objects_))
      selected |= Selects(gateway->selector, {{"istio", "ingressgateway"}, {"app", "istio-ingressgateway"}});
    for (const PodSet& set : out_.sets) selected &= !Selects(wanted, set.pod.labels);
    if (!selected) return;
    PodSet set{.name = "istio-ingressgateway", .pod = {}, .hash = {}};
    set.pod.name_space = mesh_.root_namespace;
    set.pod.service_account = "istio-ingressgateway-service-account";
    set.pod.labels = {{"istio", "ingressgateway"}, {"app", "istio-ingressgateway"}};
    set.pod.proxy = ProxyKind::kGateway;
    set.pod.concurrency = mesh_.concurrency;
    Keep(std::move(set));
  }

  // Pods without a proxy have nobody beside them who knows the names of the mesh.
  void AddDns() {
    if (std::none_of(out_.sets.begin(), out_.sets.end(),
                     [](const PodSet& set) { return set.pod.proxy == ProxyKind::kNone; }))
      return;
    PodSet set{.name = "plait-dns", .pod = {}, .hash = {}};
    set.pod.name_space = "plait-system";
    set.pod.service_account = "plait-dns";
    set.pod.labels = {{"app", "plait-dns"}};
    set.pod.proxy = ProxyKind::kDns;
    set.pod.concurrency = 1;
    Keep(std::move(set));
  }

  void CollectGatewayPorts() {
    std::set<std::uint16_t> ports;
    for (const Gateway* gateway : ObjectsOf<Gateway>(objects_)) {
      const bool runs = std::any_of(out_.sets.begin(), out_.sets.end(), [&](const PodSet& set) {
        return set.pod.proxy == ProxyKind::kGateway && Selects(gateway->selector, set.pod.labels);
      });
      for (const GatewayServer& server : gateway->servers)
        if (runs) ports.insert(server.port);
    }
    out_.gateway_ports.assign(ports.begin(), ports.end());
  }

  void Fail(const Meta& meta, std::string message, std::string hint) {
    Tell(Severity::kError, meta, std::move(message), std::move(hint));
  }
  void Tell(Severity severity, const Meta& meta, std::string message, std::string hint) {
    out_.findings.push_back({severity,
                             {.code = Errc::kNotFound,
                              .message = std::move(message),
                              .object = meta.key.ToString(),
                              .at = meta.at,
                              .hint = std::move(hint)}});
  }

  static std::string HashOf(const PodTemplate& pod);

  const std::vector<ObjectRef>& objects_;
  const LocalImages& images_;
  const MeshConfig& mesh_;
  std::map<std::string, const Meta*> owners_;  // by namespace/name
  PodSets out_;
};

// FNV-1a over a text in which every part is quoted, so that no two templates run together.
class Hasher {
 public:
  void Text(std::string_view text) {
    for (char c : yaml::JsonQuote(text)) hash_ = (hash_ ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
  }
  void Number(std::int64_t number) { Text(std::to_string(number)); }
  void Map(const Labels& map) {
    Number(static_cast<std::int64_t>(map.size()));
    for (const auto& [key, value] : map) Text(key), Text(value);
  }
  void List(const std::vector<std::string>& list) {
    Number(static_cast<std::int64_t>(list.size()));
    for (const std::string& item : list) Text(item);
  }
  void Probe(const std::optional<model::Probe>& probe) {
    Number(probe.has_value());
    if (!probe) return;
    Number(static_cast<int>(probe->kind));
    Number(probe->port);
    Text(probe->path);
    Text(probe->scheme);
    List(probe->argv);
    for (const auto& [name, value] : probe->headers) Text(name), Text(value);
    for (const Duration duration : {probe->initial_delay, probe->period, probe->timeout}) Number(duration.count());
    Number(probe->success_threshold);
    Number(probe->failure_threshold);
  }
  void Container(const ResolvedContainer& container) {
    Text(container.name);
    Number(container.sidecar);
    Text(container.working_dir);
    List(container.argv);
    for (const EnvVar& variable : container.env) Text(variable.name), Text(variable.value), Text(variable.field);
    for (const ContainerPort& port : container.ports) Text(port.name), Number(port.port);
    Probe(container.readiness);
    Probe(container.liveness);
    Probe(container.startup);
  }
  std::string Take() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(hash_ >> shift) & 15];
    return out;
  }

 private:
  std::uint64_t hash_ = 14695981039346656037ULL;
};

std::string Renderer::HashOf(const PodTemplate& pod) {
  Hasher hash;
  for (const std::string* text :
       {&pod.name_space, &pod.service_account, &pod.hostname, &pod.subdomain, &pod.node_name, &pod.restart_policy})
    hash.Text(*text);
  hash.Map(pod.labels);
  hash.Map(pod.annotations);
  hash.Number(pod.grace_seconds);
  hash.Number(static_cast<int>(pod.proxy));
  hash.Number(pod.max_restarts ? static_cast<std::int64_t>(*pod.max_restarts) : -1);
  hash.Number(pod.concurrency ? static_cast<std::int64_t>(*pod.concurrency) : -1);
  hash.Number(static_cast<std::int64_t>(pod.init_containers.size()));
  for (const ResolvedContainer& container : pod.init_containers) hash.Container(container);
  for (const ResolvedContainer& container : pod.containers) hash.Container(container);
  return hash.Take();
}
}  // namespace

PodSets RenderPodSets(const std::vector<ObjectRef>& objects, const LocalImages& images, const MeshConfig& mesh) {
  return Renderer(objects, images, mesh).Render();
}

}  // namespace plait::control::source
