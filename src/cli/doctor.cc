// plait doctor: can this host run a mesh, and what to do if not. It does the real steps in namespaces that end with it.
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/checks.h"
#include "cli/verbs.h"
#include "core/base/strings.h"
#include "local/host_mesh.h"
#include "local/loopback_network.h"
#include "local/mesh_network.h"
#include "local/mesh_process.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

constexpr const char* kCategory = "plait-host";
constexpr std::string_view kIpv6 = "IPv6 in namespaces";

// `detail` is told when it passed.
Check From(std::string description, const Outcome<>& outcome, std::string detail) {
  if (outcome) return {.category = kCategory, .description = std::move(description), .detail = std::move(detail)};
  return {.category = kCategory,
          .description = std::move(description),
          .result = Mark::kFailed,
          .detail = outcome.error().message,
          .fix = outcome.error().hint};
}

// The steps inside, written to `report` as name, detail, hint: one line each, fields split by tabs.
int CheckInside(int report) {
  const auto tell = [report](const char* name, const Outcome<>& outcome) {
    const std::string line = std::string(name) + "\t" + (outcome ? "" : outcome.error().message) + "\t" +
                             (outcome ? "" : outcome.error().hint) + "\n";
    return write(report, line.data(), line.size()) > 0 && outcome.has_value();
  };
  auto network = local::MeshNetwork::Make();
  if (!tell("virtual network", network ? Outcome<>{} : std::unexpected(network.error()))) return 1;
  node::CaptureRules rules;
  rules.mesh_ranges = local::MeshNetwork::Ranges();
  auto pod = (*network)->Add({.proxy_sockets = true, .rules = &rules});
  if (!tell("capture by nftables", pod ? Outcome<>{} : std::unexpected(pod.error()))) return 1;
  const bool v6 = pod->ips.size() == 2;
  tell(kIpv6.data(), v6 ? Outcome<>{} : Explain(Errc::kUnavailable, "this host has no IPv6: workloads have IPv4 only"));
  const auto filter = local::SyscallFilter::Make();
  tell("system-call filter", filter ? Outcome<>{} : std::unexpected(filter.error()));
  return 0;
}

void CheckNamespaces(std::vector<Check>& checks) {
  int ends[2];
  if (pipe(ends) != 0) return;
  io::UniqueFd reading(ends[0]);
  io::UniqueFd writing(ends[1]);
  auto process =
      local::StartMeshProcess(local::Mode::kRootless, [&](const local::Ids&) { return CheckInside(writing.get()); });
  writing.Reset();
  utsname kernel{};
  uname(&kernel);
  checks.push_back(From("user, mount, pid and network namespaces",
                        process ? Outcome<>{} : std::unexpected(process.error()),
                        std::string("kernel ") + kernel.release));
  if (!process) return;
  std::string text;
  char piece[1024];
  for (ssize_t n; (n = read(reading.get(), piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(n));
  waitpid(process->pid, nullptr, 0);
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> fields = Split(line, '\t');
    if (fields.size() != 3) continue;
    checks.push_back(From(
        std::string(fields[0]),
        fields[1].empty() ? Outcome<>{} : Explain(Errc::kUnavailable, std::string(fields[1]), std::string(fields[2])),
        ""));
    // Without IPv6 a mesh runs, with IPv4 only.
    if (fields[0] == kIpv6 && !fields[1].empty()) checks.back().result = Mark::kWarning;
  }
}

void CheckPrograms(std::vector<Check>& checks) {
  for (const char* name : {"plaitd", "plait-proxy", "plait-init"}) {
    const std::string path = local::BinaryFolder() + "/" + name;
    const bool there = access(path.c_str(), X_OK) == 0;
    checks.push_back(From(
        name, there ? Outcome<>{} : Explain(Errc::kNotFound, path + " is missing", "build or install all of Plait"),
        ""));
  }
}

// Whether the folder can be made, if it is not there. It stays as it was.
Outcome<> TryFolder(const std::string& path) {
  const std::vector<std::string> missing = local::MissingFolders(path);
  Outcome<> made = local::MakeFolders(path);
  local::RemoveEmptyFolders(missing);
  return made;
}

void CheckHost(const MeshOptions& mesh, std::vector<Check>& checks) {
  const auto paths = local::ResolvePaths(mesh.name);
  checks.push_back(From("folders", paths ? TryFolder(paths->state) : Outcome<>(std::unexpected(paths.error())),
                        paths ? paths->run + ", " + paths->state : ""));
  const auto socket = local::ListenOnHost(Port{8080});
  checks.push_back(From("a free port for the application", socket ? Outcome<>{} : std::unexpected(socket.error()),
                        socket ? "127.0.0.1:" + std::to_string(socket->port.value) : ""));
}

// Whether addresses of the loopback can be had, each by itself: what the mode loopback needs.
void CheckLoopback(std::vector<Check>& checks) {
  local::LoopbackNetwork network;
  node::CaptureRules rules;
  auto pod = network.Add({.proxy_sockets = true, .rules = &rules, .ports = {}});
  checks.push_back(From("loopback addresses", pod ? Outcome<>{} : std::unexpected(pod.error()),
                        pod ? "for plait up --net loopback: " + pod->ips.front().ToString() + " is free" : ""));
}

bool Failed(const std::vector<Check>& checks) {
  return std::any_of(checks.begin(), checks.end(), [](const Check& check) { return check.result == Mark::kFailed; });
}

int Doctor(const MeshOptions& mesh) {
  std::vector<Check> namespaces;
  CheckNamespaces(namespaces);
  std::vector<Check> checks;
  CheckPrograms(checks);
  CheckHost(mesh, checks);
  CheckLoopback(checks);
  const bool loopback = !Failed(checks);
  const bool able = loopback && !Failed(namespaces);
  checks.insert(checks.begin(), namespaces.begin(), namespaces.end());
  Output output = ChecksOutput(checks);
  Json data = *output.data;
  data["mode"] = able ? "rootless" : loopback ? "loopback" : "none";
  output.data = Data(std::move(data));
  output.text += able ? "this host can run a mesh: try `plait demo`\n"
                 : loopback
                     ? "this host can run a mesh without capture only: plait up --net loopback (docs/local-mode.md)\n"
                     : "this host cannot run a mesh yet\n";
  return Show(mesh.format, output);
}

}  // namespace

Command DoctorCommand(MeshOptions& mesh) {
  return {.name = "doctor",
          .summary = "can this host run a mesh?",
          .details =
              "Takes the real steps (namespaces, virtual network, capture rules, system-call filter) and undoes "
              "them. Each failure comes with what to do.",
          .run = [&mesh] { return Doctor(mesh); }};
}

}  // namespace plait::cli
