#pragma once
// What `plait logs` makes of the lines of its sources: shows them with what explains them, or keeps them as data, or
// only says which logs have any. What follows a log writes each line at once, in every format.
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/access_log_line.h"
#include "cli/denials.h"
#include "cli/log_sources.h"
#include "cli/render.h"

namespace plait::cli {

struct LogChoice {
  Format format = Format::kTable;
  bool follow = false;
  bool denied = false;                  // only what a policy denied
  std::vector<std::string> flags = {};  // only what has one of these response flags
  bool filters() const { return denied || !flags.empty(); }
};

class LogPrinter {
 public:
  // False: the reader has gone.
  using Write = std::function<bool(std::string_view text)>;
  // `entries`, an array, gets what passes for -o json and -o yaml, unless it follows. It and `denials` outlive this.
  LogPrinter(LogChoice choice, Denials& denials, Json& entries, Write write)
      : choice_(std::move(choice)), denials_(denials), entries_(entries), write_(std::move(write)) {}
  // A line, with its end. False when `write` said so.
  bool Take(const LogSource& source, std::string_view text);

  // "log/details-v1-0.default/istio-proxy": the logs of which a line has passed.
  const std::vector<std::string>& names() const noexcept { return names_; }
  static std::string NameOf(const LogSource& source) { return "log/" + source.workload + "/" + source.container; }

 private:
  bool Passes(const AccessLogLine& line) const;

  const LogChoice choice_;
  Denials& denials_;
  Json& entries_;
  const Write write_;
  std::set<std::string> passed_;
  std::vector<std::string> names_;
};

}  // namespace plait::cli
