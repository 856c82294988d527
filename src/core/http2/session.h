#pragma once
// What server and client have in common: an nghttp2 session, its callbacks, its streams, flow control and flood limits.
//
// nghttp2 runs only inside Feed, FeedEnd and OnOutputDrained; Send calls only queue. So events never run inside a call
// of the owner. Windows are opened by us: a stream's when its owner has taken the data, the connection's on receipt, so
// that one paused stream does not stop the others (what a stream may hold is bounded by its own window).
#include <nghttp2/nghttp2.h>

#include <vector>

#include "core/base/time.h"
#include "core/http2/peer_frames.h"
#include "core/http2/stream.h"

namespace plait::http2 {

// Envoy's response code details.
inline constexpr const char* kMessagingRule = "http2.violation.of.messaging.rule";
inline constexpr const char* kInvalidHeader = "http2.invalid.header.field";
inline constexpr const char* kUnexpectedUnderscore = "http2.unexpected_underscore";
inline constexpr const char* kTooManyHeaders = "http2.too_many_headers";
inline constexpr const char* kHeadersTooLarge = "http2.headers_too_large";
inline constexpr const char* kProtocolError = "http2.protocol_error";
inline constexpr const char* kOutboundFlood = "http2.outbound_control_frames_flood";
inline constexpr const char* kOutboundFramesFlood = "http2.outbound_frames_flood";
inline constexpr const char* kInboundFlood = "http2.inbound_control_frames_flood";
inline constexpr const char* kResetFlood = "http2.too_many_premature_resets";
inline constexpr const char* kBadPreface = "http2.bad_preface";

inline constexpr std::size_t kFrameHeader = 9;                // RFC 9113 4.1
inline constexpr std::size_t kResetFrame = kFrameHeader + 4;  // RST_STREAM

class Session {
 public:
  virtual ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 protected:
  Session(const http::CodecOptions& options, bool server);

  // http::Codec, as both sides have it
  Result<> FeedBytes(Buffer& in);
  void EndAll(http::ResetReason reason);  // resets and closes every stream, now
  void Drained();
  void GracefulGoAway();
  bool finished() const noexcept;

  Stream* AddStream();
  void Touch(Stream& stream);  // something of it is to be told in the next FeedBytes
  void Wake();                 // tells the driver, unless nghttp2 is running

  // Queues a head. `fields` are copied by nghttp2.
  void SubmitHead(Stream& stream, const std::vector<nghttp2_nv>& fields, bool end_stream);
  // Its head or trailers cannot be sent: the stream ends.
  void FailToSend(Stream& stream);

  virtual void OutputReady() = 0;
  // A header block is complete. False: malformed, the stream is reset with PROTOCOL_ERROR.
  virtual bool HeadComplete(Stream& stream, bool end_stream) = 0;
  virtual void PeerGoAway() {}
  virtual void PeerSettings() {}
  virtual void StreamGone() {}  // the number of streams became smaller

  bool IsOpen(const Stream& stream) const noexcept;  // its first frame went out or came in, its last one did not

  // Server: the stream whose request head has begun and is not complete; null for none.
  Stream* StreamOfOpenHead() const noexcept;

  const http::CodecOptions& options_;
  nghttp2_session* session_ = nullptr;
  Buffer output_;
  std::vector<std::unique_ptr<Stream>> streams_;
  const bool server_;
  bool draining_ = false;
  bool final_goaway_ = false;
  bool dead_ = false;           // the connection is gone or beyond use
  std::int32_t open_head_ = 0;  // server: the stream of the request head that is arriving; 0: none

 private:
  friend class Stream;
  struct Callbacks;  // session_callbacks.cc
  void CreateNative();
  void Produce();
  void LimitUnsent();
  void TellTouched();
  void Deliver(Stream& stream);
  void Tell(Stream& stream);
  void CloseStream(Stream& stream, std::uint32_t error_code);
  void Erase(Stream& stream);
  int AddField(Stream& stream, std::string_view name, std::string_view value);
  bool NoteControlFrame();
  bool NotePeerReset(const Stream& stream);

  std::vector<Stream*> touched_;
  const char* fatal_ = nullptr;  // details of the rule that ended the connection
  bool running_ = false;         // inside Feed and its kin
  // Flood limits: frames that cost us work and move no message.
  std::uint32_t control_frames_ = 0;
  std::uint32_t useful_frames_ = 0;
  MonotonicTime window_start_{};
  std::uint32_t reset_credit_;
  PeerFrames peer_frames_;  // server's side
};

// Header fields as nghttp2 takes them. Connection-specific fields are left out (RFC 9113 8.2.2).
nghttp2_nv Field(std::string_view name, std::string_view value) noexcept;
void AppendFields(std::vector<nghttp2_nv>& out, const http::Headers& headers);
// No field is longer than what nghttp2, and with it proxies of any mesh, takes (64 KiB, encoded): they end the
// connection for it.
bool PeersTake(const std::vector<nghttp2_nv>& fields);
// Whether a client that resets a stream of this age may be flooding: as Envoy's rule, one that has waited for a while,
// or has begun to get its answer (a watch, an event stream), only goes.
bool IsPrematureReset(bool head_sent, Duration age) noexcept;
std::uint32_t CodeOfReason(http::ResetReason reason) noexcept;
http::ResetReason ReasonOfCode(std::uint32_t code) noexcept;

}  // namespace plait::http2
