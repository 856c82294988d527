#pragma once
// Time. Durations and deadlines are of the monotonic clock; wall time is for certificates, logs and people.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace plait {
using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Where time comes from. The real one is SystemClock(); tests use testing/manual_clock.h.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime Now() const noexcept = 0;
  virtual WallTime Wall() const noexcept = 0;
};
const Clock& SystemClock() noexcept;

std::string FormatRfc3339(WallTime time);   // 2026-11-24T14:13:00.123Z
std::string FormatHttpDate(WallTime time);  // Tue, 24 Nov 2026 14:13:00 GMT (RFC 9110 5.6.7)
std::optional<WallTime> ParseRfc3339(std::string_view text);
// Go's and protobuf JSON's form: "1h30m", "1.5s", "250ms"; a bare number is refused.
std::optional<Duration> ParseDuration(std::string_view text);
std::string FormatDuration(Duration value);  // shortest of the same form: "1.5s", "0s"
}  // namespace plait
