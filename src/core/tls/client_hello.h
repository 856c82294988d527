#pragma once
// What a ClientHello says, read from the first bytes of a connection without taking part in the handshake
// (RFC 8446 4.1.2, RFC 6066 3, RFC 7301). A hello may span several TLS records and many packets.
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace plait::tls {

struct ClientHello {
  std::string sni;                      // lower case; empty when none was sent
  std::vector<std::string> alpn;        // in the client's order
  std::vector<std::uint16_t> versions;  // supported_versions, else the legacy version (0x0303 = TLS 1.2)
  friend bool operator==(const ClientHello&, const ClientHello&) = default;
};

enum class PeekStatus : std::uint8_t {
  kNeedMore,  // a proper prefix of a ClientHello
  kNotTls,    // cannot become one, or breaks its rules, or is larger than kMaxHello
  kComplete,
};
inline constexpr std::size_t kMaxHello = 32 * 1024;  // of handshake bytes; real ones stay below 4 KiB

struct ClientHelloPeek {
  PeekStatus status = PeekStatus::kNeedMore;
  ClientHello hello;  // of kComplete
};
// `prefix`: everything the client has sent so far. Stateless: call it again with more.
ClientHelloPeek PeekClientHello(Bytes prefix);

}  // namespace plait::tls
