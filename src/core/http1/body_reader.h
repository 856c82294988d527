#pragma once
// Takes the body of one message out of a connection's input: by length, chunked (RFC 9112 7.1), or until the end.
#include <cstdint>

#include "core/base/buffer.h"
#include "core/http/codec.h"
#include "core/http1/head_reader.h"

namespace plait::http1 {

class BodyReader {
 public:
  // Chunk extensions are skipped, but not for ever.
  static constexpr std::size_t kMaxChunkLine = 4096;
  static constexpr std::uint32_t kMaxExtensionBytes = 16 * 1024;  // of one message

  void Begin(const Framing& framing) noexcept;
  // Moves body bytes from `in` to the end of `out`, about `max` at most. `trailers` are filled at the end of a chunked
  // body, where the options enable them. True when the body has ended; false: more input is needed, or `max` was
  // reached.
  Checked<bool> Read(Buffer& in, Buffer& out, std::size_t max, const http::CodecOptions& options,
                     http::Headers& trailers);
  bool until_end() const noexcept { return kind_ == BodyKind::kUntilEnd; }

 private:
  enum class Step : std::uint8_t { kSize, kData, kDataEnd, kTrailers };
  Checked<bool> ReadChunked(Buffer& in, Buffer& out, std::size_t max, const http::CodecOptions& options,
                            http::Headers& trailers);
  Checked<bool> ReadChunkSize(Buffer& in);
  Checked<bool> ReadTrailers(Buffer& in, const http::CodecOptions& options, http::Headers& trailers);
  void MoveData(Buffer& in, Buffer& out, std::size_t max);

  std::uint64_t remaining_ = 0;  // of the body, or of the chunk
  std::uint32_t extension_bytes_ = 0;
  BlockScanner scanner_;  // of the trailer section
  BodyKind kind_ = BodyKind::kNone;
  Step step_ = Step::kSize;
};

// Tells `stream` what a Read has given; also what came before a fault, which does not depend on where the bytes were
// cut. `aborted`: the stream's owner wants no more, which it may say while it is told. False: there was nothing.
Checked<bool> TellBody(const Checked<bool>& ended, Buffer& data, http::Headers trailers, http::StreamEvents& stream,
                       const bool& aborted);

}  // namespace plait::http1
