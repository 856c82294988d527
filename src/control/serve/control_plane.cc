#include "control/serve/control_plane.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "control/model/finding_limit.h"
#include "control/serve/mesh_pages.h"
#include "control/serve/object_events.h"
#include "control/serve/process_metrics.h"
#include "control/serve/refusals.h"
#include "control/serve/state_lock.h"
#include "core/base/capture_annotations.h"
#include "core/base/log.h"
#include "core/base/strings.h"
#include "core/conn/in_turn.h"

namespace plait::control::serve {
namespace {

log::Component kLog("plaitd");

constexpr Duration kSettled = std::chrono::seconds(1);  // after a change, until conflicts are logged
constexpr Duration kIdleDebug = std::chrono::minutes(1);

// Where `plait up` differs from Istio in what nobody has written.
std::vector<std::string> DefaultsOf(const model::Snapshot& snapshot) {
  std::vector<std::string> out;
  if (snapshot.access_log_by_default())
    out.emplace_back("access log in the proxies' logs (Istio's default: off; accessLogFile of MeshConfig moves it)");
  if (snapshot.strict_by_default())
    out.push_back("mutual TLS STRICT (Istio's default: PERMISSIVE; a PeerAuthentication of that mode in namespace " +
                  snapshot.mesh().root_namespace + " gives it)");
  return out;
}

// What a finding is of, without its place and the next step.
std::string SubjectOf(const model::Finding& finding) {
  const Diagnostic& said = finding.diagnostic;
  model::Finding subject{finding.severity, {.message = said.message, .object = said.object}, finding.code};
  subject.diagnostic.at.file = said.at.file;
  return subject.ToString();
}

// Whether connections of the pod may go to addresses of services past a proxy: it has none, or is told to leave some.
bool GoesPastProxies(const source::PodTemplate& pod) {
  if (pod.proxy == source::ProxyKind::kNone) return true;
  constexpr std::string_view kLeaving[] = {capture_annotations::kExcludeOutboundPorts,
                                           capture_annotations::kExcludeOutboundRanges,
                                           capture_annotations::kIncludeOutboundRanges};
  return std::ranges::any_of(kLeaving,
                             [&pod](std::string_view name) { return pod.annotations.contains(std::string(name)); });
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

ControlPlane::ControlPlane(io::Loop& loop, ControlPlaneOptions options, std::function<void()> on_end)
    : loop_(loop), options_(std::move(options)), on_end_(std::move(on_end)), status_timer_([this] { TellStatus(); }) {}

ControlPlane::~ControlPlane() = default;

io::UniqueFd ControlPlane::TakeInherited(std::string_view name) {
  for (io::InheritedFd& inherited : options_.inherited)
    if (inherited.name == name && inherited.fd) return std::move(inherited.fd);
  return {};
}

Outcome<> ControlPlane::Start() {
  // The supervisor may speak before all else is there, and goes on to where that fails.
  pods_ = std::make_unique<source::PodsController>(loop_, source::PodsOptions{.end_limit = options_.end_limit},
                                                   [this] { Changed("endpoint"); });
  StartChannel();
  Outcome<> served = StartServers();
  if (!served) {
    if (channel_) channel_->Send(source::Hello{.error = served.error().ToString()});
    return served;
  }
  changed_at_ = loop_.Now();
  Rebuild();
  debug_->SetReady(true);
  kLog.Info("serving " + std::to_string(files_->objects().size()) + " objects on " + xds_address_.ToString() +
            (debug_address_.port ? ", debug pages on " + debug_address_.ToString() : std::string()));
  SayHello();
  return {};
}

void ControlPlane::SayHello() {
  if (channel_)
    channel_->Send(source::Hello{.root_pem = authority_->bundle_pem(),
                                 .xds_port = xds_address_.port.value,
                                 .trust_domain = authority_->trust_domain()});
}

// Of a rotation: who is connected hears of other roots at once, and asks for a new certificate then.
void ControlPlane::ReloadAuthority() {
  if (ads_ == nullptr) return;  // the start has failed
  const Outcome<bool> changed = authority_->Reload();
  authority_finding_.reset();
  if (!changed) {
    authority_finding_ = {.severity = model::Severity::kError, .diagnostic = changed.error()};
    authority_finding_->diagnostic.message +=
        "; the mesh goes on with the authority that plaitd has read before, but plaitd could not start anew";
  }
  TellFindings();
  if (!changed || !*changed) return;
  kLog.Info("the authority's certificates have changed; its own ends on " +
            FormatRfc3339(authority_->root_not_after()));
  if (const Outcome<> renewed = secure_->Renew(); !renewed)
    kLog.Error("the own certificate was not renewed: " + renewed.error().ToString());
  SayHello();
  ads_->ConfigChanged(provider_->SetRoots(authority_->bundle_pem()));
}

void ControlPlane::StartChannel() {
  io::UniqueFd socket = TakeInherited("supervisor");
  if (!socket) return;
  local_ = true;
  source::SupervisorChannel::Events events;
  events.on_running = [this](source::RunningPods running) {
    runs_already_ = !running.empty();
    pods_->Adopt(std::move(running));
    Changed("endpoint");
  };
  events.on_status = [this](source::PodStatuses statuses) {
    status_known_ = true;
    ++statuses_;
    pods_->SetStatuses(std::move(statuses));
    PublishTokens();
    Changed("endpoint");
  };
  events.on_closed = [this](const char* why) {
    kLog.Info(std::string("the supervisor has gone: ") + why);
    on_end_();
  };
  channel_ = std::make_unique<source::SupervisorChannel>(io::AdoptSocket(loop_, std::move(socket)), std::move(events));
}

Outcome<> ControlPlane::StartServers() {
  auto lock = LockState(options_.state_dir);
  if (!lock) return std::unexpected(std::move(lock.error()));
  state_lock_ = std::move(*lock);
  files_ =
      std::make_unique<source::DirectorySource>(loop_,
                                                source::DirectoryOptions{.directories = options_.directories,
                                                                         .state_dir = options_.state_dir,
                                                                         .root_namespace = options_.root_namespace},
                                                [this] { Changed("config"); });

  model::SnapshotOptions first;
  first.mesh.trust_domain = options_.trust_domain;
  first.mesh.root_namespace = options_.root_namespace;
  const auto mesh = model::Snapshot::Build(files_->objects(), pods_->workloads(), first);
  const ca::AuthorityOptions authority{.trust_domain = mesh->mesh().trust_domain};
  auto loaded = options_.cacerts_dir.empty() ? ca::Authority::LoadOrCreate(options_.state_dir + "/ca", authority)
                                             : ca::Authority::LoadPlugged(options_.cacerts_dir, authority);
  if (!loaded) return std::unexpected(loaded.error());
  authority_ = std::move(*loaded);
  authority_watch_ = std::make_unique<source::FolderWatch>(loop_, source::WatchTiming{}, [this] { ReloadAuthority(); });
  authority_watch_->Watch({authority_->folder().string()});

  provider_ = std::make_unique<MeshProvider>(authority_->bundle_pem());
  secure_ = std::make_unique<SecureServer>(loop_, *authority_, SecureServerOptions{});
  ca::AddCertificateService(secure_->grpc(), *authority_, tokens_, ca_counts_);
  ads_ = std::make_unique<AdsServer>(
      loop_, secure_->grpc(), *provider_, tokens_, metrics_,
      AdsOptions{.trust_domain = authority_->trust_domain(), .answer_timeout = options_.send_timeout});
  ads_->OnCaughtUp([this] {
    TellCaughtUp();
    TellPods();
  });
  ads_->OnRefusals([this] {
    if (std::exchange(refusals_due_, true)) return;
    loop_.Defer([this, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.expired()) return;
      refusals_due_ = false;
      TellFindings();
    });
  });
  if (io::UniqueFd listener = TakeInherited("15012")) {
    xds_address_ = io::LocalAddress(listener.get());
    if (Outcome<> adopted = secure_->Adopt(std::move(listener)); !adopted) return adopted;
  }
  for (const io::SocketAddress& address : options_.listen) {
    auto bound = secure_->Listen(address);
    if (!bound) return std::unexpected(bound.error());
    if (!xds_address_.port) xds_address_ = *bound;
  }
  return StartDebug();
}

Outcome<> ControlPlane::StartDebug() {
  debug_ = std::make_unique<DebugEndpoints>(
      *ads_, tokens_, metrics_,
      DebugOptions{.version = options_.version, .system_namespaces = {options_.root_namespace, "plait-system"}});
  AddMeshPages(*debug_, {.snapshot = [this] { return provider_->snapshot(); },
                         .problems = [this] { return Problems(); },
                         .written = [this] { return files_->Written(); }});
  debug_->BeforeScrape([this](Metrics& metrics) {
    SetProcessMetrics(metrics);
    metrics.Set("citadel_server_csr_count", {}, static_cast<double>(ca_counts_.requests));
    metrics.Set("citadel_server_success_cert_issuance_count", {}, static_cast<double>(ca_counts_.issued));
    metrics.Set("citadel_server_authentication_failure_count", {},
                static_cast<double>(ca_counts_.authentication_failures));
    metrics.Set("citadel_server_csr_parsing_err_count", {}, static_cast<double>(ca_counts_.csr_failures));
    metrics.Set("citadel_server_root_cert_expiry_timestamp", {},
                Seconds(authority_->root_not_after().time_since_epoch()));
  });
  debug_server_ = std::make_unique<conn::HttpServer>(
      loop_, conn::HttpServerOptions{.connection = {.idle_timeout = kIdleDebug}, .max_body = 4096},
      conn::InTurn(loop_, [this](const conn::Request& request, conn::Responder responder) {
        debug_->Handle(request, std::move(responder));
      }));
  if (io::UniqueFd listener = TakeInherited("15014")) {
    debug_address_ = io::LocalAddress(listener.get());
    debug_server_->Listen(std::move(listener));
  }
  if (!options_.debug_address) return {};
  auto bound = debug_server_->ListenOn(*options_.debug_address);
  if (!bound) return std::unexpected(bound.error());
  debug_address_ = *bound;
  return {};
}

void ControlPlane::Changed(const char* what) {
  metrics_.Add("pilot_push_triggers", {{"type", what}});
  if (changed_at_) return;  // a rebuild is planned
  changed_at_ = loop_.Now();
  loop_.Defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) Rebuild();
  });
}

void ControlPlane::Rebuild() {
  if (provider_ == nullptr) return;  // the start has failed
  metrics_.Observe("pilot_debounce_time", {}, Seconds(loop_.clock().Now() - *changed_at_));
  changed_at_.reset();
  model::SnapshotOptions options;
  options.mesh.trust_domain = options.trust_domain = authority_->trust_domain();
  options.mesh.root_namespace = options_.root_namespace;
  options.strict_by_default = options.access_log_by_default = local_;

  const MonotonicTime begun = loop_.clock().Now();
  auto snapshot = model::Snapshot::Build(files_->objects(), pods_->workloads(), options);
  std::optional<source::PodSets> sets;
  if (KnowsPods()) {
    // Templates first: what runs no more is out of the endpoints of this very snapshot.
    sets = source::RenderPodSets(files_->objects(), files_->images(), snapshot->mesh());
    template_findings_ = sets->findings;
    if (sets->sets.empty() && sets->unrendered.empty()) template_findings_.push_back(NothingRuns());
    const auto before = pods_->workloads();
    pods_->SetTemplates(sets->sets, sets->unrendered);
    if (pods_->workloads() != before) snapshot = model::Snapshot::Build(files_->objects(), pods_->workloads(), options);
  }
  metrics_.Observe("pilot_pushcontext_init_seconds", {}, Seconds(loop_.clock().Now() - begun));
  CountEvents(provider_->snapshot().get(), *snapshot, metrics_);
  const Difference difference = provider_->SetSnapshot(std::move(snapshot));
  if (channel_) channel_->SendDefaults(DefaultsOf(*provider_->snapshot()));
  TellFindings();  // before the pods: a mesh of none is ready as soon as it hears of them
  if (sets) TellSupervisor(*sets, *provider_->snapshot());
  metrics_.Add("plaitd_reloads_total", {{"result", told_.empty() ? "clean" : "with_problems"}});
  if (!status_timer_.armed()) status_timer_.Start(loop_.timers(), kSettled);
  statuses_in_snapshot_ = statuses_;
  workloads_ = pods_->workloads();
  ads_->ConfigChanged(difference);
  if (!local_ || status_known_ || (KnowsPods() && pods_->desired().empty())) ads_->Ready();
}

// A mesh without a workload is as good as one whose directory was mistyped.
model::Finding ControlPlane::NothingRuns() const {
  const source::Contents contents = files_->contents();
  const std::vector<std::string> kinds(contents.kinds.begin(), contents.kinds.end());
  std::string why = "there is no file *.yaml, *.yml or *.json in this directory or below it";
  if (contents.files > 0)
    why = "no workload is in the *.yaml, *.yml and *.json files of this directory (" + std::to_string(contents.files) +
          (kinds.empty() ? "" : ", with " + Join(kinds, ", ")) + ")";
  return {.severity = model::Severity::kWarning,
          .diagnostic = {.message = "nothing runs: " + why,
                         .at = {.file = options_.directories.front()},
                         .hint = "save a Deployment, StatefulSet, Job or Pod there: it starts at once; "
                                 "samples/bookinfo is an example, and `plait demo` runs it"}};
}

// What runs must have been told before anything is wanted: else it would be replaced.
bool ControlPlane::KnowsPods() const { return runs_already_.has_value() && (status_known_ || !*runs_already_); }

// Each token is worth the identity of the pod that it was given to, as the templates have it.
void ControlPlane::PublishTokens() {
  if (authority_ == nullptr) return;
  std::vector<ca::TokenTable::Entry> entries;
  for (const source::DesiredPod& pod : pods_->desired()) {
    const source::PodStatus* status = pods_->FindStatus(pod.uid);
    if (status == nullptr || status->token_sha256.empty()) continue;
    entries.push_back({.sha256_hex = status->token_sha256,
                       .pod_uid = pod.uid,
                       .id = {.trust_domain = authority_->trust_domain(),
                              .name_space = pod.spec.name_space,
                              .service_account = pod.spec.service_account}});
  }
  tokens_.Replace(std::move(entries));
}

void ControlPlane::TellSupervisor(const source::PodSets& sets, const model::Snapshot& snapshot) {
  if (options_.tell_hosts) channel_->SendHosts(snapshot);  // before the pods that are told of them
  const bool pods_changed = std::exchange(told_pods_, pods_->revision()) != pods_->revision();
  channel_->SendGatewayPorts(sets.gateway_ports);  // before the gateways, which wait for these sockets
  if (pods_changed) channel_->Send(pods_->desired());
  // Before the state of the pods is known, services would seem to have no endpoint.
  if (status_known_ && sets.AnyOf([](const auto& set) { return GoesPastProxies(set.pod); }))
    channel_->SendServices(snapshot);
  if (pods_changed) PublishTokens();
}

model::Findings ControlPlane::Problems() const {
  model::Findings all = files_->findings();
  model::Findings in_force = template_findings_;
  if (provider_->snapshot())
    in_force.insert(in_force.end(), provider_->snapshot()->findings().begin(), provider_->snapshot()->findings().end());
  model::LimitFindings(in_force);
  in_force = files_->OfVersionsInForce(std::move(in_force));
  std::move(in_force.begin(), in_force.end(), std::back_inserter(all));
  if (provider_->snapshot() && provider_->snapshot()->asked_trust_domain() != authority_->trust_domain()) {
    all.push_back(
        {.severity = model::Severity::kWarning,
         .diagnostic = {.message = "MeshConfig asks for trust domain " + provider_->snapshot()->asked_trust_domain() +
                                   ", but " + authority_->trust_domain() + " is in force",
                        .hint = "restart plaitd to change it"}});
  }
  if (authority_finding_) all.push_back(*authority_finding_);
  model::Findings refused = RefusalsOf(ads_->clients());
  std::move(refused.begin(), refused.end(), std::back_inserter(all));
  return all;
}

// A problem is told once, and once that it is mended; when it comes back, again. One that stands in another place now,
// or has another next step, is told again and not mended.
void ControlPlane::TellFindings() {
  std::map<std::string, std::string> now;
  std::multiset<std::string> again;
  for (const model::Finding& finding : Problems()) {
    const std::string text = finding.ToString();
    const std::string subject = SubjectOf(finding);
    if (!now.emplace(text, subject).second || told_.contains(text)) continue;
    again.insert(subject);
    const bool error = finding.severity == model::Severity::kError;
    if (error) {
      kLog.Error(text);
    } else {
      kLog.Warn(text);
    }
    if (channel_ && finding.severity != model::Severity::kInfo)
      channel_->SendMessage(error ? "error" : "warning", text);
  }
  for (const auto& [text, subject] : told_) {
    if (!channel_ || now.contains(text) || text.starts_with("Info")) continue;
    const auto anew = again.find(subject);
    channel_->SendMessage(anew == again.end() ? "mended" : "retold", text);
    if (anew != again.end()) again.erase(anew);
  }
  told_ = std::move(now);
}

// Conflicts and gaps as one line, once things have come to rest: pods that start have no endpoints for a moment.
void ControlPlane::TellStatus() {
  std::string status = PushStatusJson(PushStatusOf(*provider_->snapshot()));
  if (status == told_status_) return;
  kLog.Info("ProxyStatus: " + status);
  told_status_ = std::move(status);
}

// What the supervisor said is in force at every proxy.
void ControlPlane::TellCaughtUp() {
  if (!channel_ || changed_at_ || statuses_told_ == statuses_in_snapshot_) return;
  statuses_told_ = statuses_in_snapshot_;
  channel_->SendCaughtUp(statuses_told_);
}

// The proxies of pods that serve have the present snapshot. One that was away with this process, or with the one before
// it, goes by an older one until it is back.
void ControlPlane::TellPods() {
  if (!pods_->awaits_knowledge()) return;
  const std::set<std::string> connected = ads_->Connected();
  for (const source::DesiredPod& pod : pods_->desired()) {
    const source::PodStatus* status = pods_->FindStatus(pod.uid);
    if (pod.spec.proxy == source::ProxyKind::kNone || status == nullptr || !status->ready) continue;
    if (!connected.contains(pod.name + "." + pod.spec.name_space)) return;
  }
  pods_->AllKnow(*workloads_);
}

void ControlPlane::Drain(std::move_only_function<void()> done) {
  if (secure_ == nullptr) return done();
  debug_->SetReady(false);
  secure_->Drain(std::move(done));
}

}  // namespace plait::control::serve
