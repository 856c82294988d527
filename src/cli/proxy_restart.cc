// plait proxy restart: another process takes over a workload's proxy, while the one before answers what it has begun.
#include "cli/proxy_restart.h"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "cli/workloads.h"
#include "local/proxy_requests.h"

namespace plait::cli {
namespace {

constexpr int kPatience = 30'000;
constexpr int kTurn = 50;  // milliseconds

Outcome<local::WorkloadStatus> AwaitAnother(const MeshOptions& mesh, const local::WorkloadStatus& before) {
  std::string last = "it is not ready";
  for (int waited = 0; waited < kPatience; waited += kTurn) {
    const Outcome<local::MeshStatus> status = StatusOf(mesh);
    if (!status) return std::unexpected(status.error());
    const Outcome<local::WorkloadStatus> now = FindWorkload(*status, before.name + "." + before.ns);
    if (!now) return now;
    if (now->proxy_pid > 0 && now->proxy_pid != before.proxy_pid && now->ready) return now;
    if (!now->reason.empty()) last = now->reason;
    poll(nullptr, 0, kTurn);
  }
  return Explain(Errc::kTimedOut, "no other proxy of " + before.name + " is ready after 30 s: " + last,
                 "plait logs" + Named(mesh) + " -c istio-proxy " + before.name + "." + before.ns);
}

int Restart(const MeshOptions& mesh, const std::string& workload) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  const Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  const Outcome<local::WorkloadStatus> before = FindWorkload(*status, workload);
  if (!before) return Report(before.error());
  const std::string name = before->name + "." + before->ns;
  if (const Outcome<> asked = local::ReplaceProxy(*client, name); !asked) return Report(asked.error());
  const Outcome<local::WorkloadStatus> after = AwaitAnother(mesh, *before);
  if (!after) return Report(after.error());
  Output output{.text = "process " + std::to_string(after->proxy_pid) + " is the proxy of " + name + "; process " +
                        std::to_string(before->proxy_pid) + " answers what it has begun, and ends\n",
                .names = {"pod/" + name}};
  output.data = Data({{"workload", name}, {"before", before->proxy_pid}, {"after", after->proxy_pid}});
  return Show(mesh.format, output);
}

}  // namespace

Command ProxyCommand(MeshOptions& mesh) {
  const auto workload = std::make_shared<std::string>();
  Command restart{.name = "restart",
                  .summary = "put a new process in the place of a workload's proxy",
                  .details =
                      "Its sockets go over, so that no connection is refused; the old process ends each connection "
                      "with its next answer and itself within 45 seconds. For a new version of plait-proxy.",
                  .examples = {{"proxy restart reviews-v1", "the application notices nothing"}},
                  .options = {{.names = "workload",
                               .value = "WORKLOAD",
                               .help = "pod or deployment (its first ready pod)",
                               .to = workload.get(),
                               .required = true,
                               .offers = Offers::kWorkloads}},
                  .run = [&mesh, workload] { return Restart(mesh, *workload); }};
  Command command{.name = "proxy", .summary = "processes of proxies"};
  command.children.push_back(std::move(restart));
  return command;
}

}  // namespace plait::cli
