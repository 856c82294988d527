#pragma once
// plait-proxy as a process: the main thread with configuration, secrets and admin pages, and the workers. Made from a
// bootstrap; runs until it is told to quit. Main thread. design.md, "The data plane".
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/conn/http_server.h"
#include "core/telemetry/registry.h"
#include "core/xds/bootstrap.h"
#include "proxy/admin/admin_state.h"
#include "proxy/record/istio_metrics.h"
#include "proxy/record/log_writer.h"
#include "proxy/upstream/helper_connector.h"
#include "proxy/worker/config_store.h"
#include "proxy/worker/control_link.h"
#include "proxy/worker/explain.h"
#include "proxy/worker/name_service.h"
#include "proxy/worker/process_stats.h"
#include "proxy/worker/sds_server.h"

namespace plait::proxy::worker {

struct ProcessOptions {
  std::uint32_t concurrency = 1;
  std::string config_path;
  std::string log_level = "info";
  std::string version;
  // How long running requests may take after SIGTERM, and once the root of their peer is trusted no more.
  Duration drain_time = std::chrono::seconds(45);
  upstream::DialHelperOptions dial_helper = {};
  upstream::LoopbackOptions loopback = {};
  std::string more_hosts = {};  // --more-hosts: a file
  std::string sds_path = {};    // --identity-only: where SDS is served; empty: nowhere
};

class Process final : public admin::AdminState {
 public:
  Process(io::Loop& loop, xds::Bootstrap bootstrap, ProcessOptions options, std::vector<io::InheritedFd> inherited);
  ~Process() override;

  // Takes the static resources, opens the admin ports, starts the workers. Errors say which resource and why.
  Outcome<> Start();
  // Accepts no more, lets requests end within the drain time, then stops the main loop.
  void Shutdown();
  // Another process serves the inherited sockets from now on (SIGUSR2): this one accepts nothing more, neither
  // connections nor questions. Each HTTP connection ends with its next answer, so that no client loses a request; what
  // is left after the drain time is closed. Then the main loop stops.
  void HandOver();
  ConfigStore& config() noexcept { return store_; }
  std::uint32_t connections() const;
  std::uint32_t connections(std::size_t worker) const { return workers_[worker]->connections(); }

  admin::ServerInfo Info() const override;
  std::vector<admin::ClusterInfo> Clusters() const override;
  std::vector<admin::ListenerInfo> Listeners() const override;
  std::vector<admin::CertificateEntry> Certificates() const override;
  Outcome<std::string> ConfigDump(const admin::ConfigDumpQuery& query) const override;
  telemetry::Registry& Stats() override;
  void Quit() override { Shutdown(); }
  void SetHealthFailed(bool failed) override;
  void DrainListeners(const admin::DrainQuery& query) override;
  Outcome<> ReopenLogs() override { return logs_.Reopen(); }
  void RenewCertificate(std::move_only_function<void(Outcome<>)> done) override;
  void ExplainRequest(admin::ExplainQuery query, std::move_only_function<void(Outcome<std::string>)> done) override;

 private:
  Outcome<> FollowControlPlane();
  Outcome<> ServeSecrets();
  Outcome<> OpenAdmin();
  void ServeInherited(const std::string& port, conn::OnRequest handler);
  void TakeTurn();
  bool GiveAway(std::size_t from, io::UniqueFd& socket, const std::string& listener);
  void WaitForDrain(MonotonicTime end);

  io::Loop& loop_;
  const xds::Bootstrap bootstrap_;
  const ProcessOptions options_;
  const MonotonicTime started_;
  const WallTime started_at_;
  telemetry::Registry registry_;
  ProcessStats stats_;
  record::LogWriter logs_;
  record::IstioSeries series_;
  Secrets secrets_;
  Sockets sockets_;
  Balance balance_;
  ConfigStore store_;
  NameService names_;
  io::Timer names_limit_;
  io::UniqueFd ready_;  // while the process before this one serves: where to say that this one can
  io::Timer turn_;
  std::unique_ptr<SdsServer> sds_;     // null: not --identity-only
  std::unique_ptr<ControlLink> link_;  // null: static resources only
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<conn::HttpServer>> servers_;
  using Explanations = std::list<std::unique_ptr<LiveExplanation>>;
  Explanations explanations_;  // that wait for configuration
  Explanations explained_;     // that are answered, until the round is over
  Pending explained_sweep_;
  io::Timer interval_;  // of histograms
  bool health_failed_ = false;
  bool draining_ = false;
  io::Timer drain_timer_;           // of Shutdown
  io::Timer graceful_drain_timer_;  // of DrainListeners
};

}  // namespace plait::proxy::worker
