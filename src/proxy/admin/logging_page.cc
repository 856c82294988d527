#include "proxy/admin/logging_page.h"

#include <algorithm>

#include "core/base/log.h"

namespace plait::proxy::admin {
namespace {

constexpr std::string_view kUsage =
    "usage: /logging?<name>=<level> (change single level)\n"
    "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
    "usage: /logging?level=<level> (change all levels)\n"
    "levels: trace debug info warning error critical off\n";

conn::Response Refuse(const std::string& why) {
  return conn::TextResponse(400, "error: " + why + "\n\n" + std::string(kUsage) + log::DescribeLevels());
}

// What is wrong with "name:level,..."; empty: nothing.
std::string ProblemOf(std::string_view spec) {
  for (const std::string_view part : Split(spec, ',')) {
    const auto [name, level] = SplitOnce(part, ':');
    if (!level) return "'" + std::string(part) + "' is not <name>:<level>";
    if (!log::IsLevel(*level)) return "unknown logger level '" + std::string(*level) + "'";
    if (!log::IsComponent(name)) return "unknown logger name '" + std::string(name) + "'";
  }
  return {};
}

}  // namespace

conn::Response LoggingPage(const Parameters& parameters) {
  if (parameters.all().size() > 1) return Refuse("invalid number of parameters");
  if (!parameters.all().empty()) {
    const auto& [name, value] = parameters.all().front();
    if (name == "level") {
      if (!log::IsLevel(value)) return Refuse("unknown logger level '" + value + "'");
      log::SetLevels(value);
    } else {
      const std::string spec = name == "paths" ? value : name + ":" + value;
      if (const std::string problem = ProblemOf(spec); !problem.empty()) return Refuse(problem);
      log::SetLevels(spec);
    }
  }
  return conn::TextResponse(200, log::DescribeLevels());
}

}  // namespace plait::proxy::admin
