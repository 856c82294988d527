// plait-proxy: the data plane beside a workload, and the gateway. Flags are Envoy's where the meaning is the same.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "core/base/log.h"
#include "core/io/stop_signal.h"
#include "core/xds/decode.h"
#include "proxy/admin/explain_page.h"
#include "proxy/worker/process.h"
#include "proxy/worker/saved_config.h"

namespace plait::proxy {
namespace {

constexpr const char* kVersion = "0.1.0";

struct Flags {
  std::string config_path;
  std::string config_yaml;
  std::string mode = "serve";
  std::string service_node;
  std::string service_cluster;
  std::string log_level = "info";
  std::string question;
  std::uint32_t concurrency = 0;
  std::uint32_t drain_seconds = 45;
};

int Complain(const Diagnostic& problem) {
  std::fprintf(stderr, "plait-proxy: %s\n", problem.ToString().c_str());
  return 1;
}

Outcome<xds::Bootstrap> ReadConfiguration(const Flags& flags) {
  if (flags.config_path.empty() && flags.config_yaml.empty())
    return Explain(Errc::kInvalidInput, "no configuration was given", "use -c FILE or --config-yaml TEXT");
  if (!flags.config_path.empty() && !flags.config_yaml.empty())
    return Explain(Errc::kInvalidInput, "both -c and --config-yaml were given", "use one of them");
  auto bootstrap = flags.config_path.empty() ? xds::ReadBootstrap(flags.config_yaml, "--config-yaml")
                                             : xds::ReadBootstrapFile(flags.config_path);
  if (!bootstrap) return bootstrap;
  if (!flags.service_node.empty()) bootstrap->node.id = flags.service_node;
  if (!flags.service_cluster.empty()) bootstrap->node.cluster = flags.service_cluster;
  // How control planes know that Plait's own forms are understood here.
  bootstrap->node.user_agent_name = "plait-proxy";
  bootstrap->node.user_agent_version = kVersion;
  return bootstrap;
}

int Serve(const Flags& flags, xds::Bootstrap bootstrap) {
  io::Loop loop;
  worker::ProcessOptions options{.concurrency = flags.concurrency,
                                 .config_path = flags.config_path,
                                 .log_level = flags.log_level,
                                 .version = kVersion,
                                 .drain_time = std::chrono::seconds(flags.drain_seconds)};
  if (options.concurrency == 0) options.concurrency = std::max(1U, std::thread::hardware_concurrency());
  worker::Process process(loop, std::move(bootstrap), std::move(options), io::TakeInheritedFds());
  const io::StopSignal stop(loop, [&process] { process.Shutdown(); });
  if (const auto started = process.Start(); !started) return Complain(started.error());
  if (flags.mode == "validate") {
    std::printf("configuration '%s' OK\n", flags.config_path.c_str());
    return 0;
  }
  loop.Run();
  return 0;
}

// What would become of a request, by the resources in a file: JSON to standard output.
int ExplainSaved(const Flags& flags) {
  io::Loop loop;
  const auto query = admin::ReadExplainQuery(flags.question);
  if (!query) return Complain(query.error());
  const auto saved = worker::SavedConfig::Read(loop, flags.config_path);
  if (!saved) return Complain(saved.error());
  const auto answer = (*saved)->Answer(*query);
  if (!answer) return Complain(answer.error());
  std::printf("%s\n", answer->c_str());
  return 0;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"The data plane of Plait: proxies what its Envoy v3 bootstrap says."};
  app.set_version_flag("--version", std::string("plait-proxy ") + kVersion);
  app.add_option("-c,--config-path", flags.config_path, "bootstrap file (YAML or JSON)");
  app.add_option("--config-yaml", flags.config_yaml, "bootstrap as text");
  app.add_option("--mode", flags.mode,
                 "serve; validate: read the configuration and end; explain: answer --question by the "
                 "resources in -c, which plaitd --resources-of has written")
      ->check(CLI::IsMember({"serve", "validate", "explain"}))
      ->capture_default_str();
  app.add_option("--question", flags.question, "of --mode explain: the query of /plait/explain, to=reviews&port=9080");
  app.add_option("--concurrency", flags.concurrency, "worker threads; 0: one a core");
  app.add_option("--service-node", flags.service_node, "node id instead of the bootstrap's");
  app.add_option("--service-cluster", flags.service_cluster, "node cluster instead of the bootstrap's");
  app.add_option("-l,--log-level", flags.log_level, "trace, debug, info, warning, error, off; or component:level,...")
      ->capture_default_str();
  app.add_option("--drain-time-s", flags.drain_seconds, "how long running requests may take after SIGTERM")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!log::SetLevels(flags.log_level))
    return Complain({.code = Errc::kInvalidInput, .message = "unknown log level " + flags.log_level});
  if (flags.mode == "explain") return ExplainSaved(flags);
  auto bootstrap = ReadConfiguration(flags);
  if (!bootstrap) return Complain(bootstrap.error());
  return Serve(flags, std::move(*bootstrap));
}

}  // namespace
}  // namespace plait::proxy

int main(int argc, char** argv) { return plait::proxy::Main(argc, argv); }
