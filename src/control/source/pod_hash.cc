#include "control/source/pod_hash.h"

#include "core/yaml/print.h"

namespace plait::control::source {
namespace {
using namespace model;

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
  void Hook(std::string_view name, const std::optional<model::Hook>& hook) {
    if (!hook) return;
    Text(name);
    Number(static_cast<int>(hook->kind));
    List(hook->argv);
    Number(hook->port);
    Text(hook->path);
    Text(hook->scheme);
    Pairs(hook->headers);
    Number(hook->sleep.count());
  }
  void Pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
    Number(static_cast<std::int64_t>(pairs.size()));
    for (const auto& [name, value] : pairs) Text(name), Text(value);
  }
  void Dns(const PodDns& dns) {
    if (dns == PodDns{}) return;
    Text(dns.policy);
    List(dns.searches);
    Pairs(dns.options);
  }
  void Container(const ResolvedContainer& container) {
    Text(container.name);
    Number(container.sidecar);
    Text(container.working_dir);
    List(container.argv);
    for (const EnvVar& variable : container.env) Text(variable.name), Text(variable.value), Text(variable.field);
    for (const ContainerPort& port : container.ports) Text(port.name), Number(port.port);
    Number(static_cast<std::int64_t>(container.mounts.size()));
    for (const VolumeMount& mount : container.mounts)
      Text(mount.volume), Text(mount.path), Text(mount.sub_path), Number(mount.read_only);
    Probe(container.readiness);
    Probe(container.liveness);
    Probe(container.startup);
    Hook("postStart", container.post_start);
    Hook("preStop", container.pre_stop);
  }
  void Volume(const ResolvedVolume& volume) {
    Text(volume.name);
    Number(volume.empty_dir);
    Number(static_cast<std::int64_t>(volume.files.size()));
    for (const VolumeFile& file : volume.files) Text(file.path), Text(file.text), Text(file.field), Number(file.mode);
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

}  // namespace

std::string HashOf(const PodTemplate& pod) {
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
  if (!pod.service_links) hash.Text("no service links");
  for (const HostAlias& alias : pod.host_aliases) hash.Text("hosts"), hash.Text(alias.ip), hash.List(alias.names);
  hash.Dns(pod.dns);
  for (const ResolvedVolume& volume : pod.volumes) hash.Volume(volume);
  hash.Number(static_cast<std::int64_t>(pod.init_containers.size()));
  for (const ResolvedContainer& container : pod.init_containers) hash.Container(container);
  for (const ResolvedContainer& container : pod.containers) hash.Container(container);
  return hash.Take();
}

}  // namespace plait::control::source
