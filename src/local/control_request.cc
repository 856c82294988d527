#include "local/control_request.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;
using Op = ControlRequest::Op;

std::unexpected<Diagnostic> Broken(std::string why) {
  return Explain(Errc::kInvalidInput, "the request is broken: " + std::move(why),
                 "plait and the mesh must be of one version");
}

// A number that is no 16-bit one would be cut silently by the library.
std::uint16_t Small(const Json& request, const char* key, std::uint16_t otherwise) {
  const auto found = request.find(key);
  if (found == request.end()) return otherwise;
  const auto number = found->get<std::int64_t>();
  if (!found->is_number_integer() || number < 0 || number > 0xffff)
    throw Json::other_error::create(501, std::string(key) + " is not between 0 and 65535", nullptr);
  return static_cast<std::uint16_t>(number);
}

ControlRequest RequestOf(const Json& request, Op op) {
  ControlRequest out{.op = op};
  out.workload = request.value("workload", "");
  out.port = Port{Small(request, "port", 0)};
  out.container = request.value("container", "");
  out.argv = request.value("argv", out.argv);
  out.environment = request.value("environment", out.environment);
  out.tty = request.value("tty", false);
  out.term = request.value("term", "");
  out.rows = Small(request, "rows", out.rows);
  out.columns = Small(request, "columns", out.columns);
  out.file = request.value("file", "");
  if (op == Op::kHold && (out.file.empty() || out.file.find('/') != std::string::npos))
    throw Json::other_error::create(501, "file is not the name of a file", nullptr);
  return out;
}

}  // namespace

Outcome<ControlRequest> DecodeControlRequest(std::string_view message) {
  constexpr std::pair<const char*, Op> kOps[] = {{"status", Op::kStatus},
                                                 {"dial", Op::kDial},
                                                 {"exec", Op::kExec},
                                                 {"hold", Op::kHold},
                                                 {"replace-proxy", Op::kReplaceProxy},
                                                 {"renew-identity", Op::kRenewIdentity},
                                                 {"check-capture", Op::kCheckCapture},
                                                 {"down", Op::kDown}};
  try {  // the library's errors are exceptions; they end here
    const Json request = ParseJsonMessage<Json>(message);
    if (!request.is_object()) return Broken("it is no JSON object");
    const std::string name = request.value("op", "");
    for (const auto& [known, op] : kOps)
      if (name == known) return RequestOf(request, op);
    return Broken("unknown operation \"" + name + "\"");
  } catch (const Json::exception& error) {
    return Broken(error.what());
  }
}

}  // namespace plait::local
