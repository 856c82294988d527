#pragma once

namespace plait {
// Says that no memory is left, why that may be and what to do, and ends the process. Allocates nothing. Programs make
// it their new handler.
[[noreturn]] void EndWithoutMemory() noexcept;
}  // namespace plait
