#pragma once
// What `plait logs` adds to a request or connection that a policy denied: which, where it stands, and where no ALLOW
// rule matched, of each rule in scope the first field that differs (semantics.md 5). The denying proxy decides, with
// the policies in force now.
#include <functional>
#include <map>
#include <string>

#include "cli/access_log_line.h"
#include "cli/explain_report.h"

namespace plait::cli {

// The query of /plait/explain that asks the proxy about a line of its own log; `principal`: of the caller, empty:
// unknown.
std::string QuestionAbout(const AccessLogLine& line, const std::string& principal);
// Lines with their ends. `policy`: AccessLogLine::DeniedBy; `answer`: of that question, null when there is none.
std::string ExplainDenial(const std::string& policy, const Json& answer, const Positions& positions);

}  // namespace plait::cli
