#include "local/pod_table.h"

#include <algorithm>
#include <set>

#include "core/base/capture_annotations.h"
#include "core/base/log.h"
#include "core/base/which_pod.h"

namespace plait::local {
namespace {

static log::Component kLog("supervisor");

bool IsGone(const Pod& pod) { return pod.state() == Pod::State::kGone; }

const char* NameOf(Container::State state) {
  switch (state) {
    case Container::State::kWaiting: return "waiting";
    case Container::State::kStarting: return "starting";
    case Container::State::kRunning: return "running";
    case Container::State::kEnded: return "ended";
  }
  return "";
}

const char* NameOf(ProxyKind proxy) {
  switch (proxy) {
    case ProxyKind::kNone: return "none";
    case ProxyKind::kSidecar: return "sidecar";
    case ProxyKind::kGateway: return "gateway";
    case ProxyKind::kDns: return "dns";
  }
  return "";
}

std::string ProxyProgramOf(const PodSpec& pod) {
  if (pod.proxy == ProxyKind::kNone) return "";
  return WantsEnvoy(pod).value_or(false) ? "envoy" : "plait-proxy";
}

ContainerStatus StatusOf(const Container& container) {
  return {.name = container.spec().name,
          .state = NameOf(container.state()),
          .pid = container.pid(),
          .restarts = container.restarts(),
          .ready = container.ready(),
          .sidecar = container.spec().kind == ContainerSpec::Kind::kSidecar};
}

WorkloadStatus StatusOf(const Pod& pod) {
  const PodStatus status = pod.Status();
  WorkloadStatus out{.name = pod.spec().name,
                     .ns = pod.spec().ns,
                     .owner = pod.spec().owner,
                     .owner_kind = pod.spec().owner_kind,
                     .completions = pod.spec().completions,
                     .service_account = pod.spec().service_account,
                     .ip = status.ips.empty() ? "" : status.ips.front(),
                     .ips = status.ips,
                     .pid = pod.pid(),
                     .proxy_pid = pod.proxy_pid(),
                     .proxy = NameOf(pod.spec().proxy),
                     .proxy_program = ProxyProgramOf(pod.spec()),
                     .ready = status.ready,
                     .phase = status.phase,
                     .restarts = status.restarts,
                     .reason = status.reason,
                     .capture = {},
                     .init_containers = {},
                     .containers = {}};
  for (const auto& [name, value] : pod.spec().annotations)
    if (name.starts_with(capture_annotations::kPrefix)) out.capture.emplace_back(name, value);
  if (const PodContainers* containers = pod.containers()) {
    for (const auto& c : containers->init()) out.init_containers.push_back(StatusOf(*c));
    for (const auto& c : containers->application()) out.containers.push_back(StatusOf(*c));
  }
  return out;
}

}  // namespace

PodTable::PodTable(MeshContext& mesh, std::function<void()> on_change)
    : mesh_(mesh), on_change_(std::move(on_change)) {}

void PodTable::Want(std::vector<PodSpec> wanted) {
  // Without capture nobody asks the mesh's DNS.
  if (!mesh_.cluster_ips) std::erase_if(wanted, [](const PodSpec& spec) { return spec.proxy == ProxyKind::kDns; });
  std::set<std::string> uids;
  for (const PodSpec& spec : wanted) uids.insert(spec.uid);
  for (const auto& [uid, pod] : pods_)
    if (!uids.contains(uid)) pod->Remove();
  // DNS before those who ask it: its sockets hold their questions until it answers.
  std::stable_partition(wanted.begin(), wanted.end(),
                        [](const PodSpec& spec) { return spec.proxy == ProxyKind::kDns; });
  for (PodSpec& spec : wanted) StartPod(std::move(spec));
  TellDns();
  on_change_();
}

void PodTable::StartPod(PodSpec spec) {
  std::unique_ptr<Pod>& pod = pods_[spec.uid];
  if (pod) return;  // a pod does not change: a changed template is a new uid
  const bool dns = spec.proxy == ProxyKind::kDns;
  pod = std::make_unique<Pod>(mesh_, std::move(spec), on_change_);
  pod->Start();
  if (dns) TellDns();
}

void PodTable::TellDns() {
  if (!mesh_.cluster_ips) return;
  std::vector<io::IpAddress> ips;
  for (const auto& [uid, pod] : pods_)
    if (pod->spec().proxy == ProxyKind::kDns && pod->state() == Pod::State::kRunning)
      ips.insert(ips.end(), pod->ips().begin(), pod->ips().end());
  mesh_.cluster_ips->SetDns(std::move(ips));
}

void PodTable::StartProxies() {
  for (const auto& [uid, pod] : pods_) pod->StartProxy();
}

void PodTable::OnGatewaySockets() {
  for (const auto& [uid, pod] : pods_) {
    if (pod->spec().proxy != ProxyKind::kGateway) continue;
    // One that does not run yet is started with the new socket.
    if (pod->LacksPorts())
      if (const Outcome<> replaced = pod->ReplaceProxy(); !replaced) kLog.Debug(replaced.error().message);
    pod->StartProxy();
  }
  on_change_();
}

void PodTable::StopAll() {
  for (const auto& [uid, pod] : pods_) pod->StopAll();
  on_change_();
}

void PodTable::Settle() {
  std::erase_if(pods_, [](const auto& entry) { return IsGone(*entry.second); });
  TellDns();  // one may have got its network late
}

bool PodTable::AllReady() const {
  return std::all_of(pods_.begin(), pods_.end(), [](const auto& entry) {
    const Pod& pod = *entry.second;
    return pod.ready() || pod.state() > Pod::State::kRunning || pod.Status().phase == "Succeeded";
  });
}

bool PodTable::AllGone() const {
  return std::all_of(pods_.begin(), pods_.end(), [](const auto& entry) { return IsGone(*entry.second); });
}

Outcome<Pod*> PodTable::Find(const std::string& workload) const {
  std::vector<PodName> names;
  std::vector<Pod*> pods;
  for (const auto& [uid, pod] : pods_) {
    const PodSpec& spec = pod->spec();
    const int rank = pod->ready() ? 2 : pod->state() == Pod::State::kRunning ? 1 : 0;
    names.push_back({.name = spec.name, .owner = spec.owner, .ns = spec.ns, .rank = rank});
    pods.push_back(pod.get());
  }
  const Outcome<std::size_t> found = WhichPod(names, workload);
  if (!found) return std::unexpected(found.error());
  return pods[*found];
}

std::vector<PodStatus> PodTable::Statuses() const {
  std::vector<PodStatus> out;
  for (const auto& [uid, pod] : pods_) out.push_back(pod->Status());
  return out;
}

std::vector<RunningPod> PodTable::Running() const {
  std::vector<RunningPod> out;
  for (const auto& [uid, pod] : pods_)
    out.push_back({.spec = pod->spec(), .leaving = pod->state() > Pod::State::kCompleted});
  return out;
}

std::vector<WorkloadStatus> PodTable::Workloads() const {
  std::vector<WorkloadStatus> out;
  for (const auto& [uid, pod] : pods_) out.push_back(StatusOf(*pod));
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return std::tie(a.ns, a.name) < std::tie(b.ns, b.name); });
  return out;
}

}  // namespace plait::local
