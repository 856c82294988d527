// plait-proxy: the data plane beside a workload, and the gateway. Flags are Envoy's where the meaning is the same.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>

#include "core/base/log.h"
#include "core/base/out_of_memory.h"
#include "core/base/workers.h"
#include "core/io/stop_signal.h"
#include "core/xds/decode.h"
#include "proxy/admin/explain_page.h"
#include "proxy/worker/confinement.h"
#include "proxy/worker/process.h"
#include "proxy/worker/saved_config.h"
#include "proxy/worker/static_resources.h"

namespace plait::proxy {
namespace {

log::Component kLog("hardening");
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
  bool no_seccomp = false;
  std::string dial_helper;
  std::vector<std::string> dial_directly;
  std::string more_hosts;
  std::string loopback_address;
  std::string application_address;
  bool identity_only = false;
  std::string sds;  // "unix:PATH"
};

int Complain(const Diagnostic& problem) {
  std::fprintf(stderr, "plait-proxy: %s\n", problem.ToString().c_str());
  return 1;
}

Outcome<xds::Bootstrap> ReadConfiguration(const Flags& flags) {
  if (flags.config_path.empty() && flags.config_yaml.empty())
    return Explain(Errc::kInvalidInput, "no configuration was given", "use -c FILE or --config-yaml TEXT");
  auto bootstrap = flags.config_path.empty() ? xds::ReadBootstrap(flags.config_yaml, "--config-yaml")
                                             : xds::ReadBootstrapFile(flags.config_path, flags.config_yaml);
  if (!bootstrap) return bootstrap;
  if (!flags.service_node.empty()) bootstrap->node.id = flags.service_node;
  if (!flags.service_cluster.empty()) bootstrap->node.cluster = flags.service_cluster;
  // How control planes know that Plait's own forms are understood here.
  bootstrap->node.user_agent_name = "plait-proxy";
  bootstrap->node.user_agent_version = kVersion;
  return bootstrap;
}

Outcome<upstream::DialHelperOptions> DialHelperOf(const Flags& flags) {
  upstream::DialHelperOptions helper{.path = flags.dial_helper, .inside = {}};
  for (const std::string& text : flags.dial_directly) {
    const Result<io::Cidr> range = io::Cidr::Parse(text);
    if (!range) return Explain(Errc::kInvalidInput, "--dial-directly: \"" + text + "\" is not a CIDR range");
    helper.inside.push_back(*range);
  }
  return helper;
}

Outcome<upstream::LoopbackOptions> LoopbackOf(const Flags& flags) {
  if (flags.loopback_address.empty() && flags.application_address.empty()) return upstream::LoopbackOptions{};
  const Result<io::IpAddress> workload = io::IpAddress::Parse(flags.loopback_address);
  const Result<io::IpAddress> application = io::IpAddress::Parse(flags.application_address);
  if (!workload || !application)
    return Explain(Errc::kInvalidInput, "--loopback-address and --application-address belong together",
                   "give both, each an IP address");
  return upstream::LoopbackOptions{.workload = *workload, .application = *application};
}

// After the start: threads and sockets are there, and nothing that came over the network has been read yet.
void Confine() {
  worker::ForbidInspection();
  const Outcome<> forbidden = worker::ForbidSystemCalls();
  if (!forbidden) kLog.Warn("system calls are not restricted: " + forbidden.error().ToString());
}

// Beside an Envoy this process is what Istio's agent is: it has the key, renews the certificate and answers DNS; it
// proxies nothing.
Outcome<> KeepIdentityOnly(const Flags& flags, xds::Bootstrap& bootstrap) {
  if (!flags.identity_only && flags.sds.empty()) return {};
  if (!flags.identity_only || !flags.sds.starts_with("unix:") || flags.sds.size() <= std::strlen("unix:"))
    return Explain(Errc::kInvalidInput, "--identity-only and --sds unix:PATH belong together",
                   "give both, with the path of the socket that Envoy's cluster sds-grpc dials");
  if (!bootstrap.identity)
    return Explain(Errc::kInvalidInput, "--identity-only: the bootstrap has no identity to serve",
                   "add the extension plait.identity (plait.proxy.v1.Identity)");
  bootstrap.listeners.clear();
  bootstrap.dynamic.lds = bootstrap.dynamic.cds = false;
  return {};
}

// As Envoy's: says OK, or all that is wrong, and is done.
int ValidateOnly(const Flags& flags, const xds::Bootstrap& bootstrap) {
  if (const auto helper = DialHelperOf(flags); !helper) return Complain(helper.error());
  if (const auto loopback = LoopbackOf(flags); !loopback) return Complain(loopback.error());
  Diagnostics problems = worker::Validate(bootstrap);
  for (Diagnostic& problem : problems) {
    if (problem.at.file.empty()) problem.at.file = flags.config_path.empty() ? "--config-yaml" : flags.config_path;
    Complain(problem);
  }
  if (!problems.empty()) return 1;
  std::printf("configuration '%s' OK\n", flags.config_path.c_str());
  return 0;
}

int Serve(const Flags& flags, xds::Bootstrap bootstrap) {
  log::NeverWait();
  Outcome<upstream::DialHelperOptions> dial_helper = DialHelperOf(flags);
  if (!dial_helper) return Complain(dial_helper.error());
  const Outcome<upstream::LoopbackOptions> loopback = LoopbackOf(flags);
  if (!loopback) return Complain(loopback.error());
  io::Loop loop;
  worker::ProcessOptions options{.concurrency = flags.concurrency,
                                 .config_path = flags.config_path,
                                 .log_level = flags.log_level,
                                 .version = kVersion,
                                 .drain_time = std::chrono::seconds(flags.drain_seconds),
                                 .dial_helper = std::move(*dial_helper),
                                 .loopback = *loopback,
                                 .more_hosts = flags.more_hosts,
                                 .sds_path = flags.identity_only ? flags.sds.substr(std::strlen("unix:")) : ""};
  if (flags.identity_only) options.concurrency = 1;
  if (options.concurrency == 0) options.concurrency = std::clamp(std::thread::hardware_concurrency(), 1U, kMostWorkers);
  worker::Process process(loop, std::move(bootstrap), std::move(options), io::TakeInheritedFds());
  const io::StopSignal stop(loop, [&process] { process.Shutdown(); }, [&process] { process.HandOver(); });
  if (const auto done = process.Start(); !done) return Complain(done.error());
  if (!flags.no_seccomp) Confine();
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
  app.add_option("--config-yaml", flags.config_yaml, "bootstrap as text; with -c merged over the file");
  app.add_option("--mode", flags.mode,
                 "serve; validate: check the configuration without serving it; explain: answer --question by the "
                 "resources in -c, which plaitd --resources-of has written")
      ->check(CLI::IsMember({"serve", "validate", "explain"}))
      ->capture_default_str();
  app.add_option("--question", flags.question, "of --mode explain: the query of /plait/explain, to=reviews&port=9080");
  app.add_option("--concurrency", flags.concurrency, "worker threads; 0: one a core")
      ->check(CLI::Range(0U, kMostWorkers));
  app.add_option("--service-node", flags.service_node, "node id instead of the bootstrap's");
  app.add_option("--service-cluster", flags.service_cluster, "node cluster instead of the bootstrap's");
  app.add_option("-l,--log-level", flags.log_level, "trace, debug, info, warning, error, off; or component:level,...")
      ->capture_default_str();
  app.add_option("--drain-time-s", flags.drain_seconds,
                 "how long running requests may take after SIGTERM and after the root of their peer has gone")
      ->capture_default_str();
  app.add_flag("--no-seccomp", flags.no_seccomp,
               "neither restrict system calls nor forbid core dumps; for debugging only");
  app.add_option("--dial-helper", flags.dial_helper,
                 "Unix socket of a process that opens connections which this network has no way to");
  app.add_option("--dial-directly", flags.dial_directly, "address ranges that are reached without the dial helper")
      ->delimiter(',');
  app.add_option("--more-hosts", flags.more_hosts,
                 "file of the form of /etc/hosts with further names for clusters that are resolved by DNS");
  app.add_option("--loopback-address", flags.loopback_address,
                 "the workload's address on a loopback that all workloads share: from there it calls others");
  app.add_option("--application-address", flags.application_address,
                 "with --loopback-address: where the workload's application listens");
  app.add_flag("--identity-only", flags.identity_only,
               "serve no listener: the key and certificate for an Envoy beside");
  app.add_option("--sds", flags.sds, "with --identity-only: unix:PATH, where Envoy gets `default` and `ROOTCA` by SDS");
  CLI11_PARSE(app, argc, argv);
  if (!log::SetLevels(flags.log_level))
    return Complain({.code = Errc::kInvalidInput, .message = "unknown log level " + flags.log_level});
  if (flags.mode == "explain") return ExplainSaved(flags);
  auto bootstrap = ReadConfiguration(flags);
  if (!bootstrap) return Complain(bootstrap.error());
  if (const auto kept = KeepIdentityOnly(flags, *bootstrap); !kept) return Complain(kept.error());
  return flags.mode == "validate" ? ValidateOnly(flags, *bootstrap) : Serve(flags, std::move(*bootstrap));
}

}  // namespace
}  // namespace plait::proxy

int main(int argc, char** argv) {
  std::set_new_handler(&plait::EndWithoutMemory);
  return plait::proxy::Main(argc, argv);
}
