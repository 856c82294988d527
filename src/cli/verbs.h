#pragma once
// The verbs of the command line: each file makes its Command (command.h), whose `run` returns the exit code. `mesh` is
// filled by the parser before `run`, and outlives the command.
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct MeshOptions {
  std::string name = "default";
  Format format = Format::kTable;
};
// " --name NAME" for lines that are to be copied; empty for the default mesh.
std::string Named(const MeshOptions& mesh);

struct UpVerb {
  std::string directory;
  std::string net = {};     // a local::Mode; empty: the default
  bool no_seccomp = false;  // proxies for debuggers
  bool detach = false;
  int port = -1;  // of the gateway on this host; -1: nobody chose one
  int concurrency = 2;
  int timeout = 60;  // seconds: then it says what is not ready; with `beside` it ends then
  // Told when all is ready, instead of `plait up`'s own words.
  std::function<void(const local::MeshStatus&)> welcome = {};
  // Starts a process when all is ready; its end ends the mesh, and its exit code is that of the verb.
  std::function<pid_t()> beside = {};
  // Makes `directory` once the mesh's name is this verb's own, and what removes it again (local::MeshFiles); empty: it
  // is there.
  std::function<Outcome<>()> prepare = {};
  std::function<void()> clean = {};
};
int Up(const MeshOptions& mesh, const UpVerb& verb);
// Options that `plait up` and `plait demo` share.
std::vector<Option> UpOptions(UpVerb& verb);

Command UpCommand(MeshOptions& mesh);
Command DemoCommand(MeshOptions& mesh);
Command DownCommand(MeshOptions& mesh);
Command StatusCommand(MeshOptions& mesh);
Command TestCommand(MeshOptions& mesh);
Command DoctorCommand(MeshOptions& mesh);
Command ExecCommand(MeshOptions& mesh);
Command RunCommand(MeshOptions& mesh);
Command LogsCommand(MeshOptions& mesh);
Command ProxyStatusCommand(MeshOptions& mesh);
Command ProxyConfigCommand(MeshOptions& mesh);
Command VersionCommand(MeshOptions& mesh);
Command CompletionCommand(MeshOptions& mesh);
Command DocsCommand(MeshOptions& mesh);
Command ExplainCommand(MeshOptions& mesh);
Command CheckCommand(MeshOptions& mesh);

// main() without the executable: parses, runs a verb, returns the exit code.
int Run(int argc, char** argv);

}  // namespace plait::cli
