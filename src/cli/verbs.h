#pragma once
// The verbs of the command line; each returns the exit code. Options come from app.cc.
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "cli/render.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct MeshOptions {
  std::string name = "default";
  Format format = Format::kTable;
};

struct UpVerb {
  std::string directory;
  std::string net = {};     // a local::Mode; empty: the default
  bool no_seccomp = false;  // proxies for debuggers
  bool detach = false;
  int port = 8080;
  int concurrency = 2;
  // Told when all is ready, instead of `plait up`'s own words.
  std::function<void(const local::MeshStatus&)> welcome = {};
  // Starts a process when all is ready; its end ends the mesh, and its exit code is that of the verb.
  std::function<pid_t()> beside = {};
};
int Up(const MeshOptions& mesh, const UpVerb& verb);
// `plait up` on the bookinfo sample that lies beside the binary.
struct DemoVerb {
  bool detach = false;
  bool test = false;
  int port = 8080;
  int concurrency = 2;
};
int Demo(const MeshOptions& mesh, const DemoVerb& verb);
int Down(const MeshOptions& mesh, bool purge);

int Exec(const MeshOptions& mesh, const std::string& workload, const std::string& container,
         const std::vector<std::string>& command);
// `plait run --as WORKLOAD -- COMMAND`: in the caller's folder, with a network and a proxy of its own.
int RunAs(const MeshOptions& mesh, const std::string& workload, const std::vector<std::string>& command);
int Logs(const MeshOptions& mesh, const std::string& workload, const std::string& container, bool follow);
int Status(const MeshOptions& mesh);
int Version(const MeshOptions& mesh);
struct TestVerb {
  bool keep = false;               // leave its workloads, to look at them
  bool leave = false;              // who started it removes them with the mesh
  std::vector<std::string> pages;  // paths of the application that must be there through the gateway
};
int Test(const MeshOptions& mesh, const TestVerb& verb);
int Doctor(const MeshOptions& mesh);

int ProxyStatus(const MeshOptions& mesh);
// `what`: cluster, listener, route, endpoint, secret.
int ProxyConfig(const MeshOptions& mesh, const std::string& what, const std::string& workload);

// main() without the executable: parses, runs a verb, returns the exit code.
int Run(int argc, char** argv);

}  // namespace plait::cli
