// plait exec WORKLOAD -- COMMAND: runs it inside the workload, as `kubectl exec`, with its streams and its exit code.
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

int Exec(const MeshOptions& mesh, const std::string& workload, const std::string& container,
         const std::vector<std::string>& command) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  const Outcome<int> code = client->Exec(workload, container, command);
  return code ? *code : Report(code.error());
}

}  // namespace

Command ExecCommand(MeshOptions& mesh) {
  struct Verb {
    std::string workload, container;
    std::vector<std::string> command;
  };
  const auto verb = std::make_shared<Verb>();
  return {.name = "exec",
          .summary = "run a command inside a workload",
          .details =
              "As `kubectl exec`: with its streams, a terminal if there is one, and the command's exit code. In a "
              "gateway, which is a proxy alone, the command gets a container of its own beside the proxy.",
          .examples = {{"exec reviews-v1 -- curl -s details:9080/details/0", "as that workload"},
                       {"exec details-v1 -- curl -s 127.0.0.1:15000/clusters", "its proxy's admin port"},
                       {"exec istio-ingressgateway.istio-system -- curl -s 127.0.0.1:15000/listeners", "a gateway's"}},
          .options = {{.names = "workload",
                       .value = "WORKLOAD",
                       .help = "pod or deployment, NAME or NAME.NAMESPACE",
                       .to = &verb->workload,
                       .required = true,
                       .offers = Offers::kWorkloads},
                      {.names = "-c,--container",
                       .value = "NAME",
                       .help = "the first, unless given; istio-proxy: beside the proxy",
                       .to = &verb->container,
                       .offers = Offers::kContainers}},
          .rest = &verb->command,
          .renders = false,
          .run = [&mesh, verb] { return Exec(mesh, verb->workload, verb->container, verb->command); }};
}

}  // namespace plait::cli
