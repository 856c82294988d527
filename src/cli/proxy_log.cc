#include "cli/proxy_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/workloads.h"
#include "core/base/encoding.h"
#include "core/base/log.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

struct LogVerb {
  std::string workload;
  std::string level;
  bool reset = false;
};

std::string LoggingPath(const LogVerb& verb) {
  if (verb.reset) return "/logging?level=info";
  if (verb.level.empty()) return "/logging";
  return (verb.level.find(':') == std::string::npos ? "/logging?level=" : "/logging?paths=") +
         PercentEncode(verb.level);
}

// The wrong word of levels that the proxy, which may be an Envoy, has refused. One that it accepts needs no check: it
// sets none unless it knows them all.
Outcome<> CheckLevelsOf(const MeshOptions& mesh, const LogVerb& verb) {
  const Outcome<std::string> page = PostToProxy(mesh, verb.workload, "/logging");
  if (!page) return std::unexpected(page.error());
  std::vector<std::string> loggers;
  for (const auto& row : LoggersOutput(*page).table.rows) loggers.push_back(row.front());
  return CheckLevels(verb.level, loggers);
}

int ProxyLog(const MeshOptions& mesh, const LogVerb& verb) {
  if (verb.reset && !verb.level.empty())
    return Report({.code = Errc::kInvalidInput,
                   .message = "--level and --reset do not go together",
                   .hint = "one of them: --reset is --level info"});
  const Outcome<std::string> page = PostToProxy(mesh, verb.workload, LoggingPath(verb));
  const bool refused = !page && page.error().code == Errc::kNotFound;
  if (refused && !verb.level.empty())
    if (const Outcome<> checked = CheckLevelsOf(mesh, verb); !checked) return Report(checked.error());
  if (!page) return Report(page.error());
  return Show(mesh.format, LoggersOutput(*page));
}

}  // namespace

Outcome<> CheckLevels(std::string_view spec, const std::vector<std::string>& loggers) {
  const auto wrong = [&](const std::string& what) -> Outcome<> {
    return Explain(Errc::kInvalidInput, "--level " + std::string(spec) + ": " + what,
                   "LEVEL or LOGGER:LEVEL,... with loggers " + Join(loggers, ", ") +
                       "; levels trace, debug, info, warning, error, off");
  };
  const bool of_all = spec.find(':') == std::string_view::npos;
  for (const std::string_view part : of_all ? std::vector{spec} : Split(spec, ',')) {
    const auto [name, level] = SplitOnce(part, ':');
    if (!of_all && !level) return wrong("\"" + std::string(part) + "\" is not LOGGER:LEVEL");
    const std::string_view word = of_all ? name : *level;
    if (!log::IsLevel(word)) return wrong("\"" + std::string(word) + "\" is no level");
    if (!of_all && std::find(loggers.begin(), loggers.end(), name) == loggers.end())
      return wrong("there is no logger \"" + std::string(name) + "\"");
  }
  return {};
}

Output LoggersOutput(std::string_view page) {
  Output output{.table = {{"LOGGER", "LEVEL"}, {}}};
  Json levels = Json::object();
  for (const std::string_view line : Split(page, '\n')) {
    const auto [name, level] = SplitOnce(line, ':');
    const std::string logger(Trim(name));
    if (!level || Trim(*level).empty() || logger == "active loggers") continue;
    output.table.rows.push_back({logger, std::string(Trim(*level))});
    output.names.push_back("logger/" + logger);
    levels[logger] = Trim(*level);
  }
  output.data = Data({{"loggers", std::move(levels)}});
  return output;
}

Command ProxyLogCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<LogVerb>();
  return {.name = "log",
          .summary = "show or set the log levels of a workload's proxy",
          .examples = {{"log details-v1 --level control:debug,http2:trace", "some loggers"},
                       {"log details-v1 --level warning", "all of them"}},
          .options = {{.names = "workload",
                       .value = "WORKLOAD",
                       .help = "pod or deployment",
                       .to = &verb->workload,
                       .required = true,
                       .offers = Offers::kWorkloads},
                      {.names = "--level",
                       .value = "COMPONENT:LEVEL,...",
                       .help = "trace, debug, info, warning, error or off; without a component: of all",
                       .to = &verb->level,
                       .offers = Offers::kLogLevels,
                       .listed = true},
                      {.names = "-r,--reset", .help = "all of them back to info", .to = &verb->reset}},
          .run = [&mesh, verb] { return ProxyLog(mesh, *verb); }};
}

}  // namespace plait::cli
