// `plaitd --resources-of` of any content, and an explanation out of it.
#include <cstdint>
#include <string_view>

#include "core/io/loop.h"
#include "proxy/worker/saved_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  io::Loop loop;
  const auto saved = proxy::worker::SavedConfig::Parse(loop, {reinterpret_cast<const char*>(data), size}, "fuzz.json");
  if (saved) (void)(*saved)->Answer({.to = "reviews"});
  return 0;
}
