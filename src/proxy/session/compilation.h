#pragma once
// What compiling a configuration registers with; the process's, outlives what is compiled.
namespace plait::telemetry {
class Registry;
}
namespace plait::proxy::record {
class LogWriter;
}

namespace plait::proxy::session {

struct Compilation {
  telemetry::Registry& registry;
  record::LogWriter& logs;
};

}  // namespace plait::proxy::session
