#include "control/source/pod_template.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "control/source/pod_hash.h"
#include "core/yaml/parse.h"

namespace plait::control::source {
namespace {
using namespace model;

const std::string* FindValue(const Labels& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

class Renderer {
 public:
  Renderer(const std::vector<ObjectRef>& objects, const LocalImages& images, const MeshConfig& mesh, Programs programs)
      : objects_(objects), images_(images), mesh_(mesh), programs_(programs) {}

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
               .service_links = spec.service_links,
               .proxy = ProxyOf(meta, labels, annotations, spec),
               .concurrency = mesh_.concurrency,
               .host_aliases = spec.host_aliases,
               .dns = spec.dns,
               .volumes = {},
               .init_containers = {},
               .containers = {}};
    if (set.kind == OwnerKind::kJob) {
      set.pod.labels["job-name"] = set.pod.labels["batch.kubernetes.io/job-name"] = set.name;
      if (spec.restart_policy == "OnFailure") set.pod.max_restarts = set.backoff_limit;
    }
    if (!ResolveAll(meta, annotations, spec.init_containers, set.pod.proxy, set.pod.init_containers) ||
        !ResolveAll(meta, annotations, spec.containers, set.pod.proxy, set.pod.containers))
      return KeepUnrendered(std::move(set));
    ResolveVolumes(meta, spec.volumes, set.pod);
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

  // The last finding says why.
  void KeepUnrendered(PodSet set) {
    out_.findings.back().diagnostic.hint += "; what runs of it goes on as it is";
    out_.unrendered.push_back(std::move(set));
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
          .mounts = from.mounts,
          .working_dir = from.working_dir,
          .readiness = from.readiness,
          .liveness = from.liveness,
          .startup = from.startup,
          .post_start = from.post_start,
          .pre_stop = from.pre_stop};
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
    if (programs_ == Programs::kOptional || (!argv.empty() && (image || !from.command.empty()))) return true;
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
    if (const ConfigMap* map = FindNamed<ConfigMap>(name_space, from.config_map)) return &map->data;
    if (const Secret* secret = FindNamed<Secret>(name_space, from.secret)) return &secret->data;
    return nullptr;
  }

  template <class T>
  const T* FindNamed(const std::string& name_space, const std::string& name) const {
    for (const T* object : ObjectsOf<T>(objects_))
      if (object->meta.name() == name && object->meta.name_space() == name_space) return object;
    return nullptr;
  }

  // Those that containers mount; the rest (of Istio's injection, say) is nobody's.
  void ResolveVolumes(const Meta& meta, const std::vector<Volume>& from, PodTemplate& pod) {
    std::set<std::string> known;
    std::set<std::string> mounted;
    for (const Volume& volume : from) known.insert(volume.name);
    for (auto* containers : {&pod.init_containers, &pod.containers})
      for (ResolvedContainer& container : *containers) {
        std::erase_if(container.mounts, [&](const VolumeMount& mount) { return !known.contains(mount.volume); });
        for (const VolumeMount& mount : container.mounts) mounted.insert(mount.volume);
      }
    for (const Volume& volume : from) {
      if (!mounted.contains(volume.name)) continue;
      ResolvedVolume& to =
          pod.volumes.emplace_back(ResolvedVolume{.name = volume.name, .empty_dir = volume.empty_dir, .files = {}});
      for (const VolumeSource& source : volume.sources) AddFiles(meta, volume, source, to);
    }
  }

  void AddFiles(const Meta& meta, const Volume& volume, const VolumeSource& source, ResolvedVolume& to) {
    if (source.config_map.empty() && source.secret.empty()) {
      for (const KeyToPath& item : source.items)
        to.files.push_back({item.path, "", item.key, item.mode.value_or(volume.default_mode)});
      return;
    }
    const std::string what = source.secret.empty() ? "ConfigMap " + source.config_map : "Secret " + source.secret;
    const auto data = FilesOf(meta.name_space(), source);
    if (!data) {
      if (!source.optional)
        Tell(Severity::kWarning, meta, "volume " + volume.name + ": there is no " + what, "its files are missing");
      return;
    }
    std::vector<KeyToPath> items = source.items;
    if (items.empty())
      for (const auto& [key, text] : *data) items.push_back({.key = key, .path = key});
    for (const KeyToPath& item : items) {
      const auto text = data->find(item.key);
      if (text != data->end())
        to.files.push_back({item.path, text->second, "", item.mode.value_or(volume.default_mode)});
      else if (!source.optional)
        Tell(Severity::kWarning, meta, "volume " + volume.name + ": there is no key " + item.key + " in " + what,
             "the file " + item.path + " is missing");
    }
  }

  // By key; none: there is no such ConfigMap or Secret. What is no name of a file is no key on Kubernetes either.
  std::optional<std::map<std::string, std::string>> FilesOf(const std::string& name_space,
                                                            const VolumeSource& from) const {
    std::map<std::string, std::string> out;
    if (const ConfigMap* map = FindNamed<ConfigMap>(name_space, from.config_map)) {
      out = map->data;
      out.insert(map->binary_data.begin(), map->binary_data.end());
    } else if (const Secret* secret = FindNamed<Secret>(name_space, from.secret)) {
      out = secret->data;
    } else {
      return std::nullopt;
    }
    std::erase_if(out, [](const auto& entry) {
      const std::string& key = entry.first;
      return key.empty() || key == "." || key == ".." || key.find('/') != std::string::npos;
    });
    return out;
  }

  // contracts: a Gateway that selects the ingress gateway gets one when nobody brings it.
  void AddIngressGateway() {
    const Labels wanted{{"istio", "ingressgateway"}};
    bool selected = false;
    for (const Gateway* gateway : ObjectsOf<Gateway>(objects_))
      selected |= Selects(gateway->selector, {{"istio", "ingressgateway"}, {"app", "istio-ingressgateway"}});
    if (!selected || out_.AnyOf([&](const PodSet& set) { return Selects(wanted, set.pod.labels); })) return;
    PodSet set{.name = "istio-ingressgateway", .pod = {}, .hash = {}};
    set.pod.name_space = mesh_.root_namespace;
    set.pod.service_account = kIngressGatewayAccount;
    set.pod.labels = {{"istio", "ingressgateway"}, {"app", "istio-ingressgateway"}};
    set.pod.proxy = ProxyKind::kGateway;
    set.pod.concurrency = mesh_.concurrency;
    Keep(std::move(set));
  }

  // Pods without a proxy have nobody beside them who knows the names of the mesh.
  void AddDns() {
    if (!out_.AnyOf([](const PodSet& set) { return set.pod.proxy == ProxyKind::kNone; })) return;
    PodSet set{.name = "plait-dns", .pod = {}, .hash = {}};
    set.pod.name_space = "plait-system";
    set.pod.service_account = "plait-dns";
    set.pod.labels = {{"app", "plait-dns"}};
    set.pod.proxy = ProxyKind::kDns;
    set.pod.concurrency = 1;
    Keep(std::move(set));
  }

  // To whom the host's ports go, the best first.
  enum class Reach : std::uint8_t { kIngress, kOutside, kInside };
  struct Player {
    Reach reach;
    const PodSet* set;
    const Gateway* gateway;
    const GatewayServer* server;
    bool operator<(const Player& other) const {
      return reach != other.reach ? reach < other.reach : set->Key() < other.set->Key();
    }
  };

  // As on Kubernetes: behind a Service of type ClusterIP a gateway, as that for egress is, is for workloads alone.
  Reach ReachOf(const PodSet& set) const {
    if (Selects({{"istio", "ingressgateway"}}, set.pod.labels)) return Reach::kIngress;
    bool inside = false;
    for (const Service* service : ObjectsOf<Service>(objects_)) {
      if (service->meta.name_space() != set.pod.name_space || service->selector.empty() ||
          !Selects(service->selector, set.pod.labels))
        continue;
      if (service->outside) return Reach::kOutside;
      inside = true;
    }
    return inside ? Reach::kInside : Reach::kOutside;
  }

  void CollectGatewayPorts() {
    std::map<std::uint16_t, std::vector<Player>> ports;
    for (const auto* sets : {&out_.sets, &out_.unrendered})
      for (const PodSet& set : *sets) {
        if (set.pod.proxy != ProxyKind::kGateway) continue;
        const Reach reach = ReachOf(set);
        const Gateway* any = nullptr;
        for (const Gateway* gateway : ObjectsOf<Gateway>(objects_)) {
          if (!Selects(gateway->selector, set.pod.labels)) continue;
          any = gateway;
          for (const GatewayServer& server : gateway->servers)
            ports[server.port].push_back({reach, &set, gateway, &server});
        }
        if (any && reach == Reach::kInside)
          Tell(
              Severity::kInfo, any->meta,
              set.Key() + " is behind a Service of type ClusterIP, so its ports are for workloads and not on this host",
              "type: LoadBalancer in that Service opens them here");
      }
    for (auto& [number, players] : ports) AddGatewayPort(number, std::move(players));
  }

  void AddGatewayPort(std::uint16_t number, std::vector<Player> players) {
    std::stable_sort(players.begin(), players.end());
    const Player& first = players.front();
    GatewayPort& port = out_.gateway_ports.emplace_back();
    port.port = number;
    port.on_host = first.reach != Reach::kInside;
    for (const Player& player : players) {
      if (player.set == first.set && port.scheme.empty())
        port.scheme = player.server->protocol == GatewayServer::Protocol::kHttp    ? "http"
                      : player.server->protocol == GatewayServer::Protocol::kHttps ? "https"
                                                                                   : "";
      if (!port.gateways.empty() && port.gateways.back() == player.set->Key()) continue;
      port.gateways.push_back(player.set->Key());
      if (player.set == first.set || player.reach == Reach::kInside) continue;
      Tell(Severity::kWarning, player.gateway->meta,
           "port " + std::to_string(number) + " of this host leads to " + first.set->Key() + ", not to " +
               player.set->Key() + ", which serves it to workloads alone",
           "give the server a port that no other gateway has");
    }
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

  const std::vector<ObjectRef>& objects_;
  const LocalImages& images_;
  const MeshConfig& mesh_;
  const Programs programs_;
  std::map<std::string, const Meta*> owners_;  // by namespace/name
  PodSets out_;
};

}  // namespace

bool PodSets::AnyOf(const std::function<bool(const PodSet&)>& is) const {
  return std::any_of(sets.begin(), sets.end(), is) || std::any_of(unrendered.begin(), unrendered.end(), is);
}

PodSets RenderPodSets(const std::vector<ObjectRef>& objects, const LocalImages& images, const MeshConfig& mesh,
                      Programs programs) {
  return Renderer(objects, images, mesh, programs).Render();
}

}  // namespace plait::control::source
