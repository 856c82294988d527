// plait logs WORKLOAD|-A: what containers have written, of a deployment in all its pods. `-c istio-proxy` is the proxy
// (access log and process log), whose denials are explained; `plaitd` and `supervisor` are workloads of plait-system.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/denials.h"
#include "cli/log_printer.h"
#include "cli/log_sources.h"
#include "cli/render.h"
#include "cli/verbs.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

struct LogsVerb {
  std::string workload, container, flags;
  bool all = false, follow = false, denied = false;
  bool filters() const { return denied || !flags.empty(); }
};

Denials::Source DenialsOf(const MeshOptions& mesh) {
  return {.status = [&mesh] { return StatusOf(mesh); },
          .proxy = [&mesh](const std::string& workload,
                           const std::string& target) { return AskProxyForJson(mesh, workload, target); },
          .positions = AskPositions,
          .named = Named(mesh)};
}

bool WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      NoteOutputError(errno);
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

LogChoice ChoiceOf(const MeshOptions& mesh, const LogsVerb& verb) {
  LogChoice choice{.format = mesh.format, .follow = verb.follow, .denied = verb.denied};
  for (const std::string_view flag : Split(verb.flags, ','))
    if (!flag.empty()) choice.flags.emplace_back(flag);
  return choice;
}

// Of a proxy, unless something else was asked for.
std::string ContainerOf(const LogsVerb& verb) {
  return verb.container.empty() && (verb.all || verb.filters()) ? "istio-proxy" : verb.container;
}

// Shows what has come; a last line without an end waits for the rest unless `all`. False when the reader of standard
// output has gone.
bool ShowNew(LogSources& sources, LogPrinter& printer, bool all = false) {
  for (LogSource& source : sources.list())
    if (!source.tail.Read(all, [&](std::string_view line) { return printer.Take(source, line); })) return false;
  return true;
}

// A proxy that has much to write does so in blocks, at most 200 ms after the request (LogBuffers::kAge), and one that
// has not written for so long has nothing left to write. So a request that was answered before is shown.
void AwaitBlocks(LogSources& sources) {
  constexpr auto kAge = std::chrono::milliseconds(250);
  auto latest = std::filesystem::file_time_type::min();
  for (const LogSource& source : sources.list()) {
    std::error_code error;
    const auto written = std::filesystem::last_write_time(source.tail.path(), error);
    if (!error && source.container == "istio-proxy") latest = std::max(latest, written);
  }
  const auto now = std::filesystem::file_time_type::clock::now();
  if (latest > now - kAge && latest <= now) std::this_thread::sleep_for(latest + kAge - now);
}

bool AnyFile(LogSources& sources) {
  return std::any_of(sources.list().begin(), sources.list().end(),
                     [](const LogSource& source) { return access(source.tail.path().c_str(), F_OK) == 0; });
}

// Until the reader of standard output, or the mesh with its files, has gone. Workloads come and go meanwhile.
void Follow(const MeshOptions& mesh, LogSources& sources, LogPrinter& printer, Denials& denials) {
  constexpr auto kBreak = std::chrono::milliseconds(100);
  for (auto looked = std::chrono::steady_clock::now();; std::this_thread::sleep_for(kBreak)) {
    denials.Refresh();
    if (!ShowNew(sources, printer)) return;
    if (std::chrono::steady_clock::now() - looked < std::chrono::seconds(1)) continue;
    looked = std::chrono::steady_clock::now();
    if (const Outcome<local::MeshStatus> status = StatusOf(mesh)) {
      [[maybe_unused]] const auto told = sources.Update(*status);  // of a workload that is away now, the next may come
    } else if (!AnyFile(sources)) {
      ShowNew(sources, printer);
      return;
    }
  }
}

// Where to look when an application logs nothing; "" when it does, or was not what was asked for (a filter leaves
// nothing of an application's lines).
std::string HintForSilence(const MeshOptions& mesh, const LogsVerb& verb, const local::MeshStatus& status,
                           LogSources& sources, const LogPrinter& printer) {
  if (!printer.names().empty() || verb.all || verb.filters() || sources.list().front().container == "istio-proxy")
    return "";
  const Outcome<local::WorkloadStatus> workload = FindWorkload(status, verb.workload);
  if (!workload || !HasProxy(*workload)) return "";  // plaitd and the supervisor are none
  return "the container " + sources.list().front().container + " of " + verb.workload +
         " has written nothing; its access log is that of its proxy: plait logs" + Named(mesh) + " -c istio-proxy " +
         verb.workload;
}

// "istio-proxy, details": what -c may name of a workload.
std::string ContainersOf(const local::MeshStatus& status, const std::string& workload) {
  const Outcome<local::WorkloadStatus> found = FindWorkload(status, workload);
  if (!found) return "";
  std::vector<std::string> names;
  if (HasProxy(*found)) names.emplace_back("istio-proxy");
  for (const auto* containers : {&found->init_containers, &found->containers})
    for (const local::ContainerStatus& one : *containers) names.push_back(one.name);
  return Join(names, ", ");
}

Outcome<> CheckFlags(const std::string& flags) {
  const auto names = ResponseFlagNames();
  for (const std::string_view flag : Split(flags, ',')) {
    if (flag.empty() || std::find(names.begin(), names.end(), flag) != names.end()) continue;
    std::string known;
    for (const std::string_view name : names) (known += known.empty() ? "" : ", ") += name;
    return plait::Explain(Errc::kInvalidInput, "--flag \"" + std::string(flag) + "\" is no response flag",
                          "one or more of " + known);
  }
  return {};
}

int Logs(const MeshOptions& mesh, const LogsVerb& verb) {
  if (verb.all == !verb.workload.empty())
    return Report({.code = Errc::kInvalidInput,
                   .message = verb.all ? "give a workload or -A, not both" : "say which workload",
                   .hint = "plait logs WORKLOAD, or plait logs -A"});
  if (const Outcome<> checked = CheckFlags(verb.flags); !checked) return Report(checked.error());
  const Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return Report(status.error());
  LogSources sources(verb.workload, ContainerOf(verb));
  if (const Outcome<> found = sources.Update(*status); !found) return Report(found.error());
  Denials denials(DenialsOf(mesh));
  Json entries = Json::array();
  LogPrinter printer(ChoiceOf(mesh, verb), denials, entries, WriteAll);
  Output output;
  for (LogSource& source : sources.list())
    if (source.tail.Open()) output.names.push_back(LogPrinter::NameOf(source));
  if (output.names.empty()) {
    const std::string containers = verb.all ? "" : ContainersOf(*status, verb.workload);
    return Report({.code = Errc::kNotFound,
                   .message = verb.all ? "nothing has been logged"
                                       : verb.workload + " has no container \"" + verb.container + "\" that has run",
                   .hint = containers.empty() ? "-c istio-proxy is its proxy" : "-c with one of: " + containers});
  }
  if (!verb.follow) AwaitBlocks(sources);
  const bool read = ShowNew(sources, printer, /*all=*/!verb.follow);
  const std::string hint = HintForSilence(mesh, verb, *status, sources, printer);
  if (!hint.empty()) Warn(hint);
  if (verb.follow && read) Follow(mesh, sources, printer, denials);
  if (IsTold(mesh.format) || verb.follow) return kDone;  // it is shown already
  if (verb.filters()) output.names = printer.names();
  output.data = Data(std::move(entries));
  return Show(mesh.format, output);
}

}  // namespace

Command LogsCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<LogsVerb>();
  return {
      .name = "logs",
      .summary = "show what a workload has written",
      .details =
          "Of a deployment: all its pods; where there are several, each line begins with the pod's name (kubectl logs "
          "shows one pod). Of a proxy (-c istio-proxy): its access log and its own messages. Requests that a policy "
          "denied are explained: the policy and its rule, or, when no ALLOW rule matched, of each rule in scope the "
          "first field that differs, by the policies in force now. What the log does not hold, such as other headers, "
          "is not guessed: the plait explain that tells is shown.",
      .examples = {{"logs -c istio-proxy details-v1", "its proxy"},
                   {"logs -A --denied --follow", "who is denied what, now"},
                   {"logs -A --flag UF,UH,NR", "what did not reach a server"}},
      .options = {{.names = "workload",
                   .value = "WORKLOAD",
                   .help = "pod, or deployment for all its pods; plaitd, supervisor",
                   .to = &verb->workload,
                   .offers = Offers::kWorkloads},
                  {.names = "-A,--all",
                   .help = "of all workloads, their proxies unless -c says otherwise",
                   .to = &verb->all},
                  {.names = "-c,--container",
                   .value = "NAME",
                   .help = "istio-proxy: its proxy",
                   .to = &verb->container,
                   .offers = Offers::kContainers},
                  {.names = "-f,--follow",
                   .help = "go on with what comes; with -o json an object a line",
                   .to = &verb->follow},
                  {.names = "--flag",
                   .value = "FLAG,...",
                   .help = "only what has one of these response flags",
                   .to = &verb->flags,
                   .offers = Offers::kResponseFlags,
                   .listed = true},
                  {.names = "--denied", .help = "only what a policy denied", .to = &verb->denied}},
      .run = [&mesh, verb] { return Logs(mesh, *verb); }};
}

}  // namespace plait::cli
