// What other programs tell the command line, of whatever version they are: a proxy's /config_dump (or a file of it),
// its statistics, the load generator's report. The first byte chooses the reader.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/config_dump.h"
#include "cli/config_tables.h"
#include "cli/load_report.h"
#include "cli/prometheus_text.h"
#include "core/base/check.h"

namespace {
using namespace plait;

void ConfigDump(std::string_view text) {
  const cli::Json dump = cli::Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (dump.is_discarded()) return;
  (void)cli::BootstrapOf(dump);
  for (const char* what : {"cluster", "listener", "route", "endpoint", "secret"}) {
    const cli::Json all = cli::ResourcesOf(dump, what);
    PLAIT_CHECK(all.is_array());
    const cli::Json some =
        cli::Select(what, all, {.fqdn = "a", .direction = "outbound", .address = "10.0.0.1", .port = 80});
    PLAIT_CHECK(some.size() <= all.size());
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'D': ConfigDump(text); break;
    case 'P': (void)cli::SumOf(cli::ReadPrometheus(text), "istio_requests_total", {{"reporter", "source"}}); break;
    case 'L': (void)cli::ReadLoadReport(text); break;
    default: break;
  }
  return 0;
}
