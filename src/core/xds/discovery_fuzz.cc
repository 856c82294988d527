// The messages of ADS under arbitrary bytes, as plaitd gets them from clients and proxies from a control plane. The
// first byte chooses the message. Checked: nothing crashes, and what was accepted survives a way out and back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/xds/discovery.h"

namespace {

using namespace plait;

template <class T>
void Try(Result<T> (*decode)(std::string_view), std::string (*encode)(const T&), std::string_view bytes) {
  Result<T> first = decode(bytes);
  if (!first) return;
  // A node keeps its metadata as text, which has more than one way to be written.
  if constexpr (requires { first->node; }) first->node.reset();
  // What only clients read.
  if constexpr (requires { first->ttls; }) {
    first->heartbeats.clear();
    first->foreign.clear();
    first->ttls.clear();
  }
  const Result<T> again = decode(encode(*first));
  if (!again || !(*again == *first)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'q': Try(&xds::DecodeDiscoveryRequest, &xds::EncodeDiscoveryRequest, bytes); break;
    case 'a': Try(&xds::DecodeDiscoveryResponse, &xds::EncodeDiscoveryResponse, bytes); break;
    case 'Q': Try(&xds::DecodeDeltaRequest, &xds::EncodeDeltaRequest, bytes); break;
    case 'A': Try<xds::DeltaResponse>(&xds::DecodeDeltaResponse, &xds::EncodeDeltaResponse, bytes); break;
    default: break;
  }
  return 0;
}
