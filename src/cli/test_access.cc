#include "cli/test_access.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/fetch.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr const char* kDemoApp = "plait-demo-app";
constexpr Port kAdminPort{15000};

std::unexpected<Diagnostic> Interrupted() { return Explain(Errc::kCancelled, "interrupted"); }

}  // namespace

Outcome<local::ControlClient> TestAccess::Connect() const {
  if (interrupt_.came()) return Interrupted();
  return ConnectTo(mesh_);
}

Outcome<> TestAccess::Pause(int milliseconds) const {
  interrupt_.WaitFor(-1, milliseconds);
  return interrupt_.came() ? Outcome<>(Interrupted()) : Outcome<>{};
}

Outcome<local::MeshStatus> TestAccess::Status() const {
  Outcome<local::ControlClient> client = Connect();
  if (!client) return std::unexpected(client.error());
  return client->Status();
}

Outcome<WorkloadCommand> TestAccess::StartLoad(const std::string& from, const std::string& url,
                                               const std::vector<std::string>& arguments) const {
  Outcome<local::ControlClient> client = Connect();
  if (!client) return std::unexpected(client.error());
  std::vector<std::string> argv = {kDemoApp, "load", url};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return WorkloadCommand::Start(std::move(*client), from, argv);
}

Outcome<LoadReport> TestAccess::AwaitLoad(WorkloadCommand& load) const {
  const Outcome<CommandEnd> end = load.Wait(interrupt_);
  if (!end) return std::unexpected(end.error());
  // Its exit code says whether requests failed; that is for the verdict.
  if (end->out.empty())
    return Explain(Errc::kNotFound, "the load generator ended with exit code " + std::to_string(end->code) + ": " +
                                        std::string(Trim(end->err)));
  return ReadLoadReport(end->out);
}

Outcome<LoadReport> TestAccess::Load(const std::string& from, const std::string& url,
                                     const std::vector<std::string>& arguments) const {
  Outcome<WorkloadCommand> load = StartLoad(from, url, arguments);
  if (!load) return std::unexpected(load.error());
  return AwaitLoad(*load);
}

Outcome<CommandEnd> TestAccess::Run(const std::string& workload, const std::vector<std::string>& argv) const {
  Outcome<local::ControlClient> client = Connect();
  if (!client) return std::unexpected(client.error());
  Outcome<WorkloadCommand> command = WorkloadCommand::Start(std::move(*client), workload, argv);
  if (!command) return std::unexpected(command.error());
  return command->Wait(interrupt_);
}

Outcome<Answer> TestAccess::Get(const std::string& from, const std::string& url) const {
  const Outcome<CommandEnd> end = Run(from, {kDemoApp, "get", url});
  if (!end) return std::unexpected(end.error());
  const auto answer = nlohmann::json::parse(end->out, nullptr, false);
  if (!answer.is_object() || !answer.contains("status") || !answer["status"].is_number_integer())
    return Explain(Errc::kNotFound, "no answer could be read in " + from + ": " + std::string(Trim(end->err)));
  return Answer{answer["status"].get<int>(), answer.value("body", "")};
}

Outcome<io::UniqueFd> TestAccess::Admin(const std::string& workload) const {
  Outcome<local::ControlClient> client = Connect();
  if (!client) return std::unexpected(client.error());
  return client->Dial(workload, kAdminPort);
}

Outcome<std::vector<Sample>> TestAccess::Metrics(const std::string& workload) const {
  Outcome<io::UniqueFd> socket = Admin(workload);
  if (!socket) return std::unexpected(socket.error());
  const Outcome<std::string> text =
      HttpGetOver(std::move(*socket), "/stats/prometheus?usedonly", "the proxy of " + workload);
  if (!text) return std::unexpected(text.error());
  return ReadPrometheus(*text);
}

Outcome<> TestAccess::RenewCertificate(const std::string& workload) const {
  Outcome<io::UniqueFd> socket = Admin(workload);
  if (!socket) return std::unexpected(socket.error());
  const Outcome<std::string> text = HttpPostOver(std::move(*socket), "/plait/renew", "the proxy of " + workload);
  return text ? Outcome<>{} : std::unexpected(text.error());
}

Outcome<std::string> TestAccess::CertificateSerial(const std::string& workload) const {
  Outcome<io::UniqueFd> socket = Admin(workload);
  if (!socket) return std::unexpected(socket.error());
  const Outcome<std::string> text = HttpGetOver(std::move(*socket), "/certs", "the proxy of " + workload);
  if (!text) return std::unexpected(text.error());
  const auto page = nlohmann::json::parse(*text, nullptr, false);
  if (page.is_object() && page.contains("certificates"))
    for (const auto& entry : page["certificates"])
      if (entry.is_object() && entry.contains("cert_chain") && !entry["cert_chain"].empty())
        return entry["cert_chain"][0].value("serial_number", "");
  return Explain(Errc::kNotFound, "the proxy of " + workload + " has no certificate");
}

Outcome<std::string> TestAccess::ProxyLog(const std::string& workload) const {
  const Outcome<local::MeshStatus> status = Status();
  if (!status) return std::unexpected(status.error());
  const Outcome<local::WorkloadStatus> pod = FindWorkload(*status, workload);
  if (!pod) return std::unexpected(pod.error());
  std::ostringstream text;
  text << std::ifstream(LogPathOf(*status, *pod, "istio-proxy"), std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace plait::cli
