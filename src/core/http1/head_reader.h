#pragma once
// Finds and parses a head (or a trailer section) at the front of a connection's input. Bytes stay in the input until
// the whole head is there, so a connection that waits for one holds no parser state but a scan position.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/buffer.h"
#include "core/http/codec.h"
#include "core/http1/syntax.h"

namespace plait::http1 {

// Looks for the empty line that ends a block of lines. Remembers how far it looked: each byte is seen once.
class BlockScanner {
 public:
  // Length of the block with its empty line, 0 when more bytes are needed. A line that ends in a bare LF is refused at
  // once, a block longer than `max` with 431 and `too_large`.
  Checked<std::size_t> Scan(const Buffer& in, std::size_t max, const char* too_large);
  void Reset() noexcept { scanned_ = line_at_ = 0; }

 private:
  std::uint32_t scanned_ = 0;
  std::uint32_t line_at_ = 0;
};

// How the body of a message is delimited (RFC 9112 6.3), and what its head says of the connection.
enum class BodyKind : std::uint8_t { kNone, kLength, kChunked, kUntilEnd };
struct Framing {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;
  bool keep_alive = true;
};

// `block` is what Scan measured. Methods that nobody registered are refused. Host is taken out of the headers into
// head.authority; head.protocol is set for an Upgrade that can be honoured (1.1, no body, not h2c).
Checked<Framing> ParseRequestBlock(std::string_view block, const http::CodecOptions& options, http::RequestHead& head);
// `request_method`: HEAD and CONNECT change what follows.
Checked<Framing> ParseResponseBlock(std::string_view block, const http::CodecOptions& options, bool head_request,
                                    bool connect_request, http::ResponseHead& head);
// Refuses fields that would change framing or routing after the fact.
Checked<> ParseTrailerBlock(std::string_view block, const http::CodecOptions& options, http::Headers& trailers);

// The first `size` bytes of `in` in one piece; `scratch` is used when they span chunks.
std::string_view Contiguous(Buffer& in, std::size_t size, std::string& scratch);

}  // namespace plait::http1
