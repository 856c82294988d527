#include "cli/log_printer.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/base/strings.h"

namespace plait::cli {

bool LogPrinter::Passes(const AccessLogLine& line) const {
  return (!choice_.denied || line.DeniedBy()) && (choice_.flags.empty() || line.HasFlag(choice_.flags));
}

bool LogPrinter::Take(const LogSource& source, std::string_view text) {
  const auto line = source.container == "istio-proxy" ? ReadAccessLogLine(text) : std::nullopt;
  if (choice_.filters() && (!line || !Passes(*line))) return true;
  const auto [name, is_new] = passed_.insert(NameOf(source));
  if (is_new) names_.push_back(*name);
  if (choice_.format == Format::kName) return !choice_.follow || !is_new || write_(*name + "\n");
  const std::string added = line ? denials_.Explain(source.workload, *line) : "";
  if (!IsData(choice_.format))
    return write_((source.one_of_several ? "[" + source.workload + "] " : "") + std::string(text) + added);
  Json entry = {{"workload", source.workload}, {"container", source.container}, {"line", Trim(text)}};
  if (!added.empty()) entry["explanation"] = Trim(added);
  if (choice_.follow)
    return write_(choice_.format == Format::kJson ? JsonText(entry) + "\n" : "---\n" + YamlText(entry));
  entries_.push_back(std::move(entry));
  return true;
}

}  // namespace plait::cli
