// A verdict, once given, must not change when more bytes come: a caller acts on the first one.
#include <cstdlib>

#include "proxy/sniff/classify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using plait::proxy::sniff::Classify;
  using plait::proxy::sniff::Protocol;
  if (size > 512) size = 512;
  const plait::Bytes bytes(data, size);
  Protocol first = Protocol::kNeedMore;
  for (std::size_t n = 0; n <= size; ++n) {
    const Protocol now = Classify(bytes.first(n));
    if (first != Protocol::kNeedMore && now != first) std::abort();
    first = now;
  }
  return 0;
}
