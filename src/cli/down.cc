// plait down: ends the mesh and everything in it.
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "local/control_client.h"
#include "local/host_mesh.h"

namespace plait::cli {
namespace {

constexpr int kPatience = 10'000;  // ms

int Down(const MeshOptions& mesh, bool purge) {
  Outcome<local::MeshPaths> paths = local::ResolvePaths(mesh.name);
  if (!paths) return Report(paths.error());
  Outcome<local::ControlClient> client = local::ControlClient::Connect(*paths);
  if (!client && !purge) return Report(client.error());
  Output output{.names = {"mesh/" + mesh.name}};
  if (client) {
    // It may have been started with other variables than are set here.
    if (const Outcome<local::MeshStatus> status = client->Status(); status && !status->state_dir.empty())
      paths->state = status->state_dir;
    if (Outcome<> done = client->Down(); !done) return Report(done.error());
    if (!local::WaitUntilUnlocked(*paths, kPatience))
      return Report({.code = Errc::kTimedOut,
                     .message = "the mesh has ended, but its plait process still holds " + paths->lock()});
    output.text += "mesh \"" + mesh.name + "\" has ended\n";
  }
  if (purge) {
    // One that is just starting, or another mesh that has this state directory.
    if (!client && !local::WaitUntilUnlocked(*paths, 0))
      return Report({.code = Errc::kUnavailable,
                     .message = "mesh \"" + mesh.name + "\" is starting",
                     .hint = "plait down --purge" + Named(mesh) + ", again, when it runs"});
    if (const Outcome<> free = local::AwaitFreeState(*paths, kPatience); !free) return Report(free.error());
  }
  const Outcome<bool> purged = purge ? local::RemoveTreeOrExplain(paths->state) : false;
  if (purged && *purged) output.text += "removed its certificates and state: " + paths->state + "\n";
  if (purge && purged && !*purged)
    output.text += (client ? "it had no state: " : "mesh \"" + mesh.name + "\" does not run, and it has no state: ") +
                   paths->state + " is not there\n";
  output.data = Data({{"mesh", mesh.name}, {"ended", client.has_value()}, {"purged", purged.value_or(false)}});
  const int code = Show(mesh.format, output);
  return purged ? code : Report(purged.error());
}

}  // namespace

Command DownCommand(MeshOptions& mesh) {
  const auto purge = std::make_shared<bool>(false);
  return {.name = "down",
          .summary = "end the mesh and everything in it",
          .options = {{.names = "--purge", .help = "remove its certificates and state too", .to = purge.get()}},
          .run = [&mesh, purge] { return Down(mesh, *purge); }};
}

}  // namespace plait::cli
