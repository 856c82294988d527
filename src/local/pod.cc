#include "local/pod.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/io/socket.h"
#include "local/certificate_ttl.h"

namespace plait::local {
namespace {

// How long every proxy has to learn that a pod is gone before it refuses anything.
constexpr Duration kLeaveTime = std::chrono::milliseconds(500);
constexpr Duration kRetry = std::chrono::seconds(1);         // what its start needs: files, a network
constexpr std::string_view kProxyContainer = "istio-proxy";  // as it is called on Kubernetes

// A command in a container, by its helper: when that dies, the command does.
struct Command final : Pending::Operation {
  explicit Command(pid_t of) : helper(of) {}
  ~Command() override {
    if (helper > 0) kill(helper, SIGKILL);
  }
  pid_t helper;
  Pending end;
};

}  // namespace

Pod::Pod(MeshContext& mesh, PodSpec spec, std::function<void()> on_change)
    : mesh_(mesh), spec_(std::move(spec)), on_change_(std::move(on_change)), volumes_(mesh_, spec_) {
  step_.SetCallback([this] { Advance(); });
  retry_.SetCallback([this] {
    if (state_ == State::kPending) return Start();
    StartProxy();
  });
}

Pod::~Pod() {
  envoy_.reset();
  proxy_.reset();
  containers_.reset();
  guard_.reset();
  if (mesh_.cluster_ips) mesh_.cluster_ips->Remove(spec_.uid);
  mesh_.networks.Remove(network_);
}

Outcome<> Pod::MakeNetwork() {
  PodNetworks::Wanted wanted;
  wanted.proxy_sockets = spec_.proxy != ProxyKind::kNone;
  Outcome<node::CaptureRules> rules = node::RulesFromAnnotations(spec_.annotations);
  if (!rules) return std::unexpected(rules.error());
  rules->mesh_ranges = mesh_.networks.DialledDirectly();
  if (mesh_.cluster_ips && node::LeavesOutbound(*rules)) rules->service_ranges = ClusterIps::Ranges();
  if (spec_.proxy == ProxyKind::kSidecar) wanted.rules = &*rules;
  if (const Outcome<Duration> ttl = CertificateTtl(spec_); !ttl) return std::unexpected(ttl.error());
  const Outcome<bool> envoy = WantsEnvoy(spec_);
  if (!envoy) return std::unexpected(envoy.error());
  wanted.own_sockets = *envoy;
  wanted.dns = spec_.proxy == ProxyKind::kDns;
  for (const auto* list : {&spec_.init_containers, &spec_.containers})
    for (const ContainerSpec& container : *list)
      for (const auto& [name, port] : container.ports) wanted.ports.push_back(port);
  Outcome<PodNetwork> made = mesh_.networks.Add(wanted);
  if (!made) return std::unexpected(made.error());
  network_ = std::move(*made);
  const bool beside_capture = wanted.rules && !rules->service_ranges.empty();
  if (!mesh_.cluster_ips || !(spec_.proxy == ProxyKind::kNone || beside_capture)) return {};
  Outcome<> services = beside_capture ? mesh_.cluster_ips->Fill(spec_.uid, network_.netns.get())
                                      : mesh_.cluster_ips->Add(spec_.uid, network_.netns.get());
  if (!services) mesh_.networks.Remove(network_);
  return services;
}

Outcome<> Pod::MakeSurroundings() {
  if (Outcome<> made = volumes_.Make(); !made) return made;
  return MakeNetwork();
}

void Pod::Start() {
  if (Outcome<> made = MakeSurroundings(); !made) {
    reason_ = made.error().ToString();
    if (made.error().code != Errc::kInvalidInput) retry_.Start(mesh_.loop.timers(), kRetry);
    return Changed();
  }
  reason_.clear();
  state_ = State::kRunning;
  if (network_.rules && network_.rules_monitor)
    guard_ = std::make_unique<CaptureGuard>(
        mesh_.loop, mesh_.networks, network_, spec_.name + "." + spec_.ns, [this] { Changed(); },
        [this] { mesh_.cluster_ips->FillAgain(spec_.uid); });
  if (spec_.proxy != ProxyKind::kNone) {
    const bool envoy = WantsEnvoy(spec_).value_or(false);
    proxy_ = std::make_unique<ProxyProcess>(
        mesh_, spec_, network_, *this, [this] { Changed(); },
        envoy ? ProxyProcess::Role::kIdentity : ProxyProcess::Role::kProxy);
    if (envoy)
      envoy_ = std::make_unique<EnvoyProcess>(mesh_, EnvoyProcess::Surroundings{spec_, network_, *proxy_, *this},
                                              [this] { Changed(); });
    StartProxy();
  }
  containers_ = std::make_unique<PodContainers>(mesh_, Container::Surroundings{spec_, network_, *this, &volumes_},
                                                [this] { Changed(); });
  if (!envoy_) containers_->Start();
  Changed();
}

void Pod::StartProxy() {
  if (!proxy_ || mesh_.hello.root_pem.empty() || state_ != State::kRunning) return;
  if (proxy_->started() && (!envoy_ || envoy_->started())) return;
  if (spec_.proxy == ProxyKind::kGateway && mesh_.gateway_sockets_missing > 0) return;
  Outcome<> started;
  if (!proxy_->started()) started = proxy_->Start();
  if (started && envoy_) started = envoy_->Start();
  if (!started && started.error().code != Errc::kInvalidInput) retry_.Start(mesh_.loop.timers(), kRetry);
  const std::string before = std::exchange(reason_, started ? "" : started.error().ToString());
  if (reason_ != before) on_change_();
}

bool Pod::LacksPorts() const { return spec_.proxy == ProxyKind::kGateway && proxy_ && !proxy_->HasItsPorts(); }

Outcome<> Pod::ReplaceProxy() {
  if (!proxy_) return Explain(Errc::kUnavailable, spec_.name + " has no proxy");
  if (envoy_)
    return Explain(Errc::kUnavailable, "the proxy of " + spec_.name + " is an Envoy, which opens its sockets itself",
                   "edit the pod's template: new pods are ready before old ones end");
  return proxy_->Replace();
}

Outcome<> Pod::RenewIdentity() {
  if (!proxy_ || !envoy_) return Explain(Errc::kUnavailable, "the proxy of " + spec_.name + " is no Envoy");
  return proxy_->StartAfresh();
}

bool Pod::ready() const {
  return state_ == State::kRunning && network_.cut_off.empty() && ProxyReady() && containers_ && containers_->ready();
}

PodStatus Pod::Status() const {
  PodStatus out{.uid = spec_.uid, .ips = network_.IpTexts(), .ready = ready(), .reason = reason_};
  if (out.reason.empty()) out.reason = network_.cut_off;
  if (spec_.containers.empty() && proxy_pid() != 0) out.phase = "Running";
  if (containers_) containers_->Describe(out);
  if (proxy_) {
    out.token_sha256 = proxy_->token_sha256();
    out.restarts += proxy_->restarts();
    const bool over = state_ == State::kCompleted;  // a proxy that is not ready then has ended, too
    if (out.reason.empty() && !over) out.reason = proxy_->reason();
    if (envoy_) {
      out.restarts += envoy_->restarts();
      if (out.reason.empty() && !over) out.reason = envoy_->reason();
    }
  }
  return out;
}

pid_t Pod::pid() const {
  const pid_t pid = containers_ ? containers_->pid() : 0;
  return pid > 0 ? pid : proxy_pid();
}

Container* Pod::FindContainer(const std::string& name) { return containers_ ? containers_->Find(name) : nullptr; }

void Pod::Changed() {
  if (state_ == State::kRunning && envoy_ && envoy_->ready() && containers_ && !containers_->begun())
    containers_->Start();
  if (state_ == State::kPreStop || state_ == State::kDraining || state_ == State::kStopping) {
    // Never inside a callback of what may be destroyed by it.
    step_.Start(mesh_.loop.timers(), Duration::zero());
  }
  // Work that has ended, a Job's: nobody needs its proxy any more.
  if (state_ == State::kRunning && containers_ && !containers_->empty() && containers_->ended()) {
    state_ = State::kCompleted;
    StopProxy();
  }
  if (state_ == State::kCompleted && envoy_ && envoy_->ended() && !proxy_->ended()) proxy_->Stop(Duration::zero());
  on_change_();
}

void Pod::Remove() {
  if (state_ > State::kCompleted) return;
  retry_.Cancel();
  state_ = State::kLeaving;
  step_.Start(mesh_.loop.timers(), kLeaveTime);
}

void Pod::StopAll() {
  retry_.Cancel();
  state_ = State::kStopping;
  if (containers_) containers_->Stop(spec_.grace);
  step_.Start(mesh_.loop.timers(), Duration::zero());
}

// An Envoy has its identity from the other one, which so ends after it.
void Pod::StopProxy() {
  if (envoy_)
    envoy_->Stop(spec_.grace);
  else if (proxy_)
    proxy_->Stop(spec_.grace);
}

void Pod::Advance() {
  if (state_ == State::kLeaving) {
    state_ = State::kPreStop;
    pre_stop_since_ = mesh_.loop.Now();
    if (containers_) containers_->PreStop(spec_.grace);
  }
  if (state_ == State::kPreStop && !(containers_ && containers_->in_pre_stop())) {
    state_ = State::kDraining;
    pre_stop_took_ = mesh_.loop.Now() - pre_stop_since_;
    StopProxy();
  }
  if (state_ == State::kDraining && (envoy_ ? envoy_->ended() : !proxy_ || proxy_->ended())) {
    if (envoy_) proxy_->Stop(Duration::zero());  // nobody asks it for anything any more
    // Nobody accepts there any more: who comes so late is refused and may try elsewhere.
    if (proxy_) network_.sockets.clear();
    state_ = State::kStopping;
    const bool hooks = pre_stop_took_ > Duration::zero();
    if (containers_) containers_->Stop(hooks ? std::max(kLeastGrace, spec_.grace - pre_stop_took_) : spec_.grace);
  }
  if (state_ == State::kStopping && ContainersEnded()) {
    state_ = State::kGone;
    on_change_();
  }
}

std::unique_ptr<io::Stream> Pod::ConnectTo(Port port, Duration timeout) {
  if (network_.ips.empty()) return nullptr;
  auto stream = mesh_.networks.Within(network_, [&] {
    // At the address of the pod, as a kubelet does: an application that listens on its loopback only is not ready.
    return io::Connect(mesh_.loop, network_.Inside(port), {.mark = io::kMarkToApplication, .timeout = timeout});
  });
  return stream ? std::move(*stream) : nullptr;
}

Pending Pod::RunInside(const std::string& name, const std::vector<std::string>& argv,
                       std::move_only_function<void(int)> done) {
  Container* container = FindContainer(name);
  Outcome<Joined> joined = container ? container->Join({.argv = argv}) : Explain(Errc::kNotFound, "no container");
  if (!joined) return mesh_.loop.After(Duration::zero(), [done = std::move(done)]() mutable { done(126); });
  auto command = std::make_unique<Command>(joined->helper);
  command->end =
      mesh_.reaper.Watch(joined->helper, [&running = *command, done = std::move(done)](ProcessEnd end) mutable {
        running.helper = 0;
        auto call = std::move(done);
        call(end.code);  // may drop the handle
      });
  return Pending(std::move(command));
}

Outcome<Joined> Pod::Exec(const std::string& name, JoinPlan plan) {
  if (const Container* container = FindContainer(name)) return container->Join(std::move(plan));
  if (!network_.exists())
    return Explain(Errc::kUnavailable, spec_.name + " has no network yet" + (reason_.empty() ? "" : ": " + reason_),
                   "`plait status" + mesh_.options.paths.named() + "` shows when it runs");
  const bool beside_proxy = spec_.proxy != ProxyKind::kNone && (name == kProxyContainer || name.empty());
  if (beside_proxy) return ephemeral_.Run(mesh_, spec_, network_, std::move(plan));
  return Explain(Errc::kNotFound, spec_.name + " has no container \"" + name + "\"",
                 "leave it out, or name one that `plait status" + mesh_.options.paths.named() + " -o json` shows");
}

std::string Pod::Host() const { return network_.ips.empty() ? "" : network_.ips.front().ToString(); }

Outcome<std::string> Pod::CheckCapture() {
  if (network_.exists()) return mesh_.networks.CheckCapture(network_);
  return Explain(Errc::kUnavailable, spec_.name + " has no network yet",
                 "`plait status" + mesh_.options.paths.named() + "` shows when it runs");
}

Outcome<io::UniqueFd> Pod::DialLoopback(Port port) {
  if (!network_.exists()) return Explain(Errc::kUnavailable, spec_.name + " has no network yet");
  // Its sockets are there as long as it is, and nobody accepts.
  if (state_ == State::kCompleted)
    return Explain(
        Errc::kUnavailable, spec_.name + " has ended, and its proxy with it",
        "plait logs" + mesh_.options.paths.named() + " " + spec_.name + "." + spec_.ns + " tells what it did");
  const io::SocketAddress at =
      network_.netns ? io::SocketAddress{.ip = io::IpAddress::V4(INADDR_LOOPBACK), .port = port, .unix_path = {}}
                     : network_.Inside(port);
  auto dialled = mesh_.networks.Within(network_, [&]() -> Outcome<io::UniqueFd> {
    io::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage to{};
    const socklen_t size = at.ToNative(to);
    // On the loopback this answers at once; the backlog takes it even while the proxy restarts.
    if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0)
      return Explain(Errc::kUnavailable,
                     "nothing listens on " + at.ToString() + " in " + spec_.name + ": " + strerror(errno));
    return fd;
  });
  if (!dialled) return std::unexpected(dialled.error());
  return std::move(*dialled);
}

}  // namespace plait::local
