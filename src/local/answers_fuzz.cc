// What the supervisor reads of others: a mesh's status (of a supervisor of another version) and Envoy's statistics. The
// first byte chooses the reader. Checked: a status survives being written and read again.
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "local/envoy_drain.h"
#include "local/mesh_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'E') (void)local::ReadInboundActivity(text);
  if (data[0] != 'S') return 0;
  if (const auto status = local::DecodeMeshStatus(text))
    PLAIT_CHECK(local::DecodeMeshStatus(local::EncodeMeshStatus(*status)).has_value());
  return 0;
}
