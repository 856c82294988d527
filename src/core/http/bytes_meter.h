#pragma once
// Counts what one exchange puts on the wire of its connection and takes from it: heads, bodies, chunk framing and frame
// headers, but not TLS, nor what belongs to the connection as a whole (SETTINGS, PING). A value. Mirrors Envoy's
// BytesMeter.
#include <cstdint>

namespace plait::http {

struct BytesMeter {
  std::uint64_t wire_bytes_sent = 0;
  std::uint64_t wire_bytes_received = 0;
};

}  // namespace plait::http
