#include "control/source/pods.h"

#include <algorithm>
#include <unordered_map>

#include "core/base/random.h"

namespace plait::control::source {
namespace {
void AddPortsAndProbes(const ResolvedContainer& container, model::Workload& workload) {
  workload.ports.insert(workload.ports.end(), container.ports.begin(), container.ports.end());
  for (const auto* probe : {&container.readiness, &container.liveness, &container.startup})
    if (*probe) workload.probes.push_back(**probe);
}
}  // namespace

PodsController::PodsController(io::Loop& loop, PodsOptions options, std::function<void()> on_change)
    : loop_(loop),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      stop_timer_([this] { Reconcile(); }) {
  if (!options_.new_uid) options_.new_uid = NewUuid;
}

void PodsController::Adopt(std::vector<DesiredPod> running) {
  for (DesiredPod& pod : running) {
    if (pod.ending)
      stopping_.push_back(std::move(pod));
    else
      pods_.push_back({.pod = std::move(pod)});
  }
  ++revision_;
}

void PodsController::SetTemplates(std::vector<PodSet> sets, const std::vector<PodSet>& unrendered) {
  std::set<std::string> held;
  for (const PodSet& set : unrendered) held.insert(set.Key());
  if (!held.empty()) {
    for (const PodSet& set : sets) held.erase(set.Key());
    for (const PodSet& last : sets_)
      if (held.erase(last.Key()) > 0) sets.push_back(last);
    std::sort(sets.begin(), sets.end(), [](const PodSet& a, const PodSet& b) { return a.Key() < b.Key(); });
  }
  if (templates_known_ && sets == sets_ && held == held_) return;
  templates_known_ = true;
  sets_ = std::move(sets);
  held_ = std::move(held);
  Reconcile();
}

void PodsController::SetStatuses(std::vector<PodStatus> statuses) {
  statuses_.clear();
  for (PodStatus& status : statuses) {
    std::string uid = status.uid;
    statuses_[std::move(uid)] = std::move(status);
  }
  std::erase_if(stopping_, [this](const DesiredPod& pod) { return !statuses_.contains(pod.uid); });
  Reconcile();
}

const PodStatus* PodsController::FindStatus(const std::string& uid) const noexcept {
  const auto found = statuses_.find(uid);
  return found == statuses_.end() ? nullptr : &found->second;
}

bool PodsController::IsReady(const Tracked& tracked) const {
  const PodStatus* status = FindStatus(tracked.pod.uid);
  return status && status->ready && !tracked.pod.ending;
}

const std::vector<DesiredPod>& PodsController::desired() const {
  if (desired_revision_ == revision_) return desired_;
  desired_.clear();
  for (const Tracked& tracked : pods_) desired_.push_back(tracked.pod);
  std::sort(desired_.begin(), desired_.end(), [](const DesiredPod& a, const DesiredPod& b) {
    return std::tie(a.spec.name_space, a.name, a.uid) < std::tie(b.spec.name_space, b.name, b.uid);
  });
  desired_revision_ = revision_;
  return desired_;
}

std::vector<PodsController::Group> PodsController::GroupPods() {
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> by_key;
  for (const PodSet& set : sets_) {
    groups.push_back({.set = set, .key = set.Key(), .pods = {}});
    by_key.emplace(groups.back().key, groups.size() - 1);
  }
  for (std::size_t i = 0; i < pods_.size(); ++i) {
    const auto found = by_key.find(pods_[i].pod.set);
    if (found != by_key.end())
      groups[found->second].pods.push_back(i);
    else if (!held_.contains(pods_[i].pod.set))
      End(pods_[i]);
  }
  return groups;
}

void PodsController::Reconcile() {
  if (!templates_known_) return;
  StopEnded();
  std::vector<Group> groups = GroupPods();
  for (Group& group : groups) {
    switch (group.set.kind) {
      case model::OwnerKind::kStatefulSet: RollStatefulSet(group); break;
      case model::OwnerKind::kJob: RollJob(group); break;
      default: Roll(group); break;
    }
  }
  Publish();
}

void PodsController::End(Tracked& tracked) {
  if (tracked.pod.ending) return;
  tracked.pod.ending = true;
  ++revision_;
  // A pod that never served needs no delay.
  const PodStatus* status = FindStatus(tracked.pod.uid);
  const bool served = status && status->ready;
  tracked.stop_at = loop_.Now() + (served ? options_.end_delay : Duration::zero());
  tracked.stop_by = served ? std::max(tracked.stop_at, loop_.Now() + options_.end_limit) : tracked.stop_at;
  stop_timer_.Start(loop_.timers(), Duration::zero());
}

void PodsController::AllKnow(const std::vector<model::Workload>& workloads) {
  for (Tracked& tracked : pods_) {
    if (!tracked.pod.ending || tracked.known) continue;
    tracked.known = std::none_of(workloads.begin(), workloads.end(), [&](const model::Workload& workload) {
      return !workload.ending && workload.uid == tracked.pod.uid;
    });
    if (tracked.known) stop_timer_.Start(loop_.timers(), Duration::zero());
  }
}

bool PodsController::awaits_knowledge() const {
  return std::any_of(pods_.begin(), pods_.end(), [](const Tracked& tracked) {
    return tracked.pod.ending && !tracked.known && tracked.stop_by > tracked.stop_at;
  });
}

void PodsController::StopEnded() {
  const MonotonicTime now = loop_.Now();
  const std::size_t ended = std::erase_if(pods_, [&](const Tracked& tracked) {
    if (!tracked.pod.ending || tracked.due() > now) return false;
    if (FindStatus(tracked.pod.uid)) stopping_.push_back(tracked.pod);
    return true;
  });
  if (ended > 0) ++revision_;
  Duration next = Duration::max();
  for (const Tracked& tracked : pods_)
    if (tracked.pod.ending) next = std::min(next, tracked.due() - now);
  if (next != Duration::max()) stop_timer_.Start(loop_.timers(), next);
}

void PodsController::AddWorkload(const DesiredPod& pod, std::vector<model::Workload>& to) const {
  const PodStatus* status = FindStatus(pod.uid);
  if (!status || status->ips.empty()) return;
  const PodTemplate& spec = pod.spec;
  model::Workload workload{.uid = pod.uid,
                           .name = pod.name,
                           .name_space = spec.name_space,
                           .labels = spec.labels,
                           .annotations = spec.annotations,
                           .service_account = spec.service_account,
                           .ips = status->ips,
                           .ready = status->ready && !pod.ending,
                           .meshed = spec.proxy != ProxyKind::kNone,
                           .gateway = spec.proxy == ProxyKind::kGateway,
                           .ending = pod.ending || status->HasEnded(),
                           .host_network = spec.host_network,
                           .owner = pod.owner,
                           .owner_kind = pod.owner_kind,
                           .node = spec.node_name,
                           .hostname = spec.hostname.empty() ? pod.name : spec.hostname,
                           .subdomain = spec.subdomain};
  for (const ResolvedContainer& container : spec.init_containers)
    if (container.sidecar) AddPortsAndProbes(container, workload);
  for (const ResolvedContainer& container : spec.containers) AddPortsAndProbes(container, workload);
  to.push_back(std::move(workload));
}

void PodsController::Publish() {
  std::vector<model::Workload> now;
  for (const Tracked& tracked : pods_) AddWorkload(tracked.pod, now);
  for (const DesiredPod& pod : stopping_) AddWorkload(pod, now);
  std::sort(now.begin(), now.end(), [](const model::Workload& a, const model::Workload& b) {
    return std::tie(a.name_space, a.name, a.uid) < std::tie(b.name_space, b.name, b.uid);
  });
  std::vector<std::pair<std::string, bool>> wanted;
  for (const Tracked& tracked : pods_) wanted.emplace_back(tracked.pod.uid, tracked.pod.ending);
  // Who hears of a change makes templates anew, which comes back here: no change must end that circle.
  if (now == *workloads_ && wanted == told_) return;
  told_ = std::move(wanted);
  if (now != *workloads_) workloads_ = std::make_shared<const std::vector<model::Workload>>(std::move(now));
  if (!change_told_)
    change_told_ = loop_.After(Duration::zero(), [this] {
      change_told_.Cancel();
      on_change_();
    });
}

}  // namespace plait::control::source
