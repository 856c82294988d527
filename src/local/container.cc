#include "local/container.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/strings.h"
#include "local/bootstrap.h"
#include "local/expand.h"
#include "local/hook.h"
#include "local/places.h"
#include "local/spawn.h"
#include "local/workload_view.h"

namespace plait::local {
namespace {

// Kubernetes begins at 10 s and doubles to 5 min; at a developer's desk the first try comes at once.
constexpr BackOff::Limits kBackOff = {
    .first = std::chrono::milliseconds(500), .longest = std::chrono::minutes(1), .healthy = std::chrono::minutes(1)};

}  // namespace

Container::Container(MeshContext& mesh, const ContainerSpec& spec, Surroundings around, std::function<void()> on_change)
    : mesh_(mesh), spec_(spec), around_(around), on_change_(std::move(on_change)), back_off_(kBackOff) {
  restart_.SetCallback([this] { Start(); });
  kill_.SetCallback([this] { OnTimeIsUp(); });
}

Container::~Container() {
  if (report_) mesh_.loop.Unwatch(report_.get(), *this);
  if (state_ == State::kRunning) Kill();
}

// A pid namespace dies with its first process; without one plait-init kills what it has started.
void Container::Kill() {
  if (pid_ > 0) kill(pid_, around_.network.netns ? SIGKILL : kEndEverything);
}

void Container::Start() {
  if (stopping_) return;
  if (!log_) {
    auto log = LogFile::Open(mesh_.loop, mesh_.log_losses,
                             mesh_.options.paths.LogOf(around_.pod.ns, around_.pod.name, spec_.name));
    if (!log) return StartFailed(log.error().ToString());
    log_ = std::move(*log);
    if (!around_.network.netns) TellWhatLoopbackLacks();
  }
  if (const std::string unknown = FirstUnknown(); !unknown.empty())
    return StartFailed("${" + unknown +
                       "}: there is no such service, or it has no address of its own; services that "
                       "came after this workload are there once it starts again");
  LaunchPlan plan = PlanLaunch();
  if (plan.argv.empty() || plan.argv[0].empty())
    return StartFailed(spec_.argv.empty() ? "no command is known for this container"
                                          : "program \"" + spec_.argv[0] + "\" is neither beside plait nor in PATH");
  Outcome<Launching> launching = Launch(plan);
  if (!launching) return StartFailed(launching.error().ToString());
  state_ = State::kStarting;
  told_.clear();
  report_ = std::move(launching->report);
  if (launching->setter > 0) setter_end_ = mesh_.reaper.Watch(launching->setter, [](ProcessEnd) {});
  mesh_.loop.Watch(report_.get(), *this, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

void Container::TellWhatLoopbackLacks() {
  const DnsSpec& dns = around_.pod.dns;
  if (!spec_.mounts.empty()) log_->Append("plait: the mode loopback mounts no volumes\n");
  if (!around_.pod.host_aliases.empty())
    log_->Append("plait: in the mode loopback /etc/hosts is this host's: hostAliases are not in it\n");
  if (dns.policy != DnsSpec::Policy::kClusterFirst || !dns.searches.empty() || !dns.options.empty())
    log_->Append(
        "plait: in the mode loopback /etc/resolv.conf is this host's: dnsPolicy and dnsConfig are not in it\n");
}

LaunchPlan Container::PlanLaunch() const {
  LaunchPlan plan = ContainerOf(mesh_, around_.pod, around_.network, spec_.working_dir);
  const std::vector<EnvVar> variables = Variables();
  for (const std::string& word : spec_.argv) plan.argv.push_back(Expand(InPlace(word), variables));
  if (!plan.argv.empty()) plan.argv[0] = FindProgram(plan.argv[0], mesh_.options.search_path);
  plan.environment = WithDefaults({}, variables);
  if (around_.volumes) plan.root.volumes = around_.volumes->For(spec_);
  plan.output = log_ ? log_->writing_end() : -1;
  return plan;
}

std::string Container::InPlace(const std::string& text) const {
  return ExpandPlaces(text, around_.network, around_.pod.ns, nullptr);
}

std::string Container::FirstUnknown() const {
  std::string unknown;
  for (const std::string& word : spec_.argv) ExpandPlaces(word, around_.network, around_.pod.ns, &unknown);
  for (const EnvVar& variable : spec_.env) ExpandPlaces(variable.value, around_.network, around_.pod.ns, &unknown);
  return unknown;
}

std::vector<EnvVar> Container::Variables() const {
  const std::vector<std::string> ips = around_.network.IpTexts();
  std::vector<EnvVar> out = VariablesOf(mesh_, around_.pod, around_.network);
  for (const EnvVar& variable : spec_.env) {
    std::string value =
        variable.field.empty() ? Expand(InPlace(variable.value), out) : FieldOf(around_.pod, ips, variable.field);
    std::erase_if(out, [&](const EnvVar& entry) { return entry.name == variable.name; });
    out.push_back({variable.name, std::move(value), ""});
  }
  return out;
}

void Container::OnFdReady(std::uint32_t) {
  char piece[512];
  for (;;) {
    const ssize_t n = read(report_.get(), piece, sizeof piece);
    if (n > 0) {
      told_.append(piece, static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EAGAIN) {
      break;
    } else {
      return;
    }
  }
  mesh_.loop.Unwatch(report_.get(), *this);
  report_.Reset();
  OnReport();
}

void Container::OnReport() {
  const auto [first, rest] = SplitOnce(told_, '\n');
  const auto pid = first.starts_with("pid ") ? ParseUint(first.substr(4)) : std::nullopt;
  if (!pid || !rest || !rest->empty()) {
    // The process, if there is one, ends by itself: it said why.
    return StartFailed(pid && rest ? std::string(*rest) : told_.empty() ? "the setter died" : told_);
  }
  pid_ = static_cast<pid_t>(*pid);
  state_ = State::kRunning;
  running_since_ = mesh_.loop.Now();
  reason_.clear();
  blame_.clear();
  end_ = mesh_.reaper.Watch(pid_, [this](ProcessEnd end) { OnEnded(end); });
  if (stopping_) {
    // Stop came while the setter worked; by now its grace period may be over.
    if (kill_.armed())
      kill(pid_, SIGTERM);
    else
      Kill();
    return;
  }
  if (spec_.post_start)
    RunPostStart();
  else
    StartProbes();
  on_change_();
}

void Container::RunPostStart() {
  hooking_ = Hooking::kPostStart;
  hook_ = RunHook(mesh_.loop, around_.probe_target, *spec_.post_start, spec_.name, [this](const std::string& failure) {
    HookEnded();
    if (failure.empty()) {
      StartProbes();
    } else {
      blame_ = "postStart failed: " + failure;
      log_->Append("plait: " + blame_ + "; the container is ended\n");
      End(around_.pod.grace);
    }
    on_change_();
  });
}

// Called by the hook itself, which must not die meanwhile.
void Container::HookEnded() {
  hooking_ = Hooking::kNone;
  mesh_.loop.Defer([hook = std::move(hook_)] {});
}

void Container::CancelHook() {
  hooking_ = Hooking::kNone;
  hook_.Cancel();
}

bool Container::in_post_start() const noexcept {
  return spec_.post_start && !stopping_ && (state_ == State::kStarting || hooking_ == Hooking::kPostStart);
}

bool Container::BeginPreStop(Duration limit) {
  if (pre_stop_begun_ || !spec_.pre_stop || state_ != State::kRunning || limit <= Duration::zero())
    return in_pre_stop();
  pre_stop_begun_ = true;
  CancelHook();  // postStart
  hooking_ = Hooking::kPreStop;
  kill_.Start(mesh_.loop.timers(), limit);
  hook_ = RunHook(mesh_.loop, around_.probe_target, *spec_.pre_stop, spec_.name, [this](const std::string& failure) {
    HookEnded();
    OnPreStopEnded(failure);
  });
  return true;
}

void Container::PreStop(Duration limit) {
  leaving_ = true;
  if (!ending_) BeginPreStop(limit);
}

void Container::OnPreStopEnded(const std::string& failure) {
  kill_.Cancel();
  if (!failure.empty()) log_->Append("plait: preStop failed: " + failure + "\n");
  if (ending_) Terminate();
  on_change_();
}

void Container::OnTimeIsUp() {
  if (!in_pre_stop()) return Kill();
  CancelHook();
  OnPreStopEnded("it has not ended within the grace period");
}

void Container::End(Duration grace) {
  end_by_ = mesh_.loop.Now() + grace;
  ending_ = true;
  if (!BeginPreStop(grace)) Terminate();
}

void Container::Terminate() {
  kill(pid_, SIGTERM);
  const Duration left = end_by_ - mesh_.loop.Now();
  kill_.Start(mesh_.loop.timers(), pre_stop_begun_ ? std::max(left, kLeastGrace) : left);
}

ProbeSpec Container::Named(ProbeSpec probe) const {
  probe.container = spec_.name;
  return probe;
}

void Container::StartProbes() {
  if (!spec_.startup) return StartOtherProbes();
  startup_ = std::make_unique<Prober>(mesh_.loop, around_.probe_target, Named(*spec_.startup), true,
                                      [this](bool healthy, const std::string& why) {
                                        if (started_) return;
                                        if (!healthy) return Unhealthy("startup", why);
                                        // Its first success is its last word.
                                        mesh_.loop.DeleteLater(std::move(startup_));
                                        StartOtherProbes();
                                      });
  startup_->Start();
}

void Container::StartOtherProbes() {
  started_ = true;
  if (spec_.readiness) {
    readiness_ = std::make_unique<Prober>(mesh_.loop, around_.probe_target, Named(*spec_.readiness), true,
                                          [this](bool, const std::string&) { on_change_(); });
    readiness_->Start();
  }
  if (spec_.liveness) {
    liveness_ = std::make_unique<Prober>(mesh_.loop, around_.probe_target, Named(*spec_.liveness), false,
                                         [this](bool healthy, const std::string& why) {
                                           if (!healthy) Unhealthy("liveness", why);
                                         });
    liveness_->Start();
  }
  on_change_();
}

// Ended as the kubelet does it; what follows is the restart policy's.
void Container::Unhealthy(const char* probe, const std::string& why) {
  if (pid_ <= 0 || leaving_ || ending_) return;
  log_->Append("plait: " + std::string(probe) + " probe failed: " + why + "; the container is ended\n");
  End(around_.pod.grace);
}

std::string Container::reason() const {
  if (!reason_.empty() || state_ != State::kRunning || stopping_) return reason_;
  if (hooking_ == Hooking::kPostStart) return "not ready: its postStart runs";
  for (const auto& [probe, name] : {std::pair{startup_.get(), "not started: "}, {readiness_.get(), "not ready: "}})
    if (probe && !probe->healthy() && !probe->last_failure().empty()) return name + probe->last_failure();
  return "";
}

bool Container::started() const noexcept { return state_ == State::kRunning && !stopping_ && started_; }

bool Container::ready() const noexcept {
  if (!started()) return false;
  return !spec_.readiness || (readiness_ && readiness_->healthy());
}

bool Container::MayRestart(const ProcessEnd& end) const {
  if (stopping_ || (leaving_ && spec_.pre_stop)) return false;
  if (spec_.kind == ContainerSpec::Kind::kSidecar) return true;
  if (around_.pod.restart_policy == RestartPolicy::kNever) return false;
  if (around_.pod.max_restarts && restarts_ >= *around_.pod.max_restarts) return false;
  const bool always =
      around_.pod.restart_policy == RestartPolicy::kAlways && spec_.kind == ContainerSpec::Kind::kApplication;
  return always || end.code != 0;
}

void Container::StartFailed(std::string why) {
  reason_ = std::move(why);
  if (log_) log_->Append("plait: " + reason_ + "\n");
  last_end_ = ProcessEnd{.code = 127};
  if (!MayRestart(*last_end_)) {
    state_ = State::kEnded;
  } else {
    RestartLater();
  }
  on_change_();
}

void Container::OnEnded(ProcessEnd end) {
  last_end_ = end;
  pid_ = 0;
  started_ = pre_stop_begun_ = ending_ = false;
  CancelHook();
  kill_.Cancel();
  log_->Drain();
  // Probes may be what is running now (a callback of theirs cannot get here, but their attempts hold streams).
  for (auto* probe : {&startup_, &readiness_, &liveness_}) mesh_.loop.DeleteLater(std::move(*probe));
  reason_ = stopping_ ? "" : (blame_.empty() ? "" : blame_ + "; ") + "ended with " + end.ToString();
  // One that could not be started at all has not been healthy.
  back_off_.Lived(mesh_.loop.Now() - running_since_);
  if (!MayRestart(end)) {
    state_ = State::kEnded;
    if (end.code == 0) reason_.clear();  // done
  } else {
    RestartLater();
  }
  on_change_();
}

void Container::RestartLater() {
  state_ = State::kWaiting;
  ++restarts_;
  restart_.Start(mesh_.loop.timers(), back_off_.Next());
}

void Container::Stop(Duration grace) {
  stopping_ = leaving_ = true;
  restart_.Cancel();
  if (state_ == State::kWaiting) state_ = State::kEnded;
  if (state_ == State::kRunning) End(grace);
  if (state_ == State::kStarting) kill_.Start(mesh_.loop.timers(), grace);
}

Outcome<Joined> Container::Join(JoinPlan plan) const {
  if (state_ != State::kRunning)
    return Explain(Errc::kUnavailable, "container " + spec_.name + " of " + around_.pod.name + " is not running" +
                                           (reason_.empty() ? "" : " (" + reason_ + ")"));
  plan.container = around_.network.netns ? pid_ : 0;
  plan.environment = WithDefaults(std::move(plan.environment), Variables());
  plan.working_dir = spec_.working_dir.empty() ? "/" : spec_.working_dir;
  plan.filter = &mesh_.filter;
  return RunInContainer(plan);
}

}  // namespace plait::local
