// What comes to the supervisor over its sockets, under arbitrary bytes: plaitd's lines and the requests of commands.
// The first byte chooses the reader. Checked: nothing crashes, and a refusal says something.
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "local/control_request.h"
#include "local/desired.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'P') {
    const auto message = plait::local::DecodePlaitdMessage(text);
    if (!message) PLAIT_CHECK(!message.error().message.empty());
  } else if (data[0] == 'R') {
    const auto request = plait::local::DecodeControlRequest(text);
    if (!request) PLAIT_CHECK(!request.error().message.empty());
  }
  return 0;
}
