#include "local/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/strings.h"

namespace plait::local {
namespace {

static log::Component kLog("supervisor");
constexpr std::size_t kMaxNotices = 50;
constexpr Duration kAskAgain = std::chrono::seconds(1);

// What a client of the port speaks; empty: something else, or nobody serves it any more.
std::string SchemeOf(const std::vector<ServerPort>& ports, std::uint16_t number) {
  const auto port =
      std::find_if(ports.begin(), ports.end(), [&](const ServerPort& one) { return one.port.value == number; });
  return port == ports.end() ? "" : port->scheme;
}

bool IsError(const Notice& notice) { return notice.severity == "error"; }

// The latest ones; errors stay longer than warnings.
void KeepProblem(std::vector<Notice>& problems, const Notice& one) {
  problems.push_back(one);
  if (problems.size() <= kMaxNotices) return;
  const auto warning = std::find_if_not(problems.begin(), problems.end(), IsError);
  problems.erase(warning == problems.end() ? problems.begin() : warning);
}

}  // namespace

Supervisor::Supervisor(io::Loop& loop, io::UniqueFd outer, ReceivedMessage first)
    : loop_(loop),
      outer_(std::move(outer)),
      to_outer_(outer_.get()),
      options_(std::move(first.message.options)),
      debug_port_(first.message.debug_port),
      reaper_(loop),
      started_(SystemClock().Now()),
      application_id_(first.message.application_id) {
  if (first.fds.size() == 3) {
    init_ = std::move(first.fds[0]);
    lock_ = std::move(first.fds[1]);
    debug_listener_ = std::move(first.fds[2]);
  }
}

Supervisor::~Supervisor() { loop_.Unwatch(outer_.get(), *this); }

Outcome<> Supervisor::Start() {
  fcntl(outer_.get(), F_SETFL, O_NONBLOCK);
  loop_.Watch(outer_.get(), *this, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;  // a workload takes about 15 descriptors
    setrlimit(RLIMIT_NOFILE, &files);
  }
  Outcome<SyscallFilter> filter = SyscallFilter::Make();
  if (!filter) return std::unexpected(filter.error());
  filter_ = std::move(*filter);
  if (Outcome<> made = MakeNetworks(); !made) return made;
  resolvers_ = std::make_unique<ResolverSockets>(
      loop_, [this] { return SendMessage(outer_.get(), {.kind = OuterMessage::Kind::kResolve}).has_value(); });
  mesh_.reset(new MeshContext{.loop = loop_,
                              .reaper = reaper_,
                              .networks = network_ ? static_cast<PodNetworks&>(*network_) : *loopback_,
                              .cluster_ips = cluster_ips_.get(),
                              .resolvers = *resolvers_,
                              .options = options_,
                              .filter = filter_,
                              .ids = Ids{application_id_},
                              .init = init_.get(),
                              .hello = {},
                              .gateway_sockets = {}});
  pods_ = std::make_unique<PodTable>(*mesh_, [this] { OnPodChange(); });
  auto control = ControlServer::Open(loop_, reaper_, options_.paths.control_socket(), *this);
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  plaitd_ = std::make_unique<PlaitdProcess>(
      *mesh_, debug_listener_.get(),
      PlaitdProcess::Events{.on_message = [this](PlaitdMessage message) { OnPlaitd(std::move(message)); },
                            .on_connected = [this] { OnPlaitdStarted(); },
                            .on_ended =
                                [this](const std::string& why) {
                                  if (std::exchange(last_plaitd_end_, why) != why)
                                    Tell("error", why + "; it is started again (plait logs" + options_.paths.named() +
                                                      " plaitd)");
                                }});
  return plaitd_->Start();
}

Outcome<> Supervisor::MakeNetworks() {
  if (options_.mode == Mode::kLoopback) {
    loopback_ = std::make_unique<LoopbackNetwork>();
    return {};
  }
  Outcome<std::unique_ptr<MeshNetwork>> network = MeshNetwork::Make(options_.paths.named());
  if (!network) return std::unexpected(network.error());
  network_ = std::move(*network);
  cluster_ips_ = std::make_unique<ClusterIps>(loop_, *network_);
  return {};
}

void Supervisor::OnFdReady(std::uint32_t) {
  FlushToOuter();
  for (;;) {
    Result<ReceivedMessage> received = ReceiveMessage(outer_.get());
    if (received) {
      OnOuter(std::move(*received));
    } else if (received.error().code == Errc::kUnavailable) {
      return;
    } else if (received.error().code == Errc::kPeerClosed || received.error().code == Errc::kPeerReset) {
      // `plait` is gone. The kernel ends every process of this pid namespace now; in mode loopback each child has
      // asked for a signal at our end.
      _exit(0);
    }
  }
}

void Supervisor::OnOuter(ReceivedMessage received) {
  const OuterMessage& message = received.message;
  if (received.lost_fds) return OnLostDescriptors(message);
  if (!received.fds.empty()) told_of_lost_ = false;
  if (message.kind == OuterMessage::Kind::kStop) return Stop();
  if (message.kind == OuterMessage::Kind::kResolvers)
    return resolvers_->OnAnswer(message.text, std::move(received.fds));
  if (message.kind != OuterMessage::Kind::kListening || received.fds.size() != 1) return;
  gateway_ports_[message.port.value] = message.host_port;
  mesh_->gateway_sockets.push_back({std::to_string(message.port.value), std::move(received.fds[0])});
  if (--mesh_->gateway_sockets_missing > 0) return;
  pods_->OnGatewaySockets();
}

void Supervisor::OnLostDescriptors(const OuterMessage& message) {
  const bool resolvers = message.kind == OuterMessage::Kind::kResolvers;
  if (!std::exchange(told_of_lost_, true))
    Tell("error", "the supervisor of the mesh has no file descriptor left for " +
                      (resolvers ? std::string("the sockets to the host's resolvers")
                                 : "the host's port " + std::to_string(message.host_port.value)) +
                      ", which is asked for again each second (raise the limit of open files, ulimit -n, before `plait "
                      "up`, or run fewer workloads)");
  lost_.push_back(resolvers ? OuterMessage{.kind = OuterMessage::Kind::kResolve}
                            : OuterMessage{.kind = OuterMessage::Kind::kListen, .port = message.port});
  ask_again_ = loop_.After(kAskAgain, [this] { AskAgain(); });
}

void Supervisor::AskAgain() {
  for (const OuterMessage& message : std::exchange(lost_, {})) ToOuter(message);
}

void Supervisor::OnPlaitdStarted() {
  const std::vector<RunningPod> running = pods_->Running();
  plaitd_->Send(EncodeRunning(running));
  table_due_ = !running.empty();  // it waits for how they are, even if none is left by then
  sent_.clear();
  problems_.clear();  // it tells what is wrong anew
  statuses_sent_ = statuses_known_ = 0;
  OnPodChange();
}

void Supervisor::OnPlaitd(PlaitdMessage message) {
  if (auto* pods = std::get_if<DesiredPods>(&message)) {
    if (state_ == State::kStopping) return;
    have_pods_ = true;
    return pods_->Want(std::move(pods->pods));
  }
  if (auto* ports = std::get_if<GatewayPorts>(&message)) return OnGatewayPorts(std::move(ports->ports));
  if (auto* services = std::get_if<Services>(&message)) {
    if (cluster_ips_) cluster_ips_->SetServices(std::move(services->ports));
    return;
  }
  if (const auto* known = std::get_if<CaughtUp>(&message)) {
    statuses_known_ = known->statuses;
    return OnPodChange();
  }
  if (auto* hosts = std::get_if<MeshHosts>(&message)) {
    if (loopback_) loopback_->SetHosts(hosts->hosts);
    mesh_->hosts = std::move(hosts->hosts);
    return;
  }
  if (auto* notice = std::get_if<Notice>(&message)) return OnNotice(*notice);
  if (auto* defaults = std::get_if<Defaults>(&message)) return OnDefaults(std::move(defaults->texts));
  OnHello(std::get<Hello>(std::move(message)));
}

void Supervisor::OnHello(Hello hello) {
  mesh_->hello = std::move(hello);
  const std::string& error = mesh_->hello.error;
  // What keeps it from starting is the same at each of its starts: it is told once, and so is its end.
  const bool is_new = std::exchange(last_plaitd_error_, error) != error;
  if (error.empty()) last_plaitd_end_.clear();
  if (is_new && !error.empty()) Tell("error", error);
  pods_->StartProxies();
}

void Supervisor::OnGatewayPorts(std::vector<ServerPort> ports) {
  mesh_->server_ports = std::move(ports);
  for (const ServerPort& served : mesh_->server_ports) {
    if (!served.port || !served.on_host || gateway_ports_.contains(served.port.value)) continue;
    ++mesh_->gateway_sockets_missing;
    gateway_ports_[served.port.value] = Port{};
    ToOuter({.kind = OuterMessage::Kind::kListen, .port = served.port});
  }
  CloseAtUnserved();
  if (mesh_->gateway_sockets_missing == 0) pods_->OnGatewaySockets();
}

void Supervisor::CloseAtUnserved() {
  refusing_.clear();
  for (const node::NamedSocket& host : mesh_->gateway_sockets) {
    const bool served = std::any_of(mesh_->server_ports.begin(), mesh_->server_ports.end(),
                                    [&](const ServerPort& port) { return port.on_host && port.name() == host.name; });
    if (!served) refusing_.push_back(std::make_unique<io::Listener>(loop_, host.fd.get(), false, [](io::UniqueFd) {}));
  }
}

void Supervisor::OnPodChange() {
  if (std::exchange(settling_, true)) return;
  loop_.Defer([this] { Settle(); });
}

void Supervisor::Settle() {
  settling_ = false;
  if (state_ == State::kStopping) {
    // Nobody removes their links one by one: they go with the namespaces.
    if (!pods_->AllGone()) return;
    plaitd_->Stop();
    loop_.Stop();
    return;
  }
  pods_->Settle();
  std::vector<PodStatus> table = pods_->Statuses();
  if (std::exchange(table_due_, false) || table != sent_) {
    sent_ = std::move(table);
    plaitd_->Send(EncodeStatus(sent_));
    ++statuses_sent_;
  }
  const bool ready = AllReady();
  // Told only when a request would find its way: the last endpoint must have come to the gateway.
  if (ready && state_ == State::kStarting && statuses_known_ != statuses_sent_) return;
  if (ready && state_ == State::kStarting) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.clock().Now() - started_);
    const std::string count = std::to_string(pods_->size());
    Tell("step", count + " of " + count + " workloads ready in " + std::to_string(took.count()) + " ms");
    const bool broken = std::any_of(problems_.begin(), problems_.end(), IsError);
    ToOuter({.kind = OuterMessage::Kind::kReady, .severity = broken ? "error" : ""});
  }
  if (ready) state_ = State::kReady;
  if (!ready && state_ == State::kReady) state_ = State::kDegraded;
}

bool Supervisor::AllReady() const {
  if (!have_pods_ || mesh_->hello.root_pem.empty()) return false;
  if (std::any_of(gateway_ports_.begin(), gateway_ports_.end(), [](const auto& port) { return !port.second; }))
    return false;
  return pods_->AllReady();
}

void Supervisor::OnNotice(const Notice& notice) {
  std::erase_if(problems_, [&](const Notice& known) { return known.text == notice.text; });
  if (notice.severity == "retold") return;
  if (notice.severity == "mended") return Send("step", "mended: " + notice.text);
  if (notice.severity != "info") KeepProblem(problems_, notice);
  Send(notice.severity, notice.text);
}

void Supervisor::OnDefaults(std::vector<std::string> texts) {
  for (const std::string& text : texts)
    if (std::find(defaults_.begin(), defaults_.end(), text) == defaults_.end()) Send("info", text);
  defaults_ = std::move(texts);
}

void Supervisor::Tell(std::string severity, std::string text) {
  if (severity == "warning" || severity == "error") {
    kLog.Warn(text);
    last_notices_.push_back(text);
    if (last_notices_.size() > kMaxNotices) last_notices_.erase(last_notices_.begin());
  }
  Send(std::move(severity), std::move(text));
}

void Supervisor::Send(std::string severity, std::string text) {
  ToOuter({.kind = OuterMessage::Kind::kNotice, .severity = std::move(severity), .text = std::move(text)});
}

void Supervisor::ToOuter(OuterMessage message) {
  // One that takes nothing any more is about to close the socket, which ends the mesh.
  if (const Result<> sent = to_outer_.Send(std::move(message)); !sent) kLog.Info(sent.error().detail);
}

void Supervisor::FlushToOuter() {
  if (const Result<> sent = to_outer_.Flush(); !sent) kLog.Info(sent.error().detail);
  const std::size_t dropped = to_outer_.TakeDropped();
  if (dropped == 0) return;
  const std::string text = std::to_string(dropped) + " more messages came at once and are not shown here (plait logs" +
                           options_.paths.named() + " plaitd has what is of the configuration)";
  kLog.Info(text);
  Send("warning", text);
}

void Supervisor::Stop() {
  if (std::exchange(state_, State::kStopping) == State::kStopping) return;
  pods_->StopAll();
}

void Supervisor::RemoveOverlay(const std::string& file) { unlink((options_.paths.overlay() + "/" + file).c_str()); }

void Supervisor::Down() {
  ToOuter({.kind = OuterMessage::Kind::kEnding});
  Stop();
}

MeshStatus Supervisor::Status() {
  MeshStatus out;
  out.name = options_.paths.name;
  const char* const states[] = {"starting", "ready", "degraded", "stopping"};
  out.state = states[static_cast<std::size_t>(state_)];
  out.mode = NameOf(options_.mode);
  out.mode_reason = options_.mode_reason;
  out.limits = LimitsOf(options_.mode);
  out.directory = options_.directory;
  out.run_dir = options_.paths.run;
  out.state_dir = options_.paths.state;
  out.debug_url = "http://127.0.0.1:" + std::to_string(debug_port_.value);
  out.trust_domain = mesh_->hello.trust_domain;
  out.plaitd_pid = plaitd_->pid();
  out.defaults = defaults_;
  if (!mesh_->log_losses.empty()) out.messages.push_back(TextOf(mesh_->log_losses));
  for (const Notice& problem : problems_) out.messages.push_back(problem.text);
  out.messages.insert(out.messages.end(), last_notices_.begin(), last_notices_.end());
  for (const auto& [port, host] : gateway_ports_) {
    out.gateway_ports.push_back({Port{port}, host});
    const std::string scheme = SchemeOf(mesh_->server_ports, port);
    if (host && !scheme.empty() && (out.url.empty() || port == 80))
      out.url = scheme + "://127.0.0.1:" + std::to_string(host.value);
  }
  out.workloads = pods_->Workloads();
  return out;
}

Outcome<io::UniqueFd> Supervisor::Dial(const std::string& workload, Port port) {
  const Outcome<Pod*> pod = pods_->Find(workload);
  if (!pod) return std::unexpected(pod.error());
  return (*pod)->DialLoopback(port);
}

Outcome<Joined> Supervisor::Exec(const std::string& workload, const std::string& container, JoinPlan plan) {
  const Outcome<Pod*> pod = pods_->Find(workload);
  if (!pod) return std::unexpected(pod.error());
  return (*pod)->Exec(container, std::move(plan));
}

Outcome<> Supervisor::ReplaceProxy(const std::string& workload) {
  const Outcome<Pod*> pod = pods_->Find(workload);
  if (!pod) return std::unexpected(pod.error());
  return (*pod)->ReplaceProxy();
}

Outcome<> Supervisor::RenewIdentity(const std::string& workload) {
  const Outcome<Pod*> pod = pods_->Find(workload);
  if (!pod) return std::unexpected(pod.error());
  return (*pod)->RenewIdentity();
}

Outcome<std::string> Supervisor::CheckCapture(const std::string& workload) {
  const Outcome<Pod*> pod = pods_->Find(workload);
  if (!pod) return std::unexpected(pod.error());
  return (*pod)->CheckCapture();
}

int SupervisorMain(int outer) {
  // Beside the end of the socket: if `plait` leaked its end into some child, this still ends the mesh.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // where it is not pid 1 (mode loopback)
  signal(SIGPIPE, SIG_IGN);
  io::UniqueFd socket(outer);
  fcntl(outer, F_SETFD, FD_CLOEXEC);
  fcntl(outer, F_SETFL, 0);
  Result<ReceivedMessage> first = ReceiveMessage(outer);
  if (!first || first->message.kind != OuterMessage::Kind::kOptions) return 1;
  io::Loop loop;
  Supervisor supervisor(loop, std::move(socket), std::move(*first));
  if (Outcome<> started = supervisor.Start(); !started) {
    const Result<> told = SendMessage(
        outer, {.kind = OuterMessage::Kind::kNotice, .severity = "fatal", .text = started.error().ToString()});
    return told ? 1 : 2;  // 2: nobody is there to be told
  }
  supervisor.Run();
  _exit(0);  // what is left in the mesh ends with its pid 1, all at once
}

}  // namespace plait::local
