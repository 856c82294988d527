#include "proxy/worker/process.h"

#include <poll.h>
#include <unistd.h>

#include <utility>

#include "core/base/log.h"
#include "core/conn/in_turn.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/agent.h"
#include "proxy/record/worker_recorder.h"
#include "proxy/worker/certificates_page.h"
#include "proxy/worker/config_dump_page.h"
#include "proxy/worker/static_resources.h"

namespace plait::proxy::worker {
namespace {

log::Component kLog("main");

constexpr Duration kNamesLimit = std::chrono::seconds(5);
constexpr Duration kTurn = std::chrono::milliseconds(20);
// Envoy's stats_flush_interval: what /stats shows of histograms beside their totals is of the last one.
constexpr Duration kHistogramInterval = std::chrono::seconds(5);

bool IsGateway(const xds::Node& node) { return node.id.starts_with("router~"); }

std::string NetworkOf(const xds::Node& node) {
  const auto found = node.metadata.find("NETWORK");
  return found == node.metadata.end() ? std::string() : found->second;
}

// Where the application has metrics, by the annotations of its pod. A wrong annotation keeps no proxy from its work.
std::optional<admin::ApplicationMetrics> ScrapedApplication(const xds::Node& node) {
  const auto found = node.metadata.find("ISTIO_PROMETHEUS_ANNOTATIONS");
  if (found == node.metadata.end()) return std::nullopt;
  auto application = admin::ReadScrapeAnnotations(found->second);
  if (application) return *std::move(application);
  kLog.Warn("the application's metrics are not merged: " + application.error().ToString());
  return std::nullopt;
}

// Asks the main thread about what the worker does not know; for labels of records.
class RecordLookup final : public record::PeerLookup {
 public:
  RecordLookup(io::Loop& loop, MainDemands& main, cluster::ClusterSet& clusters)
      : demands_(loop, main), clusters_(clusters) {}
  Pending Lookup(const io::IpAddress& ip, Duration limit, cluster::DestinationStore::OnFound done) override {
    return demands_.NeedDestination(ip, limit, std::move(done));
  }
  cluster::ClusterPtr FindCluster(std::string_view name) override {
    const cluster::WorkerCluster* found = clusters_.Find(name);
    return found != nullptr ? found->cluster() : nullptr;
  }
  Pending NeedCluster(std::string_view name, Duration limit, std::move_only_function<void(bool)> done) override {
    return demands_.NeedCluster(std::string(name), limit, std::move(done));
  }

 private:
  WorkerDemands demands_;
  cluster::ClusterSet& clusters_;
};

// A worker, as its recorder sees it.
struct RecordedWorker {
  io::Loop& loop;
  const cluster::DestinationIndex& index;
  cluster::ClusterSet& clusters;
};

// A recorder that owns the way to look peers up.
class Recorder final : public record::Recorder {
 public:
  Recorder(RecordedWorker worker, MainDemands& main, record::LogWriter& logs, record::IstioSeries& series,
           record::LocalWorkload local)
      : lookup_(worker.loop, main, worker.clusters),
        recorder_(worker.loop, logs, series, std::move(local), worker.index, &lookup_) {}
  void RequestEnded(const record::StreamRecord& record, const record::AccessLogs* logs) override {
    recorder_.RequestEnded(record, logs);
  }
  void ConnectionOpened(const record::StreamRecord& record) override { recorder_.ConnectionOpened(record); }
  void ConnectionProgress(const record::StreamRecord& record, record::TcpProgress& progress) override {
    recorder_.ConnectionProgress(record, progress);
  }
  void ConnectionEnded(const record::StreamRecord& record, record::TcpProgress& progress,
                       const record::AccessLogs* logs) override {
    recorder_.ConnectionEnded(record, progress, logs);
  }
  void OtherConnectionEnded(const record::StreamRecord& record, const record::AccessLogs* logs) override {
    recorder_.OtherConnectionEnded(record, logs);
  }

 private:
  RecordLookup lookup_;
  record::WorkerRecorder recorder_;
};

}  // namespace

Process::Process(io::Loop& loop, xds::Bootstrap bootstrap, ProcessOptions options,
                 std::vector<io::InheritedFd> inherited)
    : loop_(loop),
      bootstrap_(std::move(bootstrap)),
      options_(std::move(options)),
      started_(loop.clock().Now()),
      started_at_(loop.clock().Wall()),
      stats_(registry_),
      series_(registry_),
      sockets_(std::move(inherited)),
      balance_(options_.concurrency),
      store_(loop, {registry_, logs_}, secrets_, sockets_, NetworkOf(bootstrap_.node),
             bootstrap_.dynamic.initial_fetch_timeout),
      names_(loop, bootstrap_.node, store_.destinations().index(), registry_, sockets_,
             {.more_hosts = options_.more_hosts, .helper = options_.dial_helper.path}) {
  store_.SetResolver(&names_.resolver());
  if (!IsGateway(bootstrap_.node)) return;
  std::vector<io::IpAddress> own;
  if (const auto ip = io::IpAddress::Parse(PlaceOf(bootstrap_.node).ip)) own.push_back(*ip);
  sockets_.ServeGateway(std::move(own));
}

Process::~Process() {
  link_.reset();
  secrets_.SetObserver({});
  servers_.clear();
  for (const auto& worker : workers_) worker->Stop();
  workers_.clear();  // before what they use goes
}

Outcome<> Process::Start() {
  const record::LocalWorkload local{.labels = record::LabelsOfNode(bootstrap_.node.metadata, bootstrap_.node.labels),
                                    .ip = io::IpAddress::Parse(PlaceOf(bootstrap_.node).ip).value_or(io::IpAddress())};
  std::vector<Worker*> workers;
  for (std::uint32_t i = 0; i < options_.concurrency; ++i) {
    WorkerOptions options{.index = i,
                          .gateway = IsGateway(bootstrap_.node),
                          .shared_sockets = options_.concurrency > 1,
                          .static_only = !bootstrap_.dynamic.ads.has_value(),
                          .dial_helper = options_.dial_helper,
                          .loopback = options_.loopback,
                          .drain_time = options_.drain_time};
    Worker::Shared shared{
        .secrets = secrets_,
        .balance = balance_,
        .demands = store_,
        .make_recorder =
            [this, local](io::Loop& loop, const cluster::DestinationIndex& index, cluster::ClusterSet& clusters) {
              return std::make_unique<Recorder>(RecordedWorker{loop, index, clusters}, store_, logs_, series_, local);
            },
        .give_away = [this](std::size_t from, io::UniqueFd& socket,
                            const std::string& listener) { return GiveAway(from, socket, listener); },
        .sockets = sockets_};
    workers.push_back(workers_.emplace_back(std::make_unique<Worker>(options, std::move(shared))).get());
  }
  store_.SetWorkers(std::move(workers));
  if (Diagnostics refused = TakeStaticResources(bootstrap_, store_, started_at_); !refused.empty())
    return std::unexpected(std::move(refused.front()));
  logs_.SetFiles(record::LogFiles::kMayFail);  // of listeners with policies, which come from a control plane
  ready_ = sockets_.Take("ready");
  if (!ready_) {
    if (auto done = OpenAdmin(); !done) return done;
  }
  if (auto done = ServeSecrets(); !done) return done;
  if (auto done = FollowControlPlane(); !done) return done;
  for (const auto& worker : workers_) worker->StartThread();
  interval_.SetCallback([this] {
    registry_.EndInterval();
    interval_.Start(loop_.timers(), kHistogramInterval);
  });
  interval_.Start(loop_.timers(), kHistogramInterval);
  turn_.SetCallback([this] { TakeTurn(); });
  if (ready_) turn_.Start(loop_.timers(), kTurn);
  return {};
}

// Until this one has a configuration, the process before it serves: its pages, its listeners, the names of the mesh.
// When nobody waits any more, that one has gone.
void Process::TakeTurn() {
  if (draining_) return ready_.Reset();
  pollfd fd{.fd = ready_.get(), .events = 0, .revents = 0};
  const bool awaited = poll(&fd, 1, 0) == 0;
  if (awaited && Info().state == admin::ServerState::kInitializing) return turn_.Start(loop_.timers(), kTurn);
  if (auto done = OpenAdmin(); !done) kLog.Error(done.error().ToString());
  if (link_) names_limit_.Start(loop_.timers(), kNamesLimit);
  if (awaited && write(ready_.get(), "1", 1) != 1) kLog.Warn("nobody hears that this process is ready");
  ready_.Reset();
}

Outcome<> Process::FollowControlPlane() {
  if (!bootstrap_.dynamic.ads) names_.Serve();
  if (!bootstrap_.dynamic.ads && !bootstrap_.identity) return {};
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  link_->OnIndex([this] { names_.Serve(); });
  // Another control plane has no index, and one that is away must not take the host's names away.
  names_limit_.SetCallback([this] { names_.Serve(); });
  if (!ready_) names_limit_.Start(loop_.timers(), kNamesLimit);
  return link_->Start();
}

Outcome<> Process::ServeSecrets() {
  if (options_.sds_path.empty()) return {};
  sds_ = std::make_unique<SdsServer>(loop_, secrets_);
  secrets_.SetObserver([this] { sds_->SecretsChanged(); });
  return sds_->Listen(options_.sds_path);
}

// Pages of a large configuration take a while, on the thread that also hears of the next one.
Outcome<> Process::OpenAdmin() {
  ServeInherited("15000", conn::InTurn(loop_, admin::AdminHandler(*this)));
  ServeInherited("15020", conn::InTurn(loop_, admin::AgentHandler(loop_, *this, ScrapedApplication(bootstrap_.node))));
  ServeInherited("15021", admin::ReadyHandler(*this));
  ServeInherited("15090", conn::InTurn(loop_, admin::MetricsHandler(*this)));
  const bool inherited = !servers_.empty();
  if (!bootstrap_.admin.address || (inherited && bootstrap_.admin.address->port == Port{15000})) return {};
  auto server = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                                   conn::InTurn(loop_, admin::AdminHandler(*this)));
  if (auto bound = server->ListenOn(*bootstrap_.admin.address); !bound) return std::unexpected(bound.error());
  servers_.push_back(std::move(server));
  return {};
}

void Process::ServeInherited(const std::string& port, conn::OnRequest handler) {
  io::UniqueFd socket = sockets_.Take(port);
  if (!socket) return;
  auto server = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{}, std::move(handler));
  server->Listen(std::move(socket));
  servers_.push_back(std::move(server));
}

bool Process::GiveAway(std::size_t from, io::UniqueFd& socket, const std::string& listener) {
  const std::size_t to = balance_.Choose(from);
  if (to == from) return false;
  workers_[to]->Serve(std::move(socket), listener, Balance::OnItsWay(balance_, to));
  return true;
}

std::uint32_t Process::connections() const {
  std::uint32_t all = 0;
  for (const auto& worker : workers_) all += worker->connections();
  return all;
}

void Process::Shutdown() {
  if (std::exchange(draining_, true)) return;
  kLog.Info("draining: new connections are refused, running requests end");
  // Sockets that were inherited stay open with who gave them: the next process takes what waits there.
  store_.StopListeners(false, ConfigStore::Inherited::kLeave);
  for (const auto& worker : workers_) worker->Drain();
  WaitForDrain(loop_.Now() + options_.drain_time);
}

void Process::HandOver() {
  if (std::exchange(draining_, true)) return;
  kLog.Info("draining: another process has the sockets, connections end with their next answer");
  names_limit_.Cancel();
  names_.Stop();
  for (const auto& server : servers_) server->Drain({});
  store_.StopListeners(false, ConfigStore::Inherited::kLeave);
  for (const auto& worker : workers_) worker->BeginDrain(false);
  WaitForDrain(loop_.Now() + options_.drain_time);
}

void Process::WaitForDrain(MonotonicTime end) {
  if (connections() == 0 || loop_.Now() >= end) {
    for (const auto& worker : workers_) worker->CloseAll();
    logs_.Flush();
    return loop_.Stop();
  }
  drain_timer_.SetCallback([this, end] { WaitForDrain(end); });
  drain_timer_.Start(loop_.timers(), std::chrono::milliseconds(50));
}

void Process::DrainListeners(const admin::DrainQuery& query) {
  constexpr auto kReset = ConfigStore::Inherited::kReset;
  if (!query.graceful && !query.skip_exit) return store_.StopListeners(query.inbound_only, kReset);
  for (const auto& worker : workers_) worker->BeginDrain(query.inbound_only);
  // As Envoy: the first graceful drain sets the time at which the listeners stop.
  if (query.skip_exit || graceful_drain_timer_.armed()) return;
  kLog.Info("draining: connections end with their next answer, listeners stop later");
  graceful_drain_timer_.SetCallback([this, inbound = query.inbound_only] { store_.StopListeners(inbound, kReset); });
  graceful_drain_timer_.Start(loop_.timers(), options_.drain_time);
}

void Process::SetHealthFailed(bool failed) {
  health_failed_ = failed;
  for (const auto& worker : workers_) worker->SetHealthFailed(failed);
}

void Process::RenewCertificate(std::move_only_function<void(Outcome<>)> done) {
  if (link_) return link_->Renew(std::move(done));
  loop_.Defer([done = std::move(done)]() mutable {
    done(Explain(Errc::kUnavailable, "this proxy has no identity of its own", "the bootstrap has no plait.identity"));
  });
}

void Process::ExplainRequest(admin::ExplainQuery query, std::move_only_function<void(Outcome<std::string>)> done) {
  const auto place = explanations_.insert(explanations_.end(), nullptr);
  *place = std::make_unique<LiveExplanation>(
      store_,
      ExplainScene{bootstrap_.node, names_.index(), store_.Listeners(),
                   [this](const std::string& name) { return secrets_.Has(name); }},
      std::move(query), [this, place, done = std::move(done)](Outcome<std::string> answer) mutable {
        explained_.splice(explained_.end(), explanations_, place);
        explained_sweep_ = loop_.After(Duration(0), [this] { explained_.clear(); });
        done(std::move(answer));
      });
}

admin::ServerInfo Process::Info() const {
  admin::ServerInfo info;
  info.version = options_.version;
  const bool initializing = store_.warming() || (link_ && !link_->ready());
  info.state = draining_ || health_failed_ ? admin::ServerState::kDraining
               : initializing              ? admin::ServerState::kInitializing
                                           : admin::ServerState::kLive;
  info.uptime = loop_.clock().Now() - started_;
  info.concurrency = options_.concurrency;
  info.service_cluster = bootstrap_.node.cluster;
  info.service_node = bootstrap_.node.id;
  info.log_level = options_.log_level;
  info.config_path = options_.config_path;
  info.drain_time = options_.drain_time;
  const xds::Node& node = bootstrap_.node;
  info.node = {.id = node.id,
               .cluster = node.cluster,
               .metadata_json = node.metadata_json,
               .user_agent_name = node.user_agent_name,
               .user_agent_version = node.user_agent_version};
  return info;
}

telemetry::Registry& Process::Stats() {
  if (link_) link_->NoteVersions();
  stats_.Refresh({.info = Info(),
                  .connections = connections(),
                  .access_logs_not_open = logs_.files_not_open(),
                  .access_logs = logs_.counts(),
                  .time = loop_.clock().Now(),
                  .wall = loop_.clock().Wall(),
                  .connected = link_ ? std::optional(link_->connected()) : std::nullopt,
                  .certificates = [this] { return Certificates(); }},
                 store_);
  return registry_;
}

std::vector<admin::ClusterInfo> Process::Clusters() const {
  const std::set<std::string>& fixed = store_.accepted().fixed;
  std::vector<admin::ClusterInfo> all;
  for (cluster::ClusterPtr& one : store_.clusters().All()) {
    const bool added = !fixed.contains("cluster/" + one->name());
    all.push_back({std::move(one), added});
  }
  return all;
}

std::vector<admin::ListenerInfo> Process::Listeners() const {
  std::vector<admin::ListenerInfo> all;
  for (const listen::ListenerPtr& listener : store_.Listeners()) {
    all.push_back({listener->name(), sockets_.AddressesOf(*listener->config)});
  }
  return all;
}

std::vector<admin::CertificateEntry> Process::Certificates() const { return CertificatesOf(store_, secrets_); }

Outcome<std::string> Process::ConfigDump(const admin::ConfigDumpQuery& query) const {
  return DumpPage({bootstrap_, started_at_, store_, secrets_, link_.get()}, query);
}

}  // namespace plait::proxy::worker
