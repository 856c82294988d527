// Any text as a file of manifests: no crash, no hang; every finding says what and where.
#include <cstdint>
#include <string_view>

#include "control/model/decode.h"
#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 64 * 1024) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const plait::control::model::Decoded decoded = plait::control::model::DecodeText(text, "fuzz.yaml");
  for (const plait::control::model::Finding& finding : decoded.findings) PLAIT_CHECK(!finding.ToString().empty());
  return 0;
}
