#pragma once
// The pods controller of local mode: which pods should run now, each with a name and a uid, and what is known of those
// that do. A Deployment's changed template is rolled out one surge pod at a time: a new pod is ready before an old one
// ends. A StatefulSet keeps its names and replaces one pod after the other; a Job makes pods until enough have
// succeeded. A pod that shall end first leaves the endpoints and is stopped a moment later, when all know that, so that
// nobody still calls it. Lives on one loop; `on_change` runs from a later round.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/model/workload.h"
#include "control/source/pod_template.h"
#include "core/io/loop.h"

namespace plait::control::source {

struct PodStatus {
  std::string uid;
  std::vector<io::IpAddress> ips = {};
  bool ready = false;
  std::string phase = "Pending";
  std::string token_sha256 = {};  // of the token that only this pod's proxy has
  std::uint32_t restarts = 0;
  std::string reason = {};
  bool HasEnded() const noexcept;  // all its containers, for good
  friend bool operator==(const PodStatus&, const PodStatus&) = default;
};

struct DesiredPod {
  std::string uid;
  std::string name;
  std::string owner;  // of the Deployment, StatefulSet or Job; empty for a bare Pod
  model::OwnerKind owner_kind = model::OwnerKind::kNone;
  std::uint32_t completions = 1;  // of a Job
  PodTemplate spec;
  std::string hash;
  std::string set;          // PodSet::Key
  std::uint32_t index = 0;  // of its name
  bool ending = false;      // out of the endpoints, about to be stopped
  friend bool operator==(const DesiredPod&, const DesiredPod&) = default;
};

struct PodsOptions {
  Duration end_delay = std::chrono::seconds(1);  // at least, between leaving the endpoints and being stopped
  Duration end_limit{};                          // at most, until AllKnow; below end_delay: that is not waited for
  std::function<std::string()> new_uid = {};     // default: NewUuid
};

class PodsController {
 public:
  PodsController(io::Loop& loop, PodsOptions options, std::function<void()> on_change);

  // Before the first templates: what the supervisor runs for the plaitd before this one. It keeps its names and uids,
  // and so goes on running. What is `ending` only keeps its name and address.
  void Adopt(std::vector<DesiredPod> running);
  // Nothing happens when they are the last ones. `unrendered`: no pod of these ends for it; they go on by their last
  // templates.
  void SetTemplates(std::vector<PodSet> sets, const std::vector<PodSet>& unrendered = {});
  void SetStatuses(std::vector<PodStatus> statuses);  // the whole table; nothing follows before there are templates
  // Every proxy has heard of these (former) workloads(): those that are not among them, or ending, are called no more.
  void AllKnow(const std::vector<model::Workload>& workloads);
  bool awaits_knowledge() const;  // a pod does not end before AllKnow, or end_limit

  // In the order of their names.
  const std::vector<DesiredPod>& desired() const;
  // Changes with `desired()`.
  std::uint64_t revision() const noexcept { return revision_; }
  // Pods that have an address, until the supervisor does not list them any more: one that is being stopped still calls
  // and is called, and must be known by its address. A new vector only when something changed.
  std::shared_ptr<const std::vector<model::Workload>> workloads() const noexcept { return workloads_; }
  const PodStatus* FindStatus(const std::string& uid) const noexcept;
  const std::map<std::string, PodStatus>& statuses() const noexcept { return statuses_; }

 private:
  struct Tracked {
    DesiredPod pod;
    MonotonicTime stop_at{}, stop_by{};  // when `ending`: not before, and even when some do not know
    bool known = false;                  // to all, as ending
    MonotonicTime due() const { return known ? stop_at : stop_by; }
  };
  // A set with its pods (indexes of `pods_`), so that a set costs what it has, not what the mesh has.
  struct Group {
    const PodSet& set;
    std::string key;
    std::vector<std::size_t> pods;
  };
  void Reconcile();
  std::vector<Group> GroupPods();  // what belongs to no set ends
  void Roll(Group& group);
  void RollStatefulSet(Group& group);
  bool EndStuck(const PodSet& set, const std::vector<Tracked*>& pods);
  void RollJob(Group& group);
  void CreateNext(Group& group);
  void Create(Group& group, std::uint32_t index);  // may move `pods_`
  void Refresh(const PodSet& set, Tracked& tracked);
  bool IsNameUsed(const Group& group, std::uint32_t index) const;
  void End(Tracked& tracked);
  void StopEnded();
  bool IsReady(const Tracked& tracked) const;
  bool IsReady(const Group& group, std::uint32_t index) const;
  void AddWorkload(const DesiredPod& pod, std::vector<model::Workload>& to) const;  // when it has an address
  void Publish();

  io::Loop& loop_;
  PodsOptions options_;
  std::function<void()> on_change_;
  bool templates_known_ = false;
  std::vector<PodSet> sets_;
  std::set<std::string> held_;  // keys of sets whose pods stay as they are: they have had no template here
  std::vector<Tracked> pods_;
  std::uint64_t revision_ = 1;
  mutable std::vector<DesiredPod> desired_;  // as of `desired_revision_`
  mutable std::uint64_t desired_revision_ = 0;
  std::vector<DesiredPod> stopping_;           // told to stop, until the supervisor does not list them any more
  std::map<std::string, PodStatus> statuses_;  // by uid
  std::shared_ptr<const std::vector<model::Workload>> workloads_ =
      std::make_shared<const std::vector<model::Workload>>();
  std::vector<std::pair<std::string, bool>> told_;  // uid and `ending` of each pod when a change was last told
  io::Timer stop_timer_;
  Pending change_told_;
};

}  // namespace plait::control::source
