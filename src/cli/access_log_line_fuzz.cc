// Any line is either a line of an access log or not; what was read stands in it, and a question about it has no more
// parameters than it should: a client must not be able to ask another one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "cli/access_log_line.h"
#include "cli/denials.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto read = plait::cli::ReadAccessLogLine(line);
  if (!read) return 0;
  const bool json = line.find('{') != std::string_view::npos;
  if (!json && line.find(read->path) == std::string_view::npos) std::abort();
  if (const auto denied = read->DeniedBy(); denied && denied->size() > size) std::abort();
  for (const bool at_gateway : {false, true}) {
    const std::string question =
        plait::cli::QuestionAbout(*read, plait::cli::CallerOf({}, *read, at_gateway), at_gateway);
    if (question.find_first_of("\r\n #?;+") != std::string::npos) std::abort();
    if (std::count(question.begin(), question.end(), '&') > 10) std::abort();
  }
  return 0;
}
