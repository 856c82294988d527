#include "cli/explain_source.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "cli/program.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

class Live final : public ExplainSource {
 public:
  Live(const MeshOptions& mesh, local::MeshStatus status) : mesh_(mesh), status_(std::move(status)) {}

  Outcome<Party> Find(const std::string& workload) override {
    const Outcome<local::WorkloadStatus> found = FindWorkload(status_, workload);
    if (!found) return std::unexpected(found.error());
    return Party{.workload = found->name + "." + found->ns,
                 .ip = found->ip,
                 .identity = "spiffe://" + status_.trust_domain + "/ns/" + found->ns + "/sa/" + found->service_account,
                 .has_proxy = HasProxy(*found)};
  }
  Outcome<Json> Ask(const Party& party, const std::string& query) override {
    return AskProxyForJson(mesh_, party.workload, "/plait/explain?" + query);
  }
  Positions ObjectPositions() override {
    const Outcome<std::string> text = AskControlPlane(status_, "/debug/configz");
    return text ? PositionsOf(Json::parse(*text, nullptr, false)) : Positions();
  }

 private:
  const MeshOptions& mesh_;
  const local::MeshStatus status_;
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
    const Outcome<std::string> text =
        OutputOfProgram("plaitd", {"--directory", directory_, "--resources-of", workload});
    if (!text) return std::unexpected(text.error());
    const Json resources = Json::parse(*text, nullptr, false);
    Party party{.workload = Text(resources, {"pod"}),
                .ip = Text(resources, {"ip"}),
                .identity = Text(resources, {"identity"}),
                .has_proxy = Text(resources, {"proxy"}) != "none"};
    const std::string file = folder_ + "/" + std::to_string(files_.size()) + ".json";
    if (!(std::ofstream(file, std::ios::binary) << *text).flush())
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

 private:
  const std::string directory_;
  const std::string folder_;
  std::map<std::string, std::string> files_;  // by pod
  Positions positions_;
};

}  // namespace

Outcome<std::unique_ptr<ExplainSource>> LiveSource(const MeshOptions& mesh) {
  Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return std::unexpected(status.error());
  return std::make_unique<Live>(mesh, *std::move(status));
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

}  // namespace plait::cli
