// What other programs tell the command line, of whatever version they are: a proxy's /config_dump (or a file of it),
// its statistics and its /plait/explain, plaitd's debug pages, the load generator's report. The first byte chooses the
// reader.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/config_dump.h"
#include "cli/config_tables.h"
#include "cli/explain_report.h"
#include "cli/load_report.h"
#include "cli/prometheus_text.h"
#include "cli/tables.h"
#include "core/base/check.h"

namespace {
using namespace plait;

void ConfigDump(const cli::Json& dump) {
  (void)cli::BootstrapTable(cli::BootstrapOf(dump));
  for (const char* what : {"cluster", "listener", "route", "endpoint", "secret"}) {
    const cli::Json all = cli::ResourcesOf(dump, what);
    PLAIT_CHECK(all.is_array());
    const cli::Json some =
        cli::Select(what, all, {.fqdn = "a", .direction = "outbound", .address = "10.0.0.1", .port = 80});
    PLAIT_CHECK(some.size() <= all.size());
    (void)cli::TableText(cli::ConfigTable(what, some));
  }
  // As the proxy's own page of its clusters, too: nothing but the health of endpoints may come of it.
  const cli::Json joined = cli::WithHostHealth(dump, dump);
  for (const char* what : {"cluster", "listener", "route", "secret"})
    PLAIT_CHECK(cli::ResourcesOf(joined, what) == cli::ResourcesOf(dump, what));
  PLAIT_CHECK(cli::ConfigTable("endpoint", cli::ResourcesOf(joined, "endpoint")).rows.size() ==
              cli::ConfigTable("endpoint", cli::ResourcesOf(dump, "endpoint")).rows.size());
}

void DebugPages(const cli::Json& page) {
  (void)cli::TableText(cli::ProxyTable(page, WallTime{}));
  (void)cli::Refusals(page);
  for (const auto& [object, at] : cli::PositionsOf(page)) PLAIT_CHECK(object.find(' ') != std::string::npos);
  PLAIT_CHECK(!cli::HasErrors(page) || !cli::ProblemTexts(page).empty());
}

void Explanation(const cli::Json& answer) {
  if (!answer.is_object()) return;
  const auto shared = std::make_shared<const cli::Json>(answer);
  (void)cli::ExplainOutput({.hops = {{"a-0.default", shared}, {"b-0.default", shared}}}, {});
}

void Names(std::string_view text) {
  (void)cli::ObjectOfPath(text);
  (void)cli::ObjectOfPolicy(text);
  const cli::ClusterName name = cli::SplitClusterName(std::string(text));
  PLAIT_CHECK(text.ends_with(name.fqdn));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'P': (void)cli::SumOf(cli::ReadPrometheus(text), "istio_requests_total", {{"reporter", "source"}}); return 0;
    case 'L': (void)cli::ReadLoadReport(text); return 0;
    case 'N': Names(text); return 0;
    default: break;
  }
  const cli::Json json = cli::Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return 0;
  switch (data[0]) {
    case 'D': ConfigDump(json); break;
    case 'Y': DebugPages(json); break;
    case 'E': Explanation(json); break;
    default: break;
  }
  return 0;
}
