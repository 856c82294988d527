// The supervisor's lines under arbitrary bytes: a refusal says something, and a pod that was read is written as text
// that reads the same.
#include <cstdint>
#include <string_view>

#include "control/source/pod_json.h"
#include "control/source/supervisor_channel.h"
#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait::control::source;  // NOLINT: a program of its own
  const auto message = DecodeSupervisorMessage({reinterpret_cast<const char*>(data), size});
  if (!message) {
    PLAIT_CHECK(!message.error().message.empty());
    return 0;
  }
  const auto* running = std::get_if<RunningPods>(&*message);
  if (running == nullptr) return 0;
  for (DesiredPod pod : *running) {
    pod.ending = false;  // not the pod's own
    const auto again = DecodePod(EncodePod(pod));
    PLAIT_CHECK(again && *again == pod);
  }
  return 0;
}
