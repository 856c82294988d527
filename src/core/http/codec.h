#pragma once
// What HTTP/1 and HTTP/2 codecs have in common. A codec turns bytes into events and calls into bytes; it never touches
// a socket (core/conn does). One thread. All limits come from CodecOptions.
//
// Life of a server stream:  OnRequestHead -> OnData* -> (OnTrailers) ; meanwhile the owner calls SendInformational*,
//   SendHead, SendData*, SendTrailers. The stream is over when both directions ended (end_stream) or OnReset/Reset.
//   After that the codec forgets it: ServerStream& is dead once OnStreamClosed returned; the events object is the
//   owner's.
// Events of a codec run inside Feed, FeedEnd, OnOutputDrained and Abandon only, never inside a Send call; so do not
// destroy the codec inside an event. Sending and resetting inside an event is allowed.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/buffer.h"
#include "core/base/result.h"
#include "core/http/bytes_meter.h"
#include "core/http/message.h"

namespace plait::http {

struct CodecOptions {
  std::size_t max_header_bytes = 60 * 1024;  // whole header block; more: 431 (HTTP/2: stream reset or 431)
  std::size_t max_header_count = 100;
  std::uint32_t max_concurrent_streams = 1024;  // HTTP/2 server
  std::uint32_t stream_window = 64 * 1024;      // HTTP/2 initial stream window we offer, bytes
  std::uint32_t connection_window = 1024 * 1024;
  std::size_t high_watermark = 256 * 1024;  // of bytes queued for one stream; low = half
  bool allow_http10 = true;
  bool require_host = true;  // HTTP/1.1 without Host: 400 by the codec; false: the owner answers (no authority)
  bool enable_connect_protocol = true;  // RFC 8441 server setting
  bool enable_trailers = true;          // HTTP/1: false - trailers are read and dropped, and none are written
  // Requests with a field whose name has an underscore (an application may read "x_a" as "x-a").
  enum class Underscores : std::uint8_t { kAllow, kReject, kDropField } underscores = Underscores::kAllow;
  std::string server_name;  // Server field of answers that the codec makes itself (400, 431 ...)
  std::string via;          // and their Via field
};

enum class ResetReason : std::uint8_t {
  kNone,
  kCancel,
  kRefused,
  kProtocol,
  kInternal,
  kFlowControl,
  kConnectionClosed,
  kOverflow,
  kTimedOut
};

// One direction pair of one exchange, as its owner drives it. Made and owned by the codec.
class OutgoingStream {
 public:
  virtual ~OutgoingStream() = default;
  // Takes all of `data`; when more than the high watermark is queued, above_high_watermark() is true until
  // OnBelowLowWatermark: stop feeding it.
  virtual void SendData(Buffer& data, bool end_stream) = 0;
  virtual void SendTrailers(const Headers& trailers) = 0;  // ends our direction
  virtual void Reset(ResetReason reason) = 0;              // HTTP/1: the connection cannot be used further and closes
  virtual bool above_high_watermark() const noexcept = 0;
  // While paused no OnData comes and, for HTTP/2, the window is not opened further (back-pressure to the peer).
  // HTTP/1: the codec stops consuming input, Feed leaves bytes in the buffer until resumed; resuming says
  // OnOutputReady, so that the driver feeds again.
  virtual void PauseReading(bool paused) = 0;
  // Envoy's name of the rule that the peer broke ("http1.codec_error"), "" when none; static text. For
  // OnReset(kProtocol).
  virtual const char* details() const noexcept { return ""; }
};

class ServerStream : public OutgoingStream {
 public:
  virtual void SendInformational(const ResponseHead& head) = 0;          // 1xx but 101
  virtual void SendHead(const ResponseHead& head, bool end_stream) = 0;  // 101/200 of an accepted upgrade included
};
class ClientStream : public OutgoingStream {
 public:
  virtual void SendHead(const RequestHead& head, bool end_stream) = 0;
  // From now on what the exchange sends and receives is added to `meter`, which outlives the stream or the next such
  // call; null (as in the beginning): it is not counted. Added before the event that the bytes cause.
  virtual void SetBytesMeter(BytesMeter* meter) noexcept = 0;
};

class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  virtual void OnData(Buffer& data, bool end_stream) = 0;  // take what you want to keep; the rest is dropped
  virtual void OnTrailers(Headers trailers) = 0;           // ends the peer's direction
  virtual void OnReset(ResetReason reason) = 0;  // by the peer, or because the connection died; last event but one
  virtual void OnBelowLowWatermark() = 0;
  virtual void OnStreamClosed() = 0;  // last event, exactly once
};
class ServerStreamEvents : public StreamEvents {
 public:
  virtual void OnRequestHead(RequestHead head, bool end_stream) = 0;  // first event
};
class ClientStreamEvents : public StreamEvents {
 public:
  virtual void OnInformational(ResponseHead head) = 0;
  virtual void OnResponseHead(ResponseHead head, bool end_stream) = 0;
};

// Both sides. `Feed` takes from `in` what it can; what stays there is needed again with more bytes (or reading is
// paused). An error means that the connection is beyond use: flush output(), then close (a 400 or GOAWAY is already in
// it).
class Codec {
 public:
  virtual ~Codec() = default;
  virtual Result<> Feed(Buffer& in) = 0;
  // What Feed left in its input cannot go on without more bytes: the beginning of a message, not one that is held back.
  virtual bool wants_input() const noexcept { return false; }
  // The peer sent FIN. Ends a body that is delimited by close, resets what is unfinished.
  virtual void FeedEnd() = 0;
  // The connection is gone (reset, time-out): resets all streams with `reason`. Nothing may be sent afterwards.
  virtual void Abandon(ResetReason reason) = 0;
  virtual Buffer& output() noexcept = 0;  // bytes to send; the driver drains it and then calls OnOutputDrained
  virtual void OnOutputDrained() = 0;     // lets HTTP/2 produce more; watermark events happen here too
  virtual std::size_t active_streams() const noexcept = 0;
  // No further streams: HTTP/2 GOAWAY, HTTP/1 "Connection: close" on the next response.
  virtual void StartDrain() = 0;
  // True when the connection should be closed once output() is empty (close semantics, error, drained).
  virtual bool wants_close() const noexcept = 0;
  // True when no further output will come while input still does (half-closed tunnel): send FIN after output().
  virtual bool output_ended() const noexcept { return false; }
  virtual Version version() const noexcept = 0;
};

class ServerCodecEvents {
 public:
  virtual ~ServerCodecEvents() = default;
  // A request begins; the returned events must live until OnStreamClosed.
  virtual ServerStreamEvents& OnNewStream(ServerStream& stream) = 0;
  // The codec has output, or takes input again, outside of Feed (a Send call, a resume). The driver feeds what it holds
  // and flushes at the end of the round.
  virtual void OnOutputReady() = 0;
};
// An answer that the codec gave by itself, to a message that broke a rule. status 0: it gave none.
struct OwnAnswer {
  std::uint16_t status = 0;
  std::uint32_t body_bytes = 0;
};
class ServerCodec : public Codec {
 public:
  // Known before OnReset(kProtocol), or the error of Feed, tells of the message.
  virtual OwnAnswer own_answer() const noexcept { return {}; }
  // A request's head has begun and is not complete.
  virtual bool reading_head() const noexcept = 0;
  // That head took too long: the codec answers it with 408 and `body`, which own_answer() then tells of, and takes no
  // more of it. HTTP/1: the connection ends with the answer. Not inside an event.
  virtual void RefuseHead(std::string_view body) = 0;
};

class ClientCodecEvents {
 public:
  virtual ~ClientCodecEvents() = default;
  virtual void OnOutputReady() = 0;
  virtual void OnGoAway() = 0;             // no new streams on this connection; also HTTP/1 "close"
  virtual void OnMaxStreamsChanged() = 0;  // the peer's limit changed, or a stream ended
};
class ClientCodec : public Codec {
 public:
  // Opens a stream; null when none can be opened now (limit, draining, HTTP/1 busy). `events` lives until
  // OnStreamClosed.
  virtual ClientStream* NewStream(ClientStreamEvents& events) = 0;
  virtual std::uint32_t max_streams() const noexcept = 0;  // 1 for HTTP/1
};

}  // namespace plait::http

// Factories: core/http1/codec.h  http1::NewServerCodec(events, options)   http1::NewClientCodec(events, options)
//            core/http2/codec.h  http2::NewServerCodec(events, options)   http2::NewClientCodec(events, options)
