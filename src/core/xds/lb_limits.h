#pragma once
// Envoy's bounds of the tables of consistent hashing. Beyond them a table takes the memory of the machine.
#include <cstdint>

namespace plait::xds {

inline constexpr std::uint64_t kMaxRingSize = 8'388'608;
inline constexpr std::uint64_t kMaxMaglevTable = 5'000'011;

// Each host's steps through the table visit all of it only if its size is a prime number. O(sqrt(size)).
constexpr bool IsMaglevTable(std::uint64_t size) {
  if (size < 2 || size > kMaxMaglevTable) return false;
  for (std::uint64_t factor = 2; factor * factor <= size; ++factor)
    if (size % factor == 0) return false;
  return true;
}

}  // namespace plait::xds
