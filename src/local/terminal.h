#pragma once
// The terminal of a command in a container: one of the container's own devpts, since the user's is never given away.
#include <cstdint>

#include "core/base/result.h"

namespace plait::local {

struct TerminalPlan {
  int socket = -1;  // on which its master goes to the client
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
};

// Opens one and puts it in the place of stdin, stdout and stderr. It controls no session yet. Called in the container,
// as the user who shall own it.
Outcome<> OpenTerminal(const TerminalPlan& plan);

}  // namespace plait::local
