#pragma once
// Writes heads, chunk framing and trailers to a connection's output. Framing fields are the codec's: what the owner put
// into Connection, Keep-Alive, Proxy-Connection and Transfer-Encoding is not sent (RFC 9110 7.6.1), but for the word
// "upgrade" in Connection where protocols are switched.
#include <cstdint>
#include <string_view>

#include "core/base/buffer.h"
#include "core/http/codec.h"
#include "core/http/message.h"

namespace plait::http1 {

// What the codec adds to a head it sends.
struct SendFraming {
  bool chunked = false;
  bool zero_length = false;          // content-length: 0
  bool drop_length = false;          // the owner's content-length may not stand here
  std::string_view connection = {};  // "close", "keep-alive", "upgrade" or nothing
  std::string_view upgrade = {};     // value of Upgrade in a request, whatever the owner's own says
};

void WriteRequestHead(const http::RequestHead& head, const SendFraming& framing, Buffer& out);
// `version`: 1.0 to a peer that spoke 1.0.
void WriteResponseHead(const http::ResponseHead& head, http::Version version, const SendFraming& framing, Buffer& out);
void WriteChunk(Buffer& data, Buffer& out);  // takes all of `data`, which is not empty
void WriteLastChunk(const http::Headers* trailers, Buffer& out);
// A whole answer that the codec makes itself; the connection closes after it.
void WriteErrorResponse(std::uint16_t status, std::string_view body, const http::CodecOptions& options, Buffer& out);

}  // namespace plait::http1
