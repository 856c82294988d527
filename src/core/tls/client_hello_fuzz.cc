// The peek must say the same of a prefix whatever follows: once complete or refused, more bytes change nothing.
#include <cstdlib>

#include "core/tls/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using plait::tls::PeekClientHello;
  using plait::tls::PeekStatus;
  const plait::Bytes bytes(data, size);
  const auto whole = PeekClientHello(bytes);
  const std::size_t step = size > 4096 ? 997 : 1;
  for (std::size_t n = 0; n < size; n += step) {
    const auto part = PeekClientHello(bytes.first(n));
    if (part.status == PeekStatus::kNeedMore) continue;
    if (part.status != whole.status || part.hello != whole.hello) std::abort();
    break;
  }
  return 0;
}
