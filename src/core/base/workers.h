#pragma once
// How many threads a proxy may have for connections. Each is an event loop with sockets of its own; beyond the cores of
// a machine more of them only cost.
#include <cstdint>

namespace plait {
inline constexpr std::uint32_t kMostWorkers = 64;
}  // namespace plait
