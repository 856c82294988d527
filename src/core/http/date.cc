#include "core/http/date.h"

namespace plait::http {

std::string_view HttpDate(WallTime now) {
  thread_local std::chrono::seconds second{-1};
  thread_local std::string text;
  const auto current = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  if (current != second || text.empty()) {
    text = FormatHttpDate(now);
    second = current;
  }
  return text;
}

}  // namespace plait::http
