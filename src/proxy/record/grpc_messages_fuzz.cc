// However the network cuts a gRPC stream, the count of its messages is the one of the whole; the first byte chooses the
// pieces.
#include <cstdint>

#include "core/base/check.h"
#include "proxy/record/grpc_messages.h"

namespace {
// Prefix by prefix, with all of the bytes at hand.
std::uint64_t CountOf(plait::Bytes bytes) {
  std::uint64_t count = 0;
  while (bytes.size() >= 5) {
    const std::uint64_t length = std::uint64_t{bytes[1]} << 24 | bytes[2] << 16 | bytes[3] << 8 | bytes[4];
    ++count;
    bytes = bytes.subspan(5);
    bytes = bytes.subspan(length < bytes.size() ? length : bytes.size());
  }
  return count;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const plait::Bytes bytes(data + 1, size - 1);
  plait::proxy::record::GrpcMessages whole;
  plait::proxy::record::GrpcMessages cut;
  plait::Buffer all;
  all.Append(bytes);
  whole.Pass(all);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    plait::Buffer piece;
    piece.Append(bytes.subspan(at, step < bytes.size() - at ? step : bytes.size() - at));
    cut.Pass(piece);
  }
  PLAIT_CHECK(whole.count() == CountOf(bytes) && cut.count() == whole.count());
  return 0;
}
