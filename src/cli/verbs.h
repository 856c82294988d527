#pragma once
// The verbs of the command line; each returns the exit code. Options come from app.cc.
#include <string>
#include <vector>

#include "cli/render.h"

namespace plait::cli {

struct MeshOptions {
  std::string name = "default";
  Format format = Format::kTable;
};

struct UpVerb {
  std::string directory;
  std::string net = "rootless";
  bool detach = false;
  int port = 8080;
  int concurrency = 2;
};
int Up(const MeshOptions& mesh, const UpVerb& verb);
// `plait up` on the bookinfo sample that lies beside the binary.
struct DemoVerb {
  bool detach = false;
  int port = 8080;
  int concurrency = 2;
};
int Demo(const MeshOptions& mesh, const DemoVerb& verb);
int Down(const MeshOptions& mesh, bool purge);

int Exec(const MeshOptions& mesh, const std::string& workload, const std::string& container,
         const std::vector<std::string>& command);
int Logs(const MeshOptions& mesh, const std::string& workload, const std::string& container, bool follow);
int Status(const MeshOptions& mesh);
int Version(const MeshOptions& mesh);
int Doctor(const MeshOptions& mesh);

int ProxyStatus(const MeshOptions& mesh);
// `what`: cluster, listener, route, endpoint, secret.
int ProxyConfig(const MeshOptions& mesh, const std::string& what, const std::string& workload);

// main() without the executable: parses, runs a verb, returns the exit code.
int Run(int argc, char** argv);

}  // namespace plait::cli
