// Small texts from outside that the admin and agent ports read: queries and the pod's prometheus.io annotations. The
// first byte chooses the reader. Checked: a query is taken apart at its separators alone; what is refused says why and
// changes nothing.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/log.h"
#include "proxy/admin/agent.h"
#include "proxy/admin/logging_page.h"
#include "proxy/admin/parameters.h"

namespace {
using namespace plait;
using proxy::admin::Parameters;

log::Component fuzz_log("fuzz");

Parameters Query(std::string_view text) { return Parameters("/page?" + std::string(text)); }

void Pairs(std::string_view text) {
  const Parameters parameters = Query(text);
  const std::string_view query = text.substr(0, text.find('#'));
  const std::vector<std::string_view> parts = Split(query, '&');
  const auto named = std::count_if(parts.begin(), parts.end(),
                                   [](std::string_view part) { return !part.empty() && part.front() != '='; });
  PLAIT_CHECK(static_cast<std::ptrdiff_t>(parameters.all().size()) == named);
  std::size_t bytes = 0;
  for (const auto& [name, value] : parameters.all()) {
    PLAIT_CHECK(parameters.Has(name));
    bytes += name.size() + value.size();
  }
  PLAIT_CHECK(bytes <= query.size());
  if (!parameters.all().empty()) {
    const auto& [name, value] = parameters.all().front();
    PLAIT_CHECK(parameters.Get(name) == value);
  }
}

void Logging(std::string_view text) {
  const std::string before = log::DescribeLevels();
  const conn::Response response = proxy::admin::LoggingPage(Query(text));
  PLAIT_CHECK(response.status == 200 || response.status == 400);
  if (response.status == 200) PLAIT_CHECK(response.body == log::DescribeLevels());
  if (response.status == 400) PLAIT_CHECK(log::DescribeLevels() == before && response.body.starts_with("error: "));
  PLAIT_CHECK(log::SetLevels("off") && log::IsComponent(fuzz_log.name()));
}

void Annotations(std::string_view text) {
  const auto read = proxy::admin::ReadScrapeAnnotations(text);
  if (!read) PLAIT_CHECK(!read.error().message.empty());
  if (read && *read) PLAIT_CHECK((*read)->port && (*read)->path.starts_with('/'));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 64 * 1024) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'Q': Pairs(text); break;
    case 'L': Logging(text); break;
    case 'A': Annotations(text); break;
    default: break;
  }
  return 0;
}
