#pragma once
// What compiling a configuration registers with; the process's, outlives what is compiled.
#include <string_view>

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
  // Of the listener that is compiled, as its statistics call it; empty: what is compiled belongs to none. Read at once.
  std::string_view listener = {};
};

}  // namespace plait::proxy::session
