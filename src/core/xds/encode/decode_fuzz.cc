// The decoders of what ADS carries, under arbitrary bytes. The first byte chooses the type. Checked: nothing crashes,
// and what was accepted survives a way out and back: it is encoded, accepted again, and is the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace {

using namespace plait;

template <class T>
void Try(Outcome<T> (*decode)(std::string_view), std::string_view bytes) {
  const Outcome<T> first = decode(bytes);
  if (!first) return;
  const Outcome<T> again = decode(xds::Encode(*first));
  if (!again || !(*again == *first)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'L': Try(&xds::DecodeListener, bytes); break;
    case 'R': Try(&xds::DecodeRouteConfiguration, bytes); break;
    case 'C': Try(&xds::DecodeCluster, bytes); break;
    case 'E': Try(&xds::DecodeClusterLoadAssignment, bytes); break;
    case 'S': Try(&xds::DecodeSecret, bytes); break;
    case '4': Try(&xds::DecodeL4Routes, bytes); break;
    case 'A': Try(&xds::DecodeAddress, bytes); break;
    default: break;
  }
  return 0;
}
