#pragma once
// A request on the mesh's control socket: one JSON object a message. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/port.h"
#include "core/base/result.h"

namespace plait::local {

struct ControlRequest {
  enum class Op : std::uint8_t { kStatus, kDial, kExec, kHold, kReplaceProxy, kRenewIdentity, kCheckCapture, kDown };
  Op op = Op::kStatus;
  std::string workload;  // dial, exec, replace-proxy, renew-identity, check-capture: NAME[.NS]
  Port port;             // dial: of the workload; 0: none was given
  // exec
  std::string container;  // empty: the first one
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value", before the container's own
  bool tty = false;
  std::string term;  // of the client's terminal, for TERM
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
  std::string file;  // hold: a name in the overlay's folder
  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

// Errors (kInvalidInput): no JSON object, an unknown operation, a field of another type or out of range, a
// file that is no plain name.
Outcome<ControlRequest> DecodeControlRequest(std::string_view message);

}  // namespace plait::local
