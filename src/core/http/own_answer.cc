#include "core/http/own_answer.h"

#include <string>

#include "core/base/time.h"
#include "core/http/date.h"

namespace plait::http {

Headers OwnAnswerHeaders(std::size_t body_bytes, const CodecOptions& options) {
  Headers headers;
  headers.Add("content-length", std::to_string(body_bytes));
  headers.Add("content-type", "text/plain");
  headers.Add("date", HttpDate(SystemClock().Wall()));
  if (!options.server_name.empty()) headers.Add("server", options.server_name);
  if (!options.via.empty()) headers.Add("via", options.via);
  return headers;
}

}  // namespace plait::http
