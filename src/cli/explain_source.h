#pragma once
// Who answers the questions of `plait explain`: the proxies of a running mesh, or, for a directory, plaitd and
// plait-proxy as programs that print what they would do.
#include <memory>
#include <string>

#include "cli/explain_application.h"
#include "cli/explain_capture.h"
#include "cli/explain_report.h"
#include "cli/verbs.h"
#include "local/mesh_status.h"

namespace plait::cli {

class ExplainSource {
 public:
  virtual ~ExplainSource() = default;
  // A pod or deployment. Errors name those that there are.
  virtual Outcome<Party> Find(const std::string& workload) = 0;
  // `query`: of /plait/explain. Errors are the proxy's own words.
  virtual Outcome<Json> Ask(const Party& party, const std::string& query) = 0;
  // That the containers of this pod declare.
  virtual Ports PortsOf(const Party& party) = 0;
  // Where objects stand. Errors: who knows does not answer.
  virtual Outcome<Positions> ObjectPositions() = 0;
  // What is wrong with the files, as far as this source has read them: [{"severity", "text"}].
  virtual const Json& Problems() = 0;
  // Nothing is captured then.
  virtual bool InLoopbackMode() = 0;
};

// `words`: the question as it stands on a command line, for a hint.
Outcome<std::unique_ptr<ExplainSource>> LiveSource(const MeshOptions& mesh, std::string words);
Outcome<std::unique_ptr<ExplainSource>> DirectorySource(const std::string& directory);

}  // namespace plait::cli
