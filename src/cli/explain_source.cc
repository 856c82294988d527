#include "cli/explain_source.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/directory.h"
#include "cli/envoys.h"
#include "cli/json_access.h"
#include "cli/program.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

// Of a pod that may not answer, with where to look; "" of one that is ready.
std::string UnreadyText(const local::WorkloadStatus& pod, const std::string& named) {
  if (pod.ready) return "";
  return "is not ready (" + pod.phase + (pod.reason.empty() ? "" : ", " + pod.reason) +
         (pod.restarts > 0 ? ", restarts: " + std::to_string(pod.restarts) : "") +
         "), so it may not answer: plait logs" + named + " " + pod.name + "." + pod.ns;
}

// What plaitd makes of a directory for one pod (`--resources-of`).
Outcome<Json> ResourcesOf(const std::string& directory, const std::string& workload) {
  const Outcome<ProgramEnd> end = RunProgram("plaitd", {"--directory", directory, "--resources-of", workload});
  if (!end) return std::unexpected(end.error());
  Json resources = Json::parse(end->out, nullptr, false);
  if (!resources.is_object())
    return Explain(Errc::kInternal, "plaitd cannot read " + directory + ": " + std::string(Trim(end->err)));
  return resources;
}

Ports PortsIn(const Json& resources) {
  const Json& list = At(resources, "ports");
  if (!list.is_array()) return std::nullopt;  // there is no such workload
  std::vector<std::uint16_t> ports;
  for (const Json& port : list)
    if (port.is_number_unsigned() && port <= 65535) ports.push_back(port.get<std::uint16_t>());
  return ports;
}

class Live final : public ExplainSource {
 public:
  Live(const MeshOptions& mesh, local::MeshStatus status, std::string words)
      : mesh_(mesh), status_(std::move(status)), words_(std::move(words)) {}

  Outcome<Party> Find(const std::string& workload) override {
    const Outcome<local::WorkloadStatus> found = FindWorkload(status_, workload);
    if (!found) return std::unexpected(found.error());
    return Party{.workload = found->name + "." + found->ns,
                 .ip = found->ip,
                 .identity = IdentityOf(status_, *found),
                 .proxy = HasProxy(*found) ? found->proxy : "none",
                 .capture = found->capture,
                 .silent = HasEnvoy(*found) ? AskOffline(status_, words_) : "",
                 .unready = UnreadyText(*found, Named(mesh_))};
  }
  Outcome<Json> Ask(const Party& party, const std::string& query) override {
    return AskProxyForJson(mesh_, party.workload, "/plait/explain?" + query);
  }
  Ports PortsOf(const Party& party) override {
    const auto [known, is_new] = ports_.try_emplace(party.workload);
    if (is_new) known->second = AskForPorts(party);
    return known->second;
  }
  Outcome<Positions> ObjectPositions() override {
    Outcome<Positions> positions = AskPositions(status_);
    if (positions) return positions;
    return Explain(Errc::kUnavailable, "the control plane does not answer", "plait logs" + Named(mesh_) + " plaitd");
  }
  // The last good version of each file is in force; `plait check` and `plait status` tell of the others.
  const Json& Problems() override { return problems_; }
  bool InLoopbackMode() override { return status_.mode == "loopback"; }

 private:
  Ports AskForPorts(const Party& party) const {
    if (party.has_proxy()) {
      const Outcome<Json> dump = AskProxyForJson(mesh_, party.workload, "/config_dump?mask=bootstrap.node");
      return dump ? PortsOfBootstrap(*dump) : std::nullopt;
    }
    const Outcome<Json> resources = ResourcesOf(status_.directory, party.workload);
    return resources ? PortsIn(*resources) : std::nullopt;
  }

  const MeshOptions& mesh_;
  const local::MeshStatus status_;
  const std::string words_;
  const Json problems_ = Json::array();
  std::map<std::string, Ports> ports_;  // by pod: a question without a port needs them again where it arrives
};

// The resources of each proxy are kept in a folder that goes with this object.
class Directory final : public ExplainSource {
 public:
  Directory(std::string directory, std::string folder) : directory_(std::move(directory)), folder_(std::move(folder)) {}
  ~Directory() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  Outcome<Party> Find(const std::string& workload) override {
    if (const auto known = found_.find(workload); known != found_.end()) return known->second;
    const Outcome<Json> read = ResourcesOf(directory_, workload);
    if (!read) return std::unexpected(read.error());
    const Json& resources = *read;
    problems_ = At(resources, "problems");
    if (const std::string error = Text(resources, {"error"}); !error.empty())
      return Explain(Errc::kNotFound, error, Text(resources, {"hint"}));
    const std::string proxy = Text(resources, {"proxy"});
    Party party{.workload = Text(resources, {"pod"}),
                .ip = Text(resources, {"ip"}),
                .identity = Text(resources, {"identity"}),
                .proxy = proxy == "router" ? "gateway" : proxy};
    for (const auto& [name, value] : At(resources, "capture").items()) party.capture.emplace_back(name, Text(value));
    const std::string file = folder_ + "/" + std::to_string(found_.size()) + ".json";
    if (!(std::ofstream(file, std::ios::binary) << resources.dump()).flush())
      return Explain(Errc::kLimit, "cannot write " + file, "make room there, or set TMPDIR");
    files_[party.workload] = file;
    ports_[party.workload] = PortsIn(resources);
    positions_ = PositionsOf(At(resources, "objects"));
    found_.emplace(workload, party);
    return party;
  }
  Outcome<Json> Ask(const Party& party, const std::string& query) override {
    const Outcome<std::string> text =
        OutputOfProgram("plait-proxy", {"--mode", "explain", "-c", files_.at(party.workload), "--question", query});
    if (!text) return std::unexpected(text.error());
    Json answer = Json::parse(*text, nullptr, false);
    if (!answer.is_object()) return Explain(Errc::kInternal, "the answer of plait-proxy is not JSON");
    return answer;
  }
  Ports PortsOf(const Party& party) override { return ports_.at(party.workload); }
  Outcome<Positions> ObjectPositions() override { return positions_; }
  const Json& Problems() override { return problems_; }
  bool InLoopbackMode() override { return false; }

 private:
  const std::string directory_;
  const std::string folder_;
  std::map<std::string, Party> found_;        // by what was asked for
  std::map<std::string, std::string> files_;  // by pod
  std::map<std::string, Ports> ports_;        // by pod
  Positions positions_;
  Json problems_ = Json::array();
};

}  // namespace

Outcome<std::unique_ptr<ExplainSource>> LiveSource(const MeshOptions& mesh, std::string words) {
  Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return std::unexpected(status.error());
  return std::make_unique<Live>(mesh, *std::move(status), std::move(words));
}

Outcome<std::unique_ptr<ExplainSource>> DirectorySource(const std::string& directory) {
  if (Outcome<> there = CheckDirectory(directory); !there) return std::unexpected(there.error());
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "plait-explain-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr)
    return Explain(Errc::kLimit, "cannot make a folder for temporary files", "set TMPDIR to one that can be written");
  return std::make_unique<Directory>(directory, folder);
}

}  // namespace plait::cli
