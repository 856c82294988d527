#pragma once
// What a client speaks, judged by the first bytes of its connection (semantics.md 1). Pure: no state, socket or clock;
// ask again with all bytes so far whenever more have come. Reads at most kSniffLimit bytes, so that is also how much a
// caller must be ready to hold.
#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"

namespace plait::proxy::sniff {

enum class Protocol : std::uint8_t {
  kNeedMore,    // a proper prefix of one of the others
  kTls,         // a ClientHello begins (TLS 1.0 record layer and later); tls::ClientHelloPeek reads it
  kHttp2,       // the connection preface with prior knowledge (RFC 9113 3.4)
  kHttp1,       // a request line that ends in HTTP/1.<digit> and is well formed as far as it was read
  kNearlyHttp,  // meant as HTTP by some server: leading line ends or spaces, unknown or lower-case method, other
                // white space than SP (HTAB, VT, FF, bare CR: RFC 9112 3), bare LF, HTTP/0.9, another version. Never
                // TCP where a policy has HTTP fields.
  kOther,       // nothing of these
};

inline constexpr std::size_t kSniffLimit = 16 * 1024;

// The first byte of a connection that begins with TLS: the type of a handshake record.
inline constexpr std::uint8_t kTlsHandshakeRecord = 0x16;

// Bytes of the longest method token that is waited for; longer ones are kOther.
inline constexpr std::size_t kLongestMethod = 24;

Protocol Classify(Bytes seen) noexcept;
std::string_view ProtocolName(Protocol protocol) noexcept;

}  // namespace plait::proxy::sniff
