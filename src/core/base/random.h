#pragma once
// Random numbers. `Random` is fast and not secret (load balancing, jitter, sampling); `FillSecret` is for keys, tokens
// and identifiers that must not be guessed.
#include <cstdint>
#include <string>

#include "core/base/bytes.h"

namespace plait {
// xorshift64*: one per thread or owner; seeded from the system unless a seed is given (tests).
class Random {
 public:
  Random();
  explicit Random(std::uint64_t seed) noexcept : state_(seed | 1U) {}
  std::uint64_t Next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  // Uniform in [0, bound). `bound` > 0.
  std::uint64_t Below(std::uint64_t bound) noexcept { return (Next() >> 11) % bound; }

 private:
  std::uint64_t state_;
};
void FillSecret(MutableBytes out);  // getrandom(2); aborts if the kernel has none
std::string NewUuid();              // version 4, lower case
}  // namespace plait
