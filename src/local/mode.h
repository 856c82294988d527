#pragma once
// How the workloads of a mesh are kept apart (`plait up --net`), and what a person should know of each way.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plait::local {

enum class Mode : std::uint8_t {
  kRootless,  // namespaces inside a user namespace: no privilege on the host is needed, and none is had
  kNetns,     // the host's root makes the namespaces: where user namespaces are for root only
  kLoopback,  // no namespaces: addresses of the host's loopback, and no capture; where nobody may make namespaces
};

const char* NameOf(Mode mode);
std::optional<Mode> ParseMode(std::string_view name);
// What it cannot do, one sentence each.
const std::vector<std::string>& LimitsOf(Mode mode);

}  // namespace plait::local
