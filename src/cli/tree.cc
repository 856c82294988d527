#include "cli/tree.h"

#include "cli/cert.h"
#include "cli/proxy_log.h"
#include "cli/proxy_restart.h"

namespace plait::cli {
namespace {

// Which mesh, and how the result is shown: the same words for every command.
void AddCommonOptions(Command& command, MeshOptions& mesh) {
  for (Command& child : command.children) {
    // What stands at the group holds for its commands.
    AddCommonOptions(child, mesh);
  }
  if (command.of_mesh)
    command.options.push_back({.names = command.Has("--name") ? "--mesh" : "--name,--mesh",
                               .value = "NAME",
                               .help = "of the mesh",
                               .to = &mesh.name,
                               .offers = Offers::kMeshes,
                               .standard = "default"});
  if (command.renders && command.run)
    command.options.push_back({.names = "-o,--output",
                               .value = "FORMAT",
                               .help = "table, wide, short (the table), json, yaml or name",
                               .to = &mesh.format,
                               .choices = {FormatNames().begin(), FormatNames().end()},
                               .standard = "table"});
}

}  // namespace

Command Tree(MeshOptions& mesh) {
  Command root{.name = "plait",
               .summary =
                   "Plait, a service mesh: encryption, identity, routing, policy and metrics for processes that "
                   "know nothing of it",
               .details =
                   "WORKLOAD is a pod or a deployment: NAME or NAME.NAMESPACE. A NAME alone is the one in `default`, "
                   "or else that of the only namespace that has it.",
               .of_mesh = false};
  root.children = {DemoCommand(mesh),    UpCommand(mesh),         DownCommand(mesh),        StatusCommand(mesh),
                   TestCommand(mesh),    DoctorCommand(mesh),     CheckCommand(mesh),       ExecCommand(mesh),
                   RunCommand(mesh),     LogsCommand(mesh),       ProxyStatusCommand(mesh), ProxyConfigCommand(mesh),
                   ExplainCommand(mesh), ProxyLogCommand(mesh),   ProxyCommand(mesh),       CertCommand(mesh),
                   VersionCommand(mesh), CompletionCommand(mesh), DocsCommand(mesh)};
  AddCommonOptions(root, mesh);
  return root;
}

}  // namespace plait::cli
