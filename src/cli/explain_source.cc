#include "cli/explain_source.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/json_access.h"
#include "cli/program.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

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
                 .silent = HasEnvoy(*found) ? AskOffline(status_, words_) : ""};
  }
  Outcome<Json> Ask(const Party& party, const std::string& query) override {
    return AskProxyForJson(mesh_, party.workload, "/plait/explain?" + query);
  }
  Positions ObjectPositions() override { return LivePositions(status_); }
  // The last good version of each file is in force; `plait check` and `plait status` tell of the others.
  const Json& Problems() override { return problems_; }
  bool InLoopbackMode() override { return status_.mode == "loopback"; }

 private:
  const MeshOptions& mesh_;
  const local::MeshStatus status_;
  const std::string words_;
  const Json problems_ = Json::array();
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
    const Outcome<ProgramEnd> end = RunProgram("plaitd", {"--directory", directory_, "--resources-of", workload});
    if (!end) return std::unexpected(end.error());
    const Json resources = Json::parse(end->out, nullptr, false);
    if (!resources.is_object())
      return Explain(Errc::kInternal, "plaitd cannot read " + directory_ + ": " + std::string(Trim(end->err)));
    problems_ = At(resources, "problems");
    if (const std::string error = Text(resources, {"error"}); !error.empty())
      return Explain(Errc::kNotFound, error, Text(resources, {"hint"}));
    const std::string proxy = Text(resources, {"proxy"});
    Party party{.workload = Text(resources, {"pod"}),
                .ip = Text(resources, {"ip"}),
                .identity = Text(resources, {"identity"}),
                .proxy = proxy == "router" ? "gateway" : proxy};
    for (const auto& [name, value] : At(resources, "capture").items()) party.capture.emplace_back(name, Text(value));
    const std::string file = folder_ + "/" + std::to_string(files_.size()) + ".json";
    if (!(std::ofstream(file, std::ios::binary) << end->out).flush())
      return Explain(Errc::kLimit, "cannot write " + file, "make room there, or set TMPDIR");
    files_[party.workload] = file;
    positions_ = PositionsOf(At(resources, "objects"));
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
  Positions ObjectPositions() override { return positions_; }
  const Json& Problems() override { return problems_; }
  bool InLoopbackMode() override { return false; }

 private:
  const std::string directory_;
  const std::string folder_;
  std::map<std::string, std::string> files_;  // by pod
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
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error))
    return Explain(Errc::kInvalidInput, "there is no directory " + directory,
                   "give a directory of Kubernetes and Istio YAML");
  std::string folder = (std::filesystem::temp_directory_path(error) / "plait-explain-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr)
    return Explain(Errc::kLimit, "cannot make a folder for temporary files", "set TMPDIR to one that can be written");
  return std::make_unique<Directory>(directory, folder);
}

Positions LivePositions(const local::MeshStatus& status) {
  const Outcome<std::string> text = AskControlPlane(status, "/debug/configz");
  return text ? PositionsOf(Json::parse(*text, nullptr, false)) : Positions();
}

}  // namespace plait::cli
