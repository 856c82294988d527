#include "local/envoy_process.h"

#include <signal.h>
#include <unistd.h>

#include "core/base/proxy_ports.h"
#include "core/io/socket.h"
#include "local/bootstrap.h"
#include "local/spawn.h"

namespace plait::local {
namespace {

// As of a plait-proxy, and Istio's: what a new listener forbids goes on for so long under the old one.
constexpr const char* kDrainTime = "45";

}  // namespace

Outcome<bool> WantsEnvoy(const PodSpec& pod) {
  const std::string* proxy = pod.Annotation("plait.dev/proxy");
  if (!proxy || *proxy == "plait-proxy" || pod.proxy == ProxyKind::kNone) return false;
  if (*proxy != "envoy")
    return Explain(Errc::kInvalidInput, "annotation plait.dev/proxy: \"" + *proxy + "\" is unknown",
                   "write envoy, or leave the annotation out for plait-proxy");
  if (pod.proxy == ProxyKind::kSidecar) return true;
  return Explain(Errc::kInvalidInput, "annotation plait.dev/proxy: a gateway's host ports are given to a plait-proxy",
                 "leave the annotation out; sidecars may have an Envoy");
}

EnvoyProcess::EnvoyProcess(MeshContext& mesh, Surroundings around, std::function<void()> on_change)
    : mesh_(mesh), around_(around), on_change_(std::move(on_change)) {
  restart_.SetCallback([this] { SpawnOne(); });
  kill_.SetCallback([this] {
    if (pid_ > 0) kill(pid_, SIGKILL);
  });
}

EnvoyProcess::~EnvoyProcess() {
  if (pid_ > 0) kill(pid_, SIGKILL);
}

Outcome<> EnvoyProcess::WriteBootstrap() const {
  bool delta = true;
  if (const std::string* type = around_.pod.Annotation("plait.dev/xds-api-type")) {
    delta = *type == "DELTA_GRPC";
    if (!delta && *type != "GRPC")
      return Explain(Errc::kInvalidInput, "annotation plait.dev/xds-api-type: \"" + *type + "\" is unknown",
                     "write DELTA_GRPC or GRPC");
  }
  const BootstrapInput common = around_.identity.Input();
  return WritePrivate(around_.identity.Folder() + "/envoy.yaml",
                      EnvoyBootstrapYaml({.common = common, .sds_path = around_.identity.SdsSocket(), .delta = delta}));
}

Outcome<> EnvoyProcess::Start() {
  program_ = mesh_.options.envoy.empty() ? FindProgram("envoy", mesh_.options.search_path) : mesh_.options.envoy;
  if (program_.empty() || access(program_.c_str(), X_OK) != 0)
    return Explain(Errc::kNotFound,
                   "annotation plait.dev/proxy: envoy, but there is no program " +
                       (program_.empty() ? std::string("envoy on PATH") : program_),
                   "install Envoy, or say in PLAIT_ENVOY where it is, and start the mesh again");
  if (Outcome<> written = WriteBootstrap(); !written) return written;
  auto log = LogFile::Open(mesh_.loop, mesh_.log_losses,
                           mesh_.options.paths.LogOf(around_.pod.ns, around_.pod.name, "istio-proxy"));
  if (!log) return std::unexpected(log.error());
  log_ = std::move(*log);
  started_ = true;
  SpawnOne();
  return {};
}

void EnvoyProcess::StartProbe() {
  probe_ = std::make_unique<Prober>(mesh_.loop, around_.target, ProxyReadiness(), true,
                                    [this](bool healthy, const std::string& why) {
                                      reason_ = healthy ? "" : "proxy not ready: " + why;
                                      on_change_();
                                    });
  probe_->Start();
}

void EnvoyProcess::SpawnOne() {
  const int concurrency = around_.pod.concurrency > 0 ? around_.pod.concurrency : mesh_.options.concurrency;
  SpawnPlan plan;
  plan.argv = {program_,
               "-c",
               around_.identity.Folder() + "/envoy.yaml",
               "--concurrency",
               std::to_string(concurrency),
               "--disable-hot-restart",
               "--drain-strategy",
               "immediate",
               "--drain-time-s",
               kDrainTime,
               "--log-level",
               "warning"};
  plan.netns = around_.network.netns.get();
  plan.output = log_->writing_end();
  const Outcome<pid_t> pid = Spawn(plan);
  if (!pid) {
    reason_ = pid.error().ToString();
    restart_.Start(mesh_.loop.timers(), kProxyBackOff.longest);
    return on_change_();
  }
  pid_ = *pid;
  running_since_ = mesh_.loop.Now();
  StartProbe();
  end_ = mesh_.reaper.Watch(pid_, [this](ProcessEnd end) { OnEnded(end); });
}

void EnvoyProcess::OnEnded(ProcessEnd end) {
  pid_ = 0;
  probe_.reset();  // it is not ready now, and the next one not before it answers: nobody keeps its sockets meanwhile
  kill_.Cancel();
  log_->Drain();
  if (stopping_) return on_change_();
  reason_ = "proxy ended with " + end.ToString();
  log_->Append("plait: " + reason_ + ", it is started again\n");
  ++restarts_;
  back_off_.Lived(mesh_.loop.Now() - running_since_);
  restart_.Start(mesh_.loop.timers(), back_off_.Next());
  on_change_();
}

std::unique_ptr<io::Stream> EnvoyProcess::DialAdmin() {
  auto stream = mesh_.networks.Within(around_.network, [&] {
    return io::Connect(mesh_.loop,
                       {.ip = *io::IpAddress::Parse("127.0.0.1"), .port = proxy_ports::kAdmin, .unix_path = {}},
                       {.mark = io::kMarkToApplication});
  });
  return stream ? std::move(*stream) : nullptr;
}

void EnvoyProcess::Stop(Duration grace) {
  stopping_ = true;
  restart_.Cancel();
  if (pid_ == 0) return;
  drain_ = std::make_unique<EnvoyDrain>(
      mesh_.loop, [this] { return DialAdmin(); },
      [this] {
        if (pid_ > 0) kill(pid_, SIGTERM);
      });
  kill_.Start(mesh_.loop.timers(), grace);
}

}  // namespace plait::local
