// plait completion bash|zsh|fish: a script for the shell, which asks this program for what may come next.
#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/complete.h"
#include "cli/json_access.h"
#include "cli/tree.h"
#include "cli/workloads.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

constexpr const char* kBash = R"(# bash: source <(plait completion bash)
_plait() {
  local line current="${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${COMP_WORDS[0]}" @complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _plait plait
)";

constexpr const char* kZsh = R"(#compdef plait
# zsh: plait completion zsh > "${fpath[1]}/_plait"
_plait() {
  local line
  local -a candidates
  while IFS= read -r line; do
    case "$line" in
      :files) _files; return ;;
      :folders) _files -/; return ;;
      *) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done < <("${words[1]}" @complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe 'plait' candidates
}
if [ "$funcstack[1]" = "_plait" ]; then _plait "$@"; else compdef _plait plait; fi
)";

constexpr const char* kFish = R"(# fish: plait completion fish > ~/.config/fish/completions/plait.fish
function __plait_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in ($before[1] @complete -- $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :folders
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end
complete -c plait -f -a '(__plait_complete)'
)";

// Those of the namespace default go by their name alone.
std::string Short(const std::string& name, const std::string& ns) { return ns == "default" ? name : name + "." + ns; }

std::vector<Candidate> Workloads(const local::MeshStatus& status) {
  std::vector<Candidate> out;
  for (const local::WorkloadStatus& w : status.workloads) {
    if (!w.owner.empty()) out.push_back({Short(w.owner, w.ns), "deployment"});
    out.push_back({Short(w.name, w.ns), "pod"});
  }
  std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) { return a.word < b.word; });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<Candidate> Containers(const local::MeshStatus& status, const std::string& workload) {
  std::vector<Candidate> out;
  const Outcome<local::WorkloadStatus> found = FindWorkload(status, workload);
  if (!found) return out;
  for (const auto* list : {&found->init_containers, &found->containers})
    for (const local::ContainerStatus& container : *list) out.push_back({container.name, container.state});
  if (found->proxy_pid > 0) out.push_back({"istio-proxy", "its proxy"});
  return out;
}

std::vector<Candidate> Services(const local::MeshStatus& status) {
  std::vector<Candidate> out;
  const Outcome<std::string> text = AskControlPlane(status, "/debug/registryz");
  if (!text) return out;
  for (const Json& service : Json::parse(*text, nullptr, false)) {
    const std::string name = Text(service, {"Attributes", "Name"});
    const std::string ns = Text(service, {"Attributes", "Namespace"});
    if (!name.empty()) out.push_back({Short(name, ns), "service"});
  }
  return out;
}

std::vector<Candidate> Meshes() {
  std::vector<Candidate> out;
  const Outcome<local::MeshPaths> paths = local::ResolvePaths("default");
  if (!paths) return out;
  std::error_code error;
  const auto folder = std::filesystem::path(paths->run).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.is_directory(error)) out.push_back({entry.path().filename().string(), "mesh"});
  std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) { return a.word < b.word; });
  return out;
}

std::vector<Candidate> NamesOfMesh(Offers what, const std::string& mesh, const std::string& workload) {
  if (what == Offers::kMeshes) return Meshes();
  const Outcome<local::MeshStatus> status = StatusOf({.name = mesh});
  if (!status) return {};
  if (what == Offers::kContainers) return Containers(*status, workload);
  std::vector<Candidate> out = Workloads(*status);
  if (what == Offers::kDestinations) {
    const std::vector<Candidate> services = Services(*status);
    out.insert(out.begin(), services.begin(), services.end());
  }
  return out;
}

int Script(const std::string& shell) {
  fputs(shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish, stdout);
  return kDone;
}

}  // namespace

int CompleteLine(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  MeshOptions unused;
  const Completions found = Complete(Tree(unused), words, NamesOfMesh);
  if (found.paths != Offers::kNothing) puts(found.paths == Offers::kFiles ? ":files" : ":folders");
  for (const Candidate& candidate : found.candidates)
    printf("%s%s%s\n", candidate.word.c_str(), candidate.help.empty() ? "" : "\t", candidate.help.c_str());
  return kDone;
}

Command CompletionCommand(MeshOptions& /*mesh*/) {
  const auto shell = std::make_shared<std::string>();
  return {.name = "completion",
          .summary = "completion for a shell, with the names of the running mesh",
          .examples = {{"completion bash", "for this shell: source <(plait completion bash)"},
                       {"completion fish", "into ~/.config/fish/completions/plait.fish"}},
          .options = {{.names = "shell",
                       .value = "SHELL",
                       .help = "bash, zsh or fish",
                       .to = shell.get(),
                       .required = true,
                       .choices = {"bash", "zsh", "fish"}}},
          .renders = false,
          .of_mesh = false,
          .run = [shell] { return Script(*shell); }};
}

}  // namespace plait::cli
