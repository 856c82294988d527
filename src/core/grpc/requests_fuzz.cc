// What a gRPC client sends beside its messages' own content: health requests and answers, time-outs, status texts. The
// first byte chooses the reader. Checked: what was read survives being written and read again.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/grpc/health_codec.h"
#include "core/grpc/status.h"

namespace {
using namespace plait;

void Health(std::string_view bytes) {
  if (const auto service = grpc::DecodeHealthRequest(bytes))
    PLAIT_CHECK(grpc::DecodeHealthRequest(grpc::EncodeHealthRequest(*service)) == *service);
  if (const auto status = grpc::DecodeHealthResponse(bytes))
    PLAIT_CHECK(grpc::DecodeHealthResponse(grpc::EncodeHealthResponse(*status)) == *status);
}

void Timeout(std::string_view text) {
  const auto timeout = grpc::ParseTimeout(text);
  if (!timeout) return;
  PLAIT_CHECK(*timeout >= Duration(0));
  const auto again = grpc::ParseTimeout(grpc::FormatTimeout(*timeout));
  PLAIT_CHECK(again && *again >= *timeout);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'H': Health(bytes); break;
    case 'T': Timeout(bytes); break;
    case 'M':
      (void)grpc::DecodeMessage(bytes);
      PLAIT_CHECK(grpc::DecodeMessage(grpc::EncodeMessage(bytes)) == bytes);
      break;
    default: break;
  }
  return 0;
}
