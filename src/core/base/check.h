#pragma once
// PLAIT_CHECK: a condition that only our own bug can break; aborts with the place. Never for bytes from outside.

namespace plait {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line) noexcept;
}

#define PLAIT_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? (void)0 : ::plait::CheckFailed(#condition, __FILE__, __LINE__))
