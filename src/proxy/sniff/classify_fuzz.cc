// A verdict, once given, must not change when more bytes come: a caller acts on the first one. And a request whose
// method is followed by another white space than SP is nearly HTTP: a server may read it as the same request.
#include <algorithm>
#include <cstdlib>
#include <vector>

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
  if (first != Protocol::kHttp1) return 0;
  std::vector<std::uint8_t> request(data, data + size);
  const auto space = std::find(request.begin(), request.end(), ' ');
  if (space == request.end()) std::abort();
  for (const char instead : {'\t', '\v', '\f', '\r'}) {
    *space = static_cast<std::uint8_t>(instead);
    if (Classify(request) != Protocol::kNearlyHttp) std::abort();
  }
  return 0;
}
