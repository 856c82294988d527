// plait completion bash|zsh|fish: a script for the shell, which asks this program for what may come next.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/access_log_line.h"
#include "cli/complete.h"
#include "cli/config_dump.h"
#include "cli/json_access.h"
#include "cli/proxy_log.h"
#include "cli/tree.h"
#include "cli/workloads.h"
#include "core/base/strings.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

constexpr const char* kBash = R"bash(# bash: source <(plait completion bash)
_plait() {
  local line current="${COMP_WORDS[COMP_CWORD]}" word typed behind=1 i
  local -a words=()
  # Bash takes words apart at the signs of COMP_WORDBREAKS: "control:debug" comes as three of them.
  for ((i = 1; i <= COMP_CWORD; ++i)); do
    word="${COMP_WORDS[i]}"
    if [[ $word =~ ^[:=]+$ && $COMP_WORDBREAKS == *"${word:0:1}"* ]] && ((${#words[@]})); then
      words[-1]+="$word" behind=0
    elif ((behind)) || [[ -z $word && ${COMP_LINE:0:COMP_POINT} == *" " ]]; then
      words+=("$word") behind=1
    else
      words[-1]+="$word" behind=1
    fi
  done
  typed="${words[-1]}"
  # What the shell would make of them: quotes and backslashes are its own.
  for i in "${!words[@]}"; do
    words[i]="${words[i]//\\/}"
    words[i]="${words[i]//[\"\']/}"
  done
  # Bash puts what it gets in the place of what stands behind the last sign.
  word=""
  [[ $COMP_WORDBREAKS == *[:=]* && ${words[-1]} == *[:=]* ]] && word="${words[-1]%"${words[-1]##*[:=]}"}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      *)
        line="${line%%$'\t'*}"
        line="${line#"$word"}"
        # "outbound|9080||reviews" is one word, and no pipe.
        [[ $line == *['|&;<>*?']* && $typed != *[\"\']* ]] && printf -v line %q "$line"
        COMPREPLY+=("$line") ;;
    esac
  done < <("${COMP_WORDS[0]}" @complete -- "${words[@]}" 2>/dev/null)
}
complete -F _plait plait
)bash";

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

void SortAndUnite(std::vector<Candidate>& candidates) {
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.word < b.word; });
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
}

std::vector<Candidate> Workloads(const local::MeshStatus& status) {
  std::vector<Candidate> out;
  for (const local::WorkloadStatus& w : status.workloads) {
    if (!w.owner.empty()) out.push_back({Short(w.owner, w.ns), "deployment"});
    out.push_back({Short(w.name, w.ns), "pod"});
  }
  SortAndUnite(out);
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
    if (name.empty() || name.contains('*')) continue;
    const bool host = Text(service, {"Attributes", "ServiceRegistry"}) == "External";  // of a ServiceEntry
    out.push_back({host ? name : Short(name, ns), "service"});
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
  SortAndUnite(out);
  return out;
}

// Names in a proxy's configuration: a list of its /config_dump, and where the name stands in an element.
struct NamesInDump {
  Offers what;
  const char* list;
  const char* name;
};
constexpr NamesInDump kNamesInDump[] = {
    {Offers::kClusters, "dynamic_endpoint_configs", "endpoint_config.cluster_name"},
    {Offers::kServiceHosts, "dynamic_active_clusters", "cluster.name"},
    {Offers::kRouteConfigs, "dynamic_route_configs", "route_config.name"},
    {Offers::kSecrets, "dynamic_active_secrets", "name"},
};

std::vector<Candidate> ConfigNames(const NamesInDump& where, const MeshOptions& mesh, const std::string& workload) {
  std::vector<Candidate> out;
  const Outcome<Json> dump = AskProxyForJson(
      mesh, workload, std::string("/config_dump?include_eds&resource=") + where.list + "&mask=" + where.name);
  if (!dump) return out;
  for (const Json& element : At(*dump, "configs")) {
    const Json* at = &element;
    for (const std::string_view key : Split(where.name, '.')) at = &At(*at, key);
    std::string name = Text(*at);
    if (where.what == Offers::kServiceHosts) {
      const ClusterName cluster = SplitClusterName(name);
      name = cluster.direction.empty() ? "" : cluster.fqdn;
    }
    if (!name.empty()) out.push_back({std::move(name)});
  }
  SortAndUnite(out);
  return out;
}

// Of all loggers, and of each one that the workload's proxy has.
std::vector<Candidate> LogLevels(const MeshOptions& mesh, const std::string& workload) {
  constexpr const char* kLevels[] = {"trace", "debug", "info", "warning", "error", "off"};
  std::vector<Candidate> out;
  for (const char* level : kLevels) out.push_back({level, "of all loggers"});
  if (workload.empty()) return out;
  const Outcome<std::string> page = PostToProxy(mesh, workload, "/logging");
  if (!page) return out;
  for (const auto& row : LoggersOutput(*page).table.rows)
    for (const char* level : kLevels) out.push_back({row.front() + ":" + level});
  return out;
}

std::vector<Candidate> ResponseFlags() {
  std::vector<Candidate> out;
  for (const std::string_view name : ResponseFlagNames()) out.push_back({std::string(name)});
  return out;
}

// plaitd finds out what it honours of them by experiment, which takes too long here.
std::vector<Candidate> Kinds() {
  std::vector<Candidate> out;
  for (const char* kind : {"VirtualService",
                           "DestinationRule",
                           "Gateway",
                           "ServiceEntry",
                           "PeerAuthentication",
                           "AuthorizationPolicy",
                           "RequestAuthentication",
                           "MeshConfig",
                           "MeshNetworks",
                           "Service",
                           "Pod",
                           "Deployment",
                           "StatefulSet",
                           "Job",
                           "EndpointSlice",
                           "Endpoints",
                           "ConfigMap",
                           "Secret",
                           "Namespace",
                           "ServiceAccount",
                           "Node"})
    out.push_back({kind});
  return out;
}

std::vector<Candidate> NamesFor(Offers what, const std::string& mesh, const std::string& workload) {
  if (what == Offers::kMeshes) return Meshes();
  if (what == Offers::kResponseFlags) return ResponseFlags();
  if (what == Offers::kKinds) return Kinds();
  const MeshOptions of{.name = mesh};
  if (what == Offers::kLogLevels) return LogLevels(of, workload);
  for (const NamesInDump& where : kNamesInDump)
    if (where.what == what) return workload.empty() ? std::vector<Candidate>() : ConfigNames(where, of, workload);
  const Outcome<local::MeshStatus> status = StatusOf(of);
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
  // Whoever presses Tab does not wait for a proxy that does not answer, and hears of no failure.
  signal(SIGALRM, [](int) { _exit(kDone); });
  alarm(1);
  MeshOptions unused;
  const Completions found = Complete(Tree(unused), words, NamesFor);
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
