// Any text as a bootstrap file: no crash, no hang, and a refusal says something.
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "core/xds/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 64 * 1024) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const plait::Outcome<plait::xds::Bootstrap> bootstrap = plait::xds::ReadBootstrap(text, "fuzz.yaml");
  if (!bootstrap) PLAIT_CHECK(!bootstrap.error().ToString().empty());
  return 0;
}
