// Text forms of bytes. Checked: what is written reads as the same bytes, and what was read can be written again.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/encoding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  PLAIT_CHECK(HexDecode(HexEncode(AsBytes(bytes))) == bytes);
  PLAIT_CHECK(Base64Decode(Base64Encode(AsBytes(bytes))) == bytes);
  PLAIT_CHECK(Base64Decode(Base64UrlEncode(AsBytes(bytes))) == bytes);
  if (const auto read = HexDecode(bytes)) PLAIT_CHECK(HexDecode(HexEncode(AsBytes(*read))) == *read);
  if (const auto read = Base64Decode(bytes)) PLAIT_CHECK(Base64Decode(Base64Encode(AsBytes(*read))) == *read);
  if (const auto read = PercentDecode(bytes)) PLAIT_CHECK(read->size() <= bytes.size());
  return 0;
}
