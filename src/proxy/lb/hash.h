#pragma once
// xxHash64 (seeded), as Envoy hashes for ring hash, Maglev and hash policies: the same key goes to the same host.
#include <cstdint>
#include <string_view>

namespace plait::proxy::lb {
std::uint64_t Hash64(std::string_view text, std::uint64_t seed = 0) noexcept;
}
