// plait logs WORKLOAD|-A: what containers have written. `-c istio-proxy` is the proxy (access log and process log),
// whose denials are explained; `plaitd` and `supervisor` are workloads of plait-system.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/denials.h"
#include "cli/json_access.h"
#include "cli/log_tail.h"
#include "cli/verbs.h"
#include "cli/workloads.h"
#include "core/base/strings.h"
#include "core/io/address.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

struct LogsVerb {
  std::string workload, container, flags;
  bool all = false, follow = false, denied = false;
  bool filters() const { return denied || !flags.empty(); }
};

struct LogSource {
  std::string workload;
  std::string container;
  LogTail tail;
};

// Asks the proxy that denied something why; the same question is asked once.
class Denials {
 public:
  Denials(const MeshOptions& mesh, const local::MeshStatus& status) : mesh_(mesh), status_(status) {}

  std::string Explain(const std::string& workload, const AccessLogLine& line) {
    const auto policy = line.DeniedBy();
    if (!policy) return "";
    if (*policy != "none") return ExplainDenial(*policy, Json(), positions());
    const std::string question = QuestionAbout(line, PrincipalAt(line.downstream_remote));
    const auto [place, is_new] = known_.try_emplace(workload + "?" + question);
    if (is_new) {
      const Outcome<Json> answer = AskProxyForJson(mesh_, workload, "/plait/explain?" + question);
      place->second = ExplainDenial(*policy, answer ? *answer : Json(), positions());
    }
    return place->second;
  }

 private:
  const Positions& positions() {
    if (!positions_) {
      const Outcome<std::string> text = AskControlPlane(status_, "/debug/configz");
      positions_ = text ? PositionsOf(Json::parse(*text, nullptr, false)) : Positions();
    }
    return *positions_;
  }
  // Of the workload with that address; a caller without a proxy has none.
  std::string PrincipalAt(const std::string& address) const {
    const auto remote = io::SocketAddress::Parse(address);
    if (!remote) return "";
    for (const local::WorkloadStatus& w : status_.workloads)
      for (const std::string& ip : w.ips)
        if (HasProxy(w) && io::IpAddress::Parse(ip) == remote->ip)
          return "spiffe://" + status_.trust_domain + "/ns/" + w.ns + "/sa/" + w.service_account;
    return "";
  }

  const MeshOptions& mesh_;
  const local::MeshStatus& status_;
  std::optional<Positions> positions_;
  std::map<std::string, std::string> known_;
};

bool WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// What becomes of a line: left out, shown as it is with what is added, or kept as data.
class LogPrinter {
 public:
  LogPrinter(const LogsVerb& verb, Format format, Denials& denials)
      : verb_(verb), data_(IsData(format)), names_(format == Format::kName), denials_(denials) {
    for (const std::string_view flag : Split(verb.flags, ','))
      if (!flag.empty()) flags_.emplace_back(flag);
  }
  bool Take(const LogSource& source, std::string_view text) {
    const bool of_proxy = source.container == "istio-proxy";
    const auto line = of_proxy ? ReadAccessLogLine(text) : std::nullopt;
    if (verb_.filters() && (!line || !Passes(*line))) return true;
    if (names_) return true;
    const std::string added = line ? denials_.Explain(source.workload, *line) : "";
    if (!data_) return WriteAll((verb_.all ? "[" + source.workload + "] " : "") + std::string(text) + added);
    Json entry = {{"workload", source.workload}, {"container", source.container}, {"line", Trim(text)}};
    if (!added.empty()) entry["explanation"] = Trim(added);
    entries_.push_back(std::move(entry));
    return true;
  }
  Json TakeEntries() { return std::move(entries_); }

 private:
  bool Passes(const AccessLogLine& line) const {
    return (!verb_.denied || line.DeniedBy()) && (flags_.empty() || line.HasFlag(flags_));
  }

  const LogsVerb& verb_;
  const bool data_, names_;
  Denials& denials_;
  std::vector<std::string> flags_;
  Json entries_ = Json::array();
};

Outcome<std::vector<LogSource>> SourcesOf(const local::MeshStatus& status, const LogsVerb& verb) {
  std::vector<LogSource> sources;
  std::string container = verb.container;
  if (container.empty() && (verb.all || verb.filters())) container = "istio-proxy";
  const auto add = [&](const std::string& workload) -> Outcome<> {
    Outcome<std::string> path = LogPathOf(status, workload, container);
    if (!path) return std::unexpected(path.error());
    const std::string file = path->substr(path->rfind('/') + 1);
    sources.push_back({workload, file.substr(0, file.rfind('.')), LogTail(*path)});
    return {};
  };
  if (!verb.all) {
    if (Outcome<> added = add(verb.workload); !added) return std::unexpected(added.error());
    return sources;
  }
  for (const local::WorkloadStatus& w : status.workloads)
    if (HasProxy(w) || container != "istio-proxy")
      if (Outcome<> added = add(w.name + "." + w.ns); !added) return std::unexpected(added.error());
  return sources;
}

// Until the reader of standard output, or the mesh with its files, has gone.
void Follow(const MeshOptions& mesh, std::vector<LogSource>& sources, LogPrinter& printer) {
  for (;;) {
    for (LogSource& source : sources) {
      source.tail.ReopenIfRotated();
      if (!source.tail.Read(false, [&](std::string_view line) { return printer.Take(source, line); })) return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (access(sources.front().tail.path().c_str(), F_OK) != 0 &&
        !local::ControlClient::Connect(*local::ResolvePaths(mesh.name)))
      return;
  }
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
  const bool as_text = !IsData(mesh.format) && mesh.format != Format::kName;
  if (verb.follow && !as_text)
    return Report(
        {.code = Errc::kInvalidInput, .message = "--follow shows lines as they come", .hint = "leave -o out"});
  if (verb.all == !verb.workload.empty())
    return Report({.code = Errc::kInvalidInput,
                   .message = verb.all ? "give a workload or -A, not both" : "say which workload",
                   .hint = "plait logs WORKLOAD, or plait logs -A"});
  if (const Outcome<> checked = CheckFlags(verb.flags); !checked) return Report(checked.error());
  const Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return Report(status.error());
  Outcome<std::vector<LogSource>> sources = SourcesOf(*status, verb);
  if (!sources) return Report(sources.error());
  Denials denials(mesh, *status);
  LogPrinter printer(verb, mesh.format, denials);
  std::erase_if(*sources, [](LogSource& source) { return !source.tail.Open(); });
  if (sources->empty())
    return Report({.code = Errc::kNotFound,
                   .message = verb.all ? "nothing has been logged"
                                       : verb.workload + " has no container \"" + verb.container + "\" that has run",
                   .hint = "-c istio-proxy is its proxy"});
  Output output;
  for (LogSource& source : *sources) {
    output.names.push_back("log/" + source.workload + "/" + source.container);
    if (!source.tail.Read(!verb.follow, [&](std::string_view line) { return printer.Take(source, line); }))
      return kDone;
  }
  if (verb.follow) Follow(mesh, *sources, printer);
  if (as_text) return kDone;  // it is shown already
  output.data = Data(printer.TakeEntries());
  return Show(mesh.format, output);
}

}  // namespace

Command LogsCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<LogsVerb>();
  return {.name = "logs",
          .summary = "show what a workload has written",
          .details =
              "Of a proxy (-c istio-proxy): its access log and its own messages. Requests that a policy denied are "
              "explained: the policy and its rule, or, when no ALLOW rule matched, of each rule in scope the first "
              "field that differs.",
          .examples = {{"logs -c istio-proxy details-v1", "its proxy"},
                       {"logs -A --denied --follow", "who is denied what, now"},
                       {"logs -A --flag UF,UH,NR", "what did not reach a server"}},
          .options = {{.names = "workload",
                       .value = "WORKLOAD",
                       .help = "pod or deployment; plaitd, supervisor",
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
                      {.names = "-f,--follow", .help = "go on with what comes", .to = &verb->follow},
                      {.names = "--flag",
                       .value = "FLAG,...",
                       .help = "only what has one of these response flags",
                       .to = &verb->flags},
                      {.names = "--denied", .help = "only what a policy denied", .to = &verb->denied}},
          .run = [&mesh, verb] { return Logs(mesh, *verb); }};
}

}  // namespace plait::cli
