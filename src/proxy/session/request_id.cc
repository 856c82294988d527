#include "proxy/session/request_id.h"

#include <array>
#include <cstdint>
#include <span>

#include "core/base/random.h"

namespace plait::proxy::session {

std::string NewRequestId() {
  constexpr std::size_t kBytes = 16;
  struct Batch {
    std::array<std::uint8_t, kBytes * 64> bytes;
    std::size_t used = sizeof(bytes);
  };
  thread_local Batch batch;
  if (batch.used == batch.bytes.size()) {
    FillSecret(batch.bytes);
    batch.used = 0;
  }
  const std::span<std::uint8_t> id = std::span(batch.bytes).subspan(batch.used, kBytes);
  batch.used += kBytes;
  id[6] =
      static_cast<std::uint8_t>((id[6] & 0x0fU) | 0x40U);  // version 4: "not sampled" in Envoy's reading of the digit
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3fU) | 0x80U);
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < kBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[id[i] >> 4];
    text += kHex[id[i] & 15];
  }
  return text;
}

}  // namespace plait::proxy::session
