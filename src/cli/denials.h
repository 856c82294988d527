#pragma once
// What `plait logs` adds to a request or connection that a policy denied: which, where it stands, and where no ALLOW
// rule matched, of each rule in scope the first field that certainly differs (semantics.md 5). The denying proxy
// decides, with the policies in force now. What a line of its log does not hold - headers, often the caller - is
// neither match nor miss: then the command is told that asks again with it.
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cli/access_log_line.h"
#include "cli/explain_report.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "local/mesh_status.h"

namespace plait::cli {

// Who sent what a line of a log tells, as far as the line and the mesh say.
struct Caller {
  bool known = false;     // of `principal`
  std::string principal;  // empty: none, plaintext
  std::string workload;   // "reviews-v1-0.default"; empty: not known
};
Caller CallerOf(const local::MeshStatus& status, const AccessLogLine& line, bool at_gateway);

// The query of /plait/explain that asks the proxy about a line of its own log.
std::string QuestionAbout(const AccessLogLine& line, const Caller& caller, bool at_gateway);

class Denials {
 public:
  // The mesh, asked when a line needs it.
  struct Source {
    std::function<Outcome<local::MeshStatus>()> status;
    std::function<Outcome<Json>(const std::string& workload, const std::string& target)> proxy;
    std::function<Outcome<Positions>(const local::MeshStatus&)> positions;
    std::string named = {};  // " --name shop": that commands need to mean this mesh
  };
  explicit Denials(Source source, const Clock& clock = SystemClock()) : source_(std::move(source)), clock_(clock) {}

  // Lines with their ends; empty: no policy denied it. An answer holds until Refresh or for a second, as it must not
  // outlive the configuration that it was given by. Who does not answer is left alone for ten seconds, over a Refresh
  // too: each question to one that hangs takes all of its patience.
  std::string Explain(const std::string& workload, const AccessLogLine& line);
  void Refresh();

 private:
  template <class T>
  struct Kept {
    T value;
    MonotonicTime until;
  };
  struct Question {
    const std::string& workload;
    const AccessLogLine& line;
    bool at_gateway;
    bool of_envoy;
    Caller caller;
  };
  std::string Answer(const Question& question, const std::string& query);
  Outcome<Json> AskProxy(const std::string& workload, const std::string& query);
  const Positions& positions();
  const local::MeshStatus& status();

  const Source source_;
  const Clock& clock_;
  std::optional<Kept<Outcome<Positions>>> positions_;
  std::optional<Kept<local::MeshStatus>> status_;
  std::map<std::string, Kept<std::string>> known_;  // by workload and question; bounded
  std::map<std::string, Kept<Diagnostic>> silent_;  // workloads whose proxies do not answer
};

}  // namespace plait::cli
