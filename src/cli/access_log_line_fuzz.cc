// Any line is either a line of an access log or not; what was read stands in it.
#include <cstdint>
#include <cstdlib>

#include "cli/access_log_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto read = plait::cli::ReadAccessLogLine(line);
  if (!read) return 0;
  const bool json = line.find('{') != std::string_view::npos;
  if (!json && line.find(read->path) == std::string_view::npos) std::abort();
  if (const auto denied = read->DeniedBy(); denied && denied->size() > size) std::abort();
  return 0;
}
