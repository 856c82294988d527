// How the pods of one owner come and go: Deployments (and single Pods), StatefulSets and Jobs.
#include <algorithm>
#include <set>

#include "control/source/pods.h"

namespace plait::control::source {
namespace {
// What is one pod's own in the template of its set.
PodTemplate SpecOf(const PodSet& set, const std::string& name, std::uint32_t index) {
  PodTemplate spec = set.pod;
  if (set.kind == model::OwnerKind::kStatefulSet) {
    spec.labels["statefulset.kubernetes.io/pod-name"] = name;
    spec.labels["apps.kubernetes.io/pod-index"] = std::to_string(index);
  }
  return spec;
}
}  // namespace

bool PodStatus::HasEnded() const noexcept { return phase == "Succeeded" || phase == "Failed"; }

// What is not of the template's hash (a new one is a new pod) follows the objects.
void PodsController::Refresh(const PodSet& set, Tracked& tracked) {
  PodTemplate spec = SpecOf(set, tracked.pod.name, tracked.pod.index);
  if (spec == tracked.pod.spec && tracked.pod.owner_kind == set.kind && tracked.pod.completions == set.completions)
    return;
  tracked.pod.spec = std::move(spec);
  tracked.pod.owner_kind = set.kind;
  tracked.pod.completions = set.completions;
  ++revision_;
}

bool PodsController::IsNameUsed(const Group& group, std::uint32_t index) const {
  return std::any_of(group.pods.begin(), group.pods.end(),
                     [&](std::size_t at) { return pods_[at].pod.index == index; }) ||
         std::any_of(stopping_.begin(), stopping_.end(),
                     [&](const DesiredPod& pod) { return pod.set == group.key && pod.index == index; });
}

// Make missing pods (at most a quarter more than wanted at once), end old ones as new ones get ready.
void PodsController::Roll(Group& group) {
  const PodSet& set = group.set;
  std::vector<Tracked*> current;
  std::vector<Tracked*> old;
  for (const std::size_t at : group.pods)
    if (!pods_[at].pod.ending) (pods_[at].pod.hash == set.hash ? current : old).push_back(&pods_[at]);
  for (Tracked* tracked : current) Refresh(set, *tracked);
  const auto by_index = [](const Tracked* a, const Tracked* b) { return a->pod.index < b->pod.index; };
  std::sort(current.begin(), current.end(), by_index);
  std::sort(old.begin(), old.end(), by_index);
  // A bare Pod keeps its name, so the old one must be gone before there is a new one.
  if (set.kind == model::OwnerKind::kNone) {
    if (!old.empty()) return End(*old.front());
    if (!IsNameUsed(group, 0)) Create(group, 0);
    return;
  }
  for (; current.size() > set.replicas; current.pop_back()) End(*current.back());
  const std::size_t ready = static_cast<std::size_t>(
      std::count_if(current.begin(), current.end(), [this](const Tracked* t) { return IsReady(*t); }));
  const std::size_t keep_old = set.replicas > ready ? set.replicas - ready : 0;
  for (; old.size() > keep_old; old.pop_back()) End(*old.back());
  const std::size_t most = set.replicas + std::max<std::size_t>(1, set.replicas / 4);
  std::size_t missing = set.replicas > current.size() ? set.replicas - current.size() : 0;
  missing = std::min(missing, most - std::min(most, current.size() + old.size()));
  for (std::size_t i = 0; i < missing; ++i)
    CreateNext(group);  // may move pods_: the pointers above are not used any more
}

// A pod of an older template that is not ready may never be, and all others would wait for it: the change is meant to
// mend it. Not while a pod of the new template gets ready: what it replaces one by one is to go on. `pods`: the last
// one first.
bool PodsController::EndStuck(const PodSet& set, const std::vector<Tracked*>& pods) {
  Tracked* stuck = nullptr;
  for (Tracked* tracked : pods) {
    if (IsReady(*tracked)) continue;
    if (tracked->pod.hash == set.hash) return false;
    if (!stuck && FindStatus(tracked->pod.uid)) stuck = tracked;
  }
  if (stuck) End(*stuck);
  return stuck != nullptr;
}

// As Kubernetes: pods are made from the first ordinal on and end from the last, each after the one before it is ready
// (gone); a changed template replaces one pod at a time, those that are not ready first, then the last one first. A pod
// is made only when the one that had its name is gone.
void PodsController::RollStatefulSet(Group& group) {
  const PodSet& set = group.set;
  const std::uint32_t end = set.first_ordinal + set.replicas;
  std::vector<Tracked*> pods;
  bool ending = std::any_of(stopping_.begin(), stopping_.end(), [&](const auto& pod) { return pod.set == group.key; });
  for (const std::size_t at : group.pods) {
    Tracked& tracked = pods_[at];
    ending |= tracked.pod.ending;
    if (!tracked.pod.ending) pods.push_back(&tracked);
    if (tracked.pod.hash == set.hash) Refresh(set, tracked);
  }
  std::sort(pods.begin(), pods.end(), [](const Tracked* a, const Tracked* b) { return a->pod.index > b->pod.index; });
  for (Tracked* tracked : pods) {
    if (ending && !set.parallel) break;
    if (tracked->pod.index >= set.first_ordinal && tracked->pod.index < end) continue;
    End(*tracked);
    ending = true;
  }
  if (!ending) ending = EndStuck(set, pods);
  std::uint32_t above = end;
  for (Tracked* tracked : pods) {
    // One that is missing is made first, and must be ready, before the next one is replaced.
    if (ending || tracked->pod.index + 1 != above) break;
    above = tracked->pod.index;
    if (tracked->pod.hash != set.hash) {
      End(*tracked);
      ending = true;
    } else if (!IsReady(*tracked)) {
      break;  // the one that was replaced last
    }
  }
  for (std::uint32_t ordinal = set.first_ordinal; ordinal < end; ++ordinal) {
    if (!IsNameUsed(group, ordinal)) Create(group, ordinal);
    if (!set.parallel && !IsReady(group, ordinal)) return;
  }
}

// A pod that ended stays, so that its state and log can be seen. A changed template is a new Job.
void PodsController::RollJob(Group& group) {
  const PodSet& set = group.set;
  std::vector<Tracked*> active;
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  for (const std::size_t at : group.pods) {
    Tracked& tracked = pods_[at];
    if (tracked.pod.ending) continue;
    if (tracked.pod.hash != set.hash) {
      End(tracked);
      continue;
    }
    Refresh(set, tracked);
    const PodStatus* status = FindStatus(tracked.pod.uid);
    if (!status || !status->HasEnded())
      active.push_back(&tracked);
    else
      ++(status->phase == "Succeeded" ? succeeded : failed);
  }
  // Where the containers are restarted, a pod that failed has used up all attempts.
  const std::size_t may_fail = set.pod.max_restarts ? 0 : set.backoff_limit;
  const std::size_t missing = set.completions - std::min<std::size_t>(set.completions, succeeded);
  const std::size_t wanted = failed > may_fail ? 0 : std::min<std::size_t>(set.replicas, missing);
  for (; active.size() > wanted; active.pop_back()) End(*active.back());
  for (std::size_t i = active.size(); i < wanted; ++i) CreateNext(group);
}

// The lowest number that no pod of the set has, also none that is ending: names are unique at every moment.
void PodsController::CreateNext(Group& group) {
  std::uint32_t index = 0;
  while (IsNameUsed(group, index)) ++index;
  Create(group, index);
}

void PodsController::Create(Group& group, std::uint32_t index) {
  const PodSet& set = group.set;
  const bool bare = set.kind == model::OwnerKind::kNone;
  Tracked tracked{.pod = {.uid = options_.new_uid(),
                          .name = bare ? set.name : set.name + "-" + std::to_string(index),
                          .owner = bare ? "" : set.name,
                          .owner_kind = set.kind,
                          .completions = set.completions,
                          .spec = {},
                          .hash = set.hash,
                          .set = group.key,
                          .index = index}};
  Refresh(set, tracked);
  ++revision_;
  group.pods.push_back(pods_.size());
  pods_.push_back(std::move(tracked));
}

bool PodsController::IsReady(const Group& group, std::uint32_t index) const {
  return std::any_of(group.pods.begin(), group.pods.end(),
                     [&](std::size_t at) { return pods_[at].pod.index == index && IsReady(pods_[at]); });
}

}  // namespace plait::control::source
