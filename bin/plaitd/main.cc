// plaitd, the control plane: flags, signals, run.
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <new>

#include "control/reference/reference.h"
#include "control/serve/control_plane.h"
#include "control/serve/protobuf_log.h"
#include "control/serve/saved_resources.h"
#include "core/base/log.h"
#include "core/base/out_of_memory.h"

namespace plait {
namespace {

constexpr Duration kDrainLimit = std::chrono::seconds(2);  // streams are for ever: they are ended after this

struct Flags {
  control::serve::ControlPlaneOptions options;
  std::vector<std::string> listen = {"0.0.0.0"};
  std::string debug_address;
  std::string send_timeout;
  std::string log_level = "info";
  bool log_as_json = false;
  std::string resources_of;
  std::string reference;
};

void AddFlags(CLI::App& app, Flags& flags) {
  auto& o = flags.options;
  app.add_option("--directory", o.directories, "of YAML files, followed live; may be given more than once")
      ->option_text("DIR");
  app.add_option("--state-dir", o.state_dir, "keeps the certificate authority and the last good configuration")
      ->option_text("DIR");
  app.add_option("--resources-of", flags.resources_of,
                 "print what the directories mean for the proxy of this workload, as JSON, and end")
      ->option_text("POD[.NAMESPACE]");
  app.add_option("--configuration-reference", flags.reference,
                 "print what is honoured of each kind of object, field by field, and end")
      ->option_text("json|markdown")
      ->check(CLI::IsMember({"json", "markdown"}));
  app.add_option("--cacerts", o.cacerts_dir,
                 "a plugged-in authority: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem")
      ->option_text("DIR");
  app.add_option("--listen-address", flags.listen, "of xDS and certificates (TLS), with or without port")
      ->option_text("IP[:PORT] (0.0.0.0:15012)");
  app.add_option("--debug-address", flags.debug_address,
                 "of metrics and debug pages; default: none, or the inherited socket 15014")
      ->option_text("IP:PORT");
  app.add_option("--trust-domain", o.trust_domain, "unless MeshConfig names one")->option_text("NAME (cluster.local)");
  app.add_option("--root-namespace", o.root_namespace, "holds MeshConfig and mesh-wide policies")
      ->option_text("NAME (istio-system)");
  app.add_flag("--tell-hosts", o.tell_hosts, "the supervisor hears of services and their addresses (plait up)");
  app.add_option("--send-timeout", flags.send_timeout,
                 "a proxy that takes or answers nothing for so long is disconnected")
      ->option_text("DURATION (" + FormatDuration(o.send_timeout) + ")");
  app.add_option("--log-level", flags.log_level, "info, or component:level,component:level")
      ->option_text("LEVEL (info)");
  app.add_flag("--log-as-json", flags.log_as_json, "one JSON object a line");
  app.set_version_flag("--version", PLAIT_VERSION);
}

// "10.244.0.1", "10.244.0.1:15012", "::1", "[::1]:15012".
Outcome<io::SocketAddress> ParseListenAddress(const std::string& text) {
  if (const auto ip = io::IpAddress::Parse(text))
    return io::SocketAddress{.ip = *ip, .port = Port{15012}, .unix_path = {}};
  if (const auto address = io::SocketAddress::Parse(text)) return *address;
  return Explain(Errc::kInvalidInput, "'" + text + "' is no address", "write IP or IP:PORT");
}

Outcome<> Complete(Flags& flags) {
  flags.options.version = PLAIT_VERSION;
  if (flags.options.state_dir.empty())
    return Explain(Errc::kInvalidInput, "--state-dir is missing", "it keeps the certificate authority");
  for (const std::string& text : flags.listen) {
    auto address = ParseListenAddress(text);
    if (!address) return std::unexpected(address.error());
    flags.options.listen.push_back(*address);
  }
  if (!flags.debug_address.empty()) {
    auto address = io::SocketAddress::Parse(flags.debug_address);
    if (!address)
      return Explain(Errc::kInvalidInput, "--debug-address '" + flags.debug_address + "' is no address",
                     "write IP:PORT");
    flags.options.debug_address = *address;
  }
  if (!flags.send_timeout.empty()) {
    const auto timeout = ParseDuration(flags.send_timeout);
    if (!timeout || *timeout <= Duration::zero())
      return Explain(Errc::kInvalidInput, "--send-timeout '" + flags.send_timeout + "' is no duration above 0",
                     "write it like 30s or 1m30s");
    flags.options.send_timeout = *timeout;
  }
  if (!log::SetLevels(flags.log_level))
    return Explain(Errc::kInvalidInput, "--log-level '" + flags.log_level + "' names no level or component");
  log::UseJson(flags.log_as_json);
  flags.options.inherited = io::TakeInheritedFds();
  // The inherited socket stands in for the flag's.
  for (const io::InheritedFd& inherited : flags.options.inherited)
    if (inherited.name == "15012") flags.options.listen.clear();
  return {};
}

// SIGTERM and SIGINT end the program in order, a second one at once.
class Signals final : private io::FdEvents {
 public:
  Signals(io::Loop& loop, std::function<void()> on_end) : loop_(loop), on_end_(std::move(on_end)) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    fd_.Reset(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
    loop_.Watch(fd_.get(), *this, EPOLLIN);
  }
  ~Signals() override { loop_.Unwatch(fd_.get(), *this); }

 private:
  void OnFdReady(std::uint32_t) override {
    signalfd_siginfo info;
    while (read(fd_.get(), &info, sizeof info) == sizeof info) {
      if (std::exchange(ending_, true)) return loop_.Stop();
      on_end_();
    }
  }
  io::Loop& loop_;
  std::function<void()> on_end_;
  io::UniqueFd fd_;
  bool ending_ = false;
};

int PrintResources(const Flags& flags) {
  io::Loop loop;
  log::SetLevels("error");
  const auto found = control::serve::ResourcesOf(loop, {.directories = flags.options.directories,
                                                        .workload = flags.resources_of,
                                                        .trust_domain = flags.options.trust_domain,
                                                        .root_namespace = flags.options.root_namespace});
  for (const control::model::Finding& problem : found.problems) std::cerr << "plaitd: " << problem.ToString() << "\n";
  if (found.error) std::cerr << "plaitd: " << found.error->ToString() << "\n";
  std::cout << found.json << "\n";
  return found.error ? 1 : 0;
}

int PrintReference(const std::string& form) {
  log::SetLevels("error");
  const auto kinds = control::reference::Reference();
  std::cout << (form == "json" ? control::reference::ToJson(kinds) + "\n" : control::reference::ToMarkdown(kinds));
  return 0;
}

int Main(int argc, char** argv) {
  control::serve::LogProtobuf();
  CLI::App app("Plait's control plane", "plaitd");
  Flags flags;
  AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  if (!flags.reference.empty()) return PrintReference(flags.reference);
  if (flags.options.directories.empty()) {
    std::cerr << "plaitd: --directory is missing: it holds the YAML that plaitd serves\n";
    return 64;
  }
  if (!flags.resources_of.empty()) return PrintResources(flags);
  if (const Outcome<> complete = Complete(flags); !complete) {
    std::cerr << "plaitd: " << complete.error().ToString() << "\n";
    return 64;
  }
  log::NeverWait();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error of write, as a full disk
  io::Loop loop;
  control::serve::ControlPlane plane(loop, std::move(flags.options), [&loop] { loop.Stop(); });
  io::Timer limit([&loop] { loop.Stop(); });
  const Signals signals(loop, [&] {
    limit.Start(loop.timers(), kDrainLimit);
    plane.Drain([&loop] { loop.Stop(); });
  });
  if (const Outcome<> started = plane.Start(); !started) {
    std::cerr << "plaitd: " << started.error().ToString() << "\n";
    loop.RunOnce(std::chrono::milliseconds(100));  // the supervisor hears why
    return 1;
  }
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace plait

int main(int argc, char** argv) {
  std::set_new_handler(&plait::EndWithoutMemory);
  return plait::Main(argc, argv);
}
