#include "local/proxy_process.h"

#include <signal.h>

#include <algorithm>
#include <array>

#include "core/base/encoding.h"
#include "core/base/random.h"
#include "core/io/socket.h"
#include "core/tls/certificate.h"
#include "local/cluster_ips.h"
#include "local/dial_helper.h"
#include "local/mesh_status.h"
#include "local/spawn.h"

namespace plait::local {
namespace {

// Until a new one has its configuration; `plait proxy restart` waits a little longer and tells what becomes of it.
constexpr Duration kReadyWithin = std::chrono::seconds(25);
// Of a proxy in whose place another one is: longer than its drain time.
constexpr Duration kReplacedGrace = std::chrono::seconds(60);

std::string NewToken() {
  std::array<std::uint8_t, 32> secret{};
  FillSecret(secret);
  return HexEncode(secret);
}

// What a gateway that got the host's port of it was handed.
std::string OnHost(const ServerPort& port) { return "host:" + port.name(); }

}  // namespace

ProxyProcess::ProxyProcess(MeshContext& mesh, const PodSpec& pod, const PodNetwork& network, ProbeTarget& target,
                           std::function<void()> on_change, Role role)
    : mesh_(mesh),
      pod_(pod),
      network_(network),
      on_change_(std::move(on_change)),
      target_(target),
      role_(role),
      token_(NewToken()),
      token_sha256_(HexEncode(AsBytes(tls::Sha256(token_)))),
      replaced_(mesh.loop, mesh.reaper, kReplacedGrace) {
  restart_.SetCallback([this] { SpawnOne(); });
  kill_.SetCallback([this] {
    if (pid_ > 0) kill(pid_, SIGKILL);
  });
}

ProxyProcess::~ProxyProcess() {
  if (successor_) kill(successor_->pid(), SIGKILL);
  if (pid_ > 0) kill(pid_, SIGKILL);
  RemoveTree(Folder());
}

std::string ProxyProcess::Folder() const { return mesh_.options.paths.proxies() + "/" + pod_.ns + "." + pod_.name; }

BootstrapInput ProxyProcess::Input() const {
  return {.pod = pod_,
          .ips = network_.IpTexts(),
          .token_path = Folder() + "/token",
          .root_path = Folder() + "/root.pem",
          .control_address = mesh_.networks.ControlAddress().ip.ToString(),
          .xds_port = mesh_.hello.xds_port};
}

Outcome<> ProxyProcess::WriteFiles() {
  const std::string folder = Folder();
  if (Outcome<> made = MakeFolders(folder); !made) return made;
  const BootstrapInput input = Input();
  const std::pair<std::string, std::string> files[] = {
      {input.token_path, token_},
      {input.root_path, mesh_.hello.root_pem},
      // As in the /etc/hosts of applications: what a person's curl resolves, a ServiceEntry's endpoint resolves too.
      {folder + "/hosts", HostLoopback().ToString() + " " + kHostLoopbackName + "\n"},
      {folder + "/bootstrap.yaml", role_ == Role::kProxy ? BootstrapYaml(input) : IdentityBootstrapYaml(input)}};
  for (const auto& [path, text] : files)
    if (Outcome<> written = WritePrivate(path, text); !written) return written;
  return {};
}

Outcome<> ProxyProcess::Start() {
  if (Outcome<> written = WriteFiles(); !written) return written;  // an Envoy beside begins with them at once
  if (!log_) {
    const char* name = role_ == Role::kProxy ? "istio-proxy" : "plait-identity";
    auto log = LogFile::Open(mesh_.loop, mesh_.log_losses, mesh_.options.paths.LogOf(pod_.ns, pod_.name, name));
    if (!log) return std::unexpected(log.error());
    log_ = std::move(*log);
  }
  started_ = true;
  if (role_ == Role::kIdentity) {
    SpawnOne();
    return {};
  }
  probe_ = std::make_unique<Prober>(mesh_.loop, target_, ProxyReadiness(), true,
                                    [this](bool healthy, const std::string& why) {
                                      reason_ = healthy ? "" : "proxy not ready: " + why;
                                      on_change_();
                                    });
  probe_->Start();
  SpawnOne();
  return {};
}

void ProxyProcess::SpawnOne() {
  resolvers_ = mesh_.resolvers.Ask([this](const std::vector<node::NamedSocket>& sockets) {
    Outcome<> spawned;
    if (pid_ != 0) {
      spawned = SpawnSuccessor(sockets);
    } else if (const Outcome<pid_t> pid = SpawnWith(sockets, -1); pid) {
      Adopt(*pid);
    } else {
      spawned = std::unexpected(pid.error());
    }
    if (spawned) return;
    (pid_ != 0 ? not_replaced_ : reason_) = spawned.error().ToString();
    restart_.Start(mesh_.loop.timers(), kProxyBackOff.longest);
    on_change_();
  });
}

Outcome<> ProxyProcess::SpawnSuccessor(const std::vector<node::NamedSocket>& resolvers) {
  if (const pid_t earlier = DropSuccessor(); earlier != 0) replaced_.Drain(earlier);
  auto started =
      Successor::Start(mesh_.loop, mesh_.reaper, kReadyWithin, [&](int ready) { return SpawnWith(resolvers, ready); },
                       {.on_ready = [this] { TakeOver(); },
                        .on_ended =
                            [this](const std::string& why) {
                              DropSuccessor();
                              KeepThisOne(why);
                            },
                        .on_overdue =
                            [this](const std::string& why) {
                              replaced_.Drain(DropSuccessor());
                              KeepThisOne(why);
                            }});
  if (!started) return std::unexpected(started.error());
  successor_ = std::move(*started);
  return {};
}

void ProxyProcess::Adopt(pid_t pid) {
  pid_ = pid;
  running_since_ = mesh_.loop.Now();
  end_ = mesh_.reaper.Watch(pid_, [this](ProcessEnd end) { OnEnded(end); });
}

void ProxyProcess::TakeOver() {
  const pid_t old = pid_;
  end_.Cancel();
  Adopt(DropSuccessor());
  replaced_.Drain(old);
  not_replaced_.clear();
  on_change_();
}

void ProxyProcess::KeepThisOne(const std::string& why) {
  not_replaced_ =
      "the proxy was not replaced: the new process " + why + ", process " + std::to_string(pid_) + " goes on";
  log_->Append("plait: " + not_replaced_ + "\n");
  // A gateway needs another one for the sockets that it has not got.
  if (pod_.proxy == ProxyKind::kGateway) restart_.Start(mesh_.loop.timers(), kProxyBackOff.longest);
  on_change_();
}

// May run inside its callback.
pid_t ProxyProcess::DropSuccessor() {
  const pid_t pid = successor_ ? successor_->pid() : 0;
  if (successor_) successor_->Forget();
  mesh_.loop.DeleteLater(std::move(successor_));
  return pid;
}

Outcome<pid_t> ProxyProcess::SpawnWith(const std::vector<node::NamedSocket>& resolvers, int ready) {
  const int concurrency = pod_.concurrency > 0 ? pod_.concurrency : mesh_.options.concurrency;
  SpawnPlan plan;
  plan.argv = {BinaryFolder() + "/plait-proxy", "-c", Folder() + "/bootstrap.yaml", "--concurrency",
               std::to_string(concurrency)};
  if (!mesh_.options.confine_proxies) plan.argv.emplace_back("--no-seccomp");
  // Where the mesh has a network of its own; one that serves DNS alone asks resolvers over TCP.
  std::string inside;
  for (const io::Cidr& range : mesh_.networks.DialledDirectly())
    inside += (inside.empty() ? "" : ",") + range.ToString();
  // What stands for a service is known by its routes alone. Dialled as an address it must fail here: outside it may be
  // somebody else's.
  if (!inside.empty())
    for (const io::Cidr& range : ClusterIps::Ranges()) inside += "," + range.ToString();
  if (!inside.empty())
    plan.argv.insert(plan.argv.end(), {"--dial-helper", mesh_.options.paths.dial_socket(), "--dial-directly", inside,
                                       "--more-hosts", Folder() + "/hosts"});
  if (!network_.netns)
    plan.argv.insert(plan.argv.end(), {"--loopback-address", network_.ips.front().ToString(), "--application-address",
                                       network_.application.ToString()});
  if (role_ == Role::kIdentity) plan.argv.insert(plan.argv.end(), {"--identity-only", "--sds", "unix:" + SdsSocket()});
  plan.netns = network_.netns.get();
  plan.output = log_->writing_end();
  const auto hand_over = [&](const auto& sockets) {
    for (const node::NamedSocket& socket : sockets) plan.sockets.emplace_back(socket.name, socket.fd.get());
  };
  hand_over(network_.sockets);
  hand_over(resolvers);
  if (pod_.proxy == ProxyKind::kGateway) {
    OpenServerPorts();
    handed_.clear();
    for (const ServerPort& port : mesh_.server_ports) {
      if (port.IsServedBy(pod_)) handed_.insert(port.name());
      if (!port.IsOnHostFor(pod_)) continue;
      handed_.insert(OnHost(port));
      for (const node::NamedSocket& host : mesh_.gateway_sockets)
        if (host.name == port.name()) plan.sockets.emplace_back(host.name, host.fd.get());
    }
    hand_over(server_ports_);
  }
  if (ready >= 0) plan.sockets.emplace_back("ready", ready);
  if (Outcome<> written = WriteFiles(); !written) return std::unexpected(written.error());  // other roots by now
  return Spawn(plan);
}

bool ProxyProcess::HasItsPorts() const {
  return std::all_of(mesh_.server_ports.begin(), mesh_.server_ports.end(), [&](const ServerPort& port) {
    if (port.IsServedBy(pod_) && !handed_.contains(port.name())) return false;
    return !port.on_host || handed_.contains(OnHost(port)) == port.IsOnHostFor(pod_);
  });
}

void ProxyProcess::OpenServerPorts() {
  not_opened_.clear();
  for (const ServerPort& served : mesh_.server_ports) {
    if (!served.port || !served.IsServedBy(pod_)) continue;
    const std::string name = served.name();
    for (const io::IpAddress& ip : network_.ips) {
      const auto is_it = [&](const node::NamedSocket& own) {
        return own.name == name && io::LocalAddress(own.fd.get()).ip == ip;
      };
      if (std::any_of(server_ports_.begin(), server_ports_.end(), is_it)) continue;
      auto opened = mesh_.networks.Within(
          network_, [&] { return io::ListenOn(io::SocketAddress{.ip = ip, .port = served.port, .unix_path = {}}); });
      if (opened && *opened) {
        server_ports_.push_back({name, std::move(**opened)});
        continue;
      }
      const std::string why = (opened ? opened->error() : opened.error()).message;
      log_->Append("plait: " + std::string(kNotReached) + why + "\n");
      // On the loopback another program may have it, or the port be closed to users: the host's socket is there.
      if (network_.netns && not_opened_.empty()) not_opened_ = kNotReached + why;
    }
  }
}

Outcome<> ProxyProcess::Replace() {
  if (!started_ || stopping_ || pid_ == 0)
    return Explain(Errc::kUnavailable, "the proxy of " + pod_.name + " does not run",
                   reason_.empty() ? "plait status" + mesh_.options.paths.named() : reason_);
  not_replaced_.clear();
  if (probe_ && probe_->healthy()) reason_.clear();  // why an earlier one ended
  SpawnOne();
  return {};
}

Outcome<> ProxyProcess::StartAfresh() {
  if (!started_ || stopping_ || pid_ == 0)
    return Explain(Errc::kUnavailable, "the process that keeps the identity of " + pod_.name + " does not run",
                   "plait logs" + mesh_.options.paths.named() + " -c plait-identity " + pod_.name + "." + pod_.ns);
  afresh_ = true;
  kill(pid_, SIGKILL);
  return {};
}

void ProxyProcess::OnEnded(ProcessEnd end) {
  pid_ = 0;
  kill_.Cancel();
  log_->Drain();
  if (stopping_) {
    server_ports_.clear();  // nobody accepts there any more
    return on_change_();
  }
  if (std::exchange(afresh_, false)) return SpawnOne();
  reason_ = "proxy ended with " + end.ToString();
  not_replaced_.clear();
  log_->Append("plait: " + reason_ + ", it is started again\n");
  ++restarts_;
  if (const pid_t next = DropSuccessor(); next != 0) {
    Adopt(next);
    return on_change_();
  }
  back_off_.Lived(mesh_.loop.Now() - running_since_);
  restart_.Start(mesh_.loop.timers(), back_off_.Next());
  on_change_();
}

void ProxyProcess::Stop(Duration grace) {
  stopping_ = true;
  restart_.Cancel();
  resolvers_.Cancel();
  if (const pid_t next = DropSuccessor(); next != 0) replaced_.Drain(next);
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  kill_.Start(mesh_.loop.timers(), grace);
}

}  // namespace plait::local
