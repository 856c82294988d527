#include "core/base/which_pod.h"

#include <set>

#include "core/base/strings.h"

namespace plait {
namespace {

bool IsCalled(const PodName& pod, std::string_view workload) {
  return workload == pod.name || (!pod.owner.empty() && workload == pod.owner);
}

bool IsCalledInFull(const PodName& pod, std::string_view workload) {
  return workload.size() > pod.ns.size() && workload.ends_with(pod.ns) &&
         workload[workload.size() - pod.ns.size() - 1] == '.' &&
         IsCalled(pod, workload.substr(0, workload.size() - pod.ns.size() - 1));
}

std::unexpected<Diagnostic> None(const std::vector<PodName>& pods, const std::string& workload) {
  std::string names;
  for (const PodName& pod : pods)
    names.append(" ").append(pod.name).append(pod.ns == "default" ? "" : "." + std::string(pod.ns));
  return Explain(Errc::kNotFound, "there is no workload \"" + workload + "\"",
                 names.empty() ? "start one: there is none" : "one of:" + names);
}

std::unexpected<Diagnostic> Several(const std::set<std::string_view>& spaces, const std::string& workload) {
  std::vector<std::string> names;
  for (const std::string_view space : spaces) names.push_back(workload + "." + std::string(space));
  return Explain(Errc::kNotFound, "there is a \"" + workload + "\" in several namespaces", Join(names, " or "));
}

}  // namespace

Outcome<std::size_t> WhichPod(const std::vector<PodName>& pods, const std::string& workload) {
  std::set<std::string_view> spaces;
  for (const PodName& pod : pods)
    if (IsCalled(pod, workload)) spaces.insert(pod.ns);
  if (spaces.contains("default")) spaces = {"default"};
  if (spaces.size() > 1) return Several(spaces, workload);
  const PodName* best = nullptr;
  for (const PodName& pod : pods) {
    if (!IsCalledInFull(pod, workload) && !(IsCalled(pod, workload) && spaces.contains(pod.ns))) continue;
    if (!best || pod.rank > best->rank || (pod.rank == best->rank && pod.name < best->name)) best = &pod;
  }
  if (!best) return None(pods, workload);
  return static_cast<std::size_t>(best - pods.data());
}

}  // namespace plait
