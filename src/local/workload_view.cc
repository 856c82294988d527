#include "local/workload_view.h"

#include <algorithm>

#include "local/mounts.h"
#include "local/nameservers.h"
#include "local/places.h"
#include "local/resolv_conf.h"

namespace plait::local {

LaunchPlan ContainerOf(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network,
                       const std::string& working_dir) {
  LaunchPlan plan;
  plan.root.mount_point = mesh.options.paths.mount_point();
  plan.root.hostname = pod.hostname;
  if (!pod.subdomain.empty()) plan.root.fqdn = pod.hostname + "." + pod.subdomain + "." + pod.ns + ".svc.cluster.local";
  plan.root.ips = network.IpTexts();
  const bool of_host = pod.dns.policy == DnsSpec::Policy::kDefault;
  plan.root.resolv_conf = ResolvConf(pod, of_host ? ReadWholeFile(ResolvConfPath()) : "");
  plan.root.host_aliases = HostAliasLines(pod.host_aliases);
  plan.root.hidden = mesh.options.paths.Hidden();
  plan.root.shown = {BinaryFolder(), mesh.options.directory};
  if (!working_dir.empty()) plan.root.shown.push_back(working_dir);
  plan.working_dir = working_dir.empty() ? "/" : working_dir;
  plan.netns = network.netns.get();
  plan.init = mesh.init;
  plan.ids = mesh.ids;
  plan.filter = &mesh.filter;
  return plan;
}

std::vector<EnvVar> VariablesOf(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network) {
  std::vector<EnvVar> out = {{"PATH", BinaryFolder() + ":" + mesh.options.search_path, ""},
                             {"HOSTNAME", pod.hostname, ""},
                             {"HOME", "/tmp", ""},
                             {"LANG", "C.UTF-8", ""}};
  if (!pod.service_links) return out;
  for (EnvVar& variable : ServiceVariables(network, mesh.hosts, pod.ns)) out.push_back(std::move(variable));
  return out;
}

std::vector<std::string> WithDefaults(std::vector<std::string> given, const std::vector<EnvVar>& more) {
  const auto end = static_cast<std::ptrdiff_t>(given.size());
  for (const EnvVar& variable : more) {
    const std::string begin = variable.name + "=";
    if (std::none_of(given.begin(), given.begin() + end, [&](const auto& text) { return text.starts_with(begin); }))
      given.push_back(begin + variable.value);
  }
  return given;
}

}  // namespace plait::local
