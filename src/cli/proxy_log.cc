#include "cli/proxy_log.h"

#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

struct LogVerb {
  std::string workload;
  std::string level;
  bool reset = false;
};

// "debug" is for all loggers, "control:debug,http2:trace" for those.
std::string LoggingPath(const LogVerb& verb) {
  if (verb.reset) return "/logging?level=info";
  if (verb.level.empty()) return "/logging";
  return (verb.level.find(':') == std::string::npos ? "/logging?level=" : "/logging?paths=") + UrlEncoded(verb.level);
}

int ProxyLog(const MeshOptions& mesh, const LogVerb& verb) {
  const Outcome<std::string> page = PostToProxy(mesh, verb.workload, LoggingPath(verb));
  if (!page) return Report(page.error());
  return Show(mesh.format, LoggersOutput(*page));
}

}  // namespace

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
