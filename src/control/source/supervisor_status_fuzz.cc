// The supervisor's lines under arbitrary bytes: no crash, and a refusal says something.
#include <cstdint>
#include <string_view>

#include "control/source/supervisor_channel.h"
#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto message = plait::control::source::DecodeSupervisorMessage(line);
  if (!message) PLAIT_CHECK(!message.error().message.empty());
  return 0;
}
