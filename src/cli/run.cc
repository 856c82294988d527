// plait run --as WORKLOAD -- COMMAND: a pod beside the workload, with its service account, for the life of the command.
// The pod is a file of the mesh's overlay, which the supervisor removes when this process goes, however it goes.
#include <poll.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "cli/workloads.h"
#include "core/base/encoding.h"
#include "core/base/random.h"

namespace plait::cli {
namespace {

constexpr int kReadyPatience = 30'000;
constexpr int kTurn = 50;  // milliseconds

// Not the workload's labels: its services must not send their requests here.
Json PodFor(const local::WorkloadStatus& workload, const std::string& name, const std::string& folder) {
  const std::string canonical = workload.owner.empty() ? workload.name : workload.owner;
  const Json command = {local::BinaryFolder() + "/plait", "@pause"};
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", name},
            {"namespace", workload.ns},
            {"labels", {{"plait.dev/run-as", canonical}, {"service.istio.io/canonical-name", canonical}}},
            {"annotations", {{"plait.dev/exec.command", command.dump()}, {"sidecar.istio.io/inject", "true"}}}}},
          {"spec",
           {{"serviceAccountName", workload.service_account},
            {"restartPolicy", "Never"},
            {"terminationGracePeriodSeconds", 2},
            {"containers", Json::array({{{"name", "command"}, {"image", "plait"}, {"workingDir", folder}}})}}}};
}

// Written beside and renamed: plaitd never reads a half of it, nor a name that begins with a dot.
Outcome<> Write(const std::string& folder, const std::string& file, const std::string& text) {
  const std::string temporary = folder + "/." + file;
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out << text;
  std::error_code error;
  if (out.flush()) std::filesystem::rename(temporary, folder + "/" + file, error);
  if (!out || error) return Explain(Errc::kDenied, "cannot write " + folder + "/" + file);
  return {};
}

// The pod's full name, once it can be used.
Outcome<std::string> AwaitReady(local::ControlClient& client, const std::string& name, const std::string& ns,
                                const std::string& named) {
  std::string last = "plaitd has not made it";
  for (int waited = 0; waited < kReadyPatience; waited += kTurn) {
    const Outcome<local::MeshStatus> status = client.Status();
    if (!status) return std::unexpected(status.error());
    for (const local::WorkloadStatus& w : status->workloads) {
      if (w.name != name || w.ns != ns) continue;
      if (w.ready) return name + "." + ns;
      last = w.reason.empty() ? w.phase : w.reason;
    }
    poll(nullptr, 0, kTurn);
  }
  return Explain(Errc::kTimedOut, "the workload of the command is not ready after 30 s: " + last,
                 "plait logs" + named + " plaitd; plait status" + named);
}

Outcome<int> RunWithin(const MeshOptions& mesh, const std::string& workload, const std::vector<std::string>& command) {
  Outcome<local::ControlClient> holder = ConnectTo(mesh);
  if (!holder) return std::unexpected(holder.error());
  const Outcome<local::MeshStatus> status = holder->Status();
  if (!status) return std::unexpected(status.error());
  const Outcome<local::WorkloadStatus> as = FindWorkload(*status, workload);
  if (!as) return std::unexpected(as.error());
  std::array<std::uint8_t, 4> random{};
  FillSecret(random);
  const std::string name = (as->owner.empty() ? as->name : as->owner) + "-run-" + HexEncode(random);
  const std::string file = name + ".yaml";
  if (const Outcome<> held = holder->Hold(file); !held) return std::unexpected(held.error());
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error).string();
  const std::string pod = PodFor(*as, name, folder).dump(1);
  if (const Outcome<> written = Write(status->run_dir + "/overlay", file, pod); !written)
    return std::unexpected(written.error());
  const Outcome<std::string> ready = AwaitReady(*holder, name, as->ns, Named(mesh));
  if (!ready) return std::unexpected(ready.error());
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return std::unexpected(client.error());
  return client->ExecWithEnvironment(*ready, command);
}

int RunAs(const MeshOptions& mesh, const std::string& workload, const std::vector<std::string>& command) {
  const Outcome<int> code = RunWithin(mesh, workload, command);
  return code ? *code : Report(code.error());
}

}  // namespace

Command RunCommand(MeshOptions& mesh) {
  struct Verb {
    std::string workload;
    std::vector<std::string> command;
  };
  const auto verb = std::make_shared<Verb>();
  return {.name = "run",
          .summary = "run a command in the mesh with the identity of a workload",
          .details =
              "In the folder that you are in, with a network and a proxy of its own and the workload's service "
              "account. Ends with its command, whose exit code it has.",
          .examples = {{"run --as productpage-v1 -- curl -s reviews:9080/reviews/0", "as productpage would"}},
          .options = {{.names = "--as",
                       .value = "WORKLOAD",
                       .help = "pod or deployment, NAME or NAME.NAMESPACE",
                       .to = &verb->workload,
                       .required = true,
                       .offers = Offers::kWorkloads}},
          .rest = &verb->command,
          .renders = false,
          .run = [&mesh, verb] { return RunAs(mesh, verb->workload, verb->command); }};
}

}  // namespace plait::cli
