#pragma once
// One HTTP/2 stream of a Session: what it gathers from frames and what waits to be sent. Owned by the session.
#include <optional>

#include "core/base/time.h"
#include "core/http/codec.h"

namespace plait::http2 {
class Session;

// Serves both sides: a session makes it a server's or a client's by the events it gives it.
class Stream final : public http::ServerStream, public http::ClientStream {
 public:
  explicit Stream(Session& session) : session_(session) {}

  // http::ServerStream, http::ClientStream
  void SendInformational(const http::ResponseHead& head) override;
  void SendHead(const http::ResponseHead& head, bool end_stream) override;
  void SendHead(const http::RequestHead& head, bool end_stream) override;
  void SendData(Buffer& data, bool end_stream) override;
  void SendTrailers(const http::Headers& trailers) override;
  void Reset(http::ResetReason reason) override;
  bool above_high_watermark() const noexcept override { return above_; }
  void PauseReading(bool paused) override;
  const char* details() const noexcept override { return details_; }
  void SetBytesMeter(http::BytesMeter* meter) noexcept override { meter_ = meter; }

 private:
  friend class Session;
  friend class ServerSession;
  friend class ClientSession;

  bool can_send() const noexcept { return !over_ && !reset_; }
  bool Sendable() const noexcept { return can_send() && head_sent_ && !send_ended_; }
  void CountSent(std::size_t bytes) noexcept {
    if (meter_ != nullptr) meter_->wire_bytes_sent += bytes;
  }
  void CountReceived(std::size_t bytes) noexcept {
    if (meter_ != nullptr) meter_->wire_bytes_received += bytes;
  }

  Session& session_;
  http::StreamEvents* events_ = nullptr;  // null: the owner does not know of it (yet)
  http::ServerStreamEvents* server_events_ = nullptr;
  http::ClientStreamEvents* client_events_ = nullptr;
  http::BytesMeter* meter_ = nullptr;
  std::int32_t id_ = -1;     // -1: a request that was not sent yet
  std::uint32_t index_ = 0;  // in the session's list
  MonotonicTime began_{};    // server

  // The header block that is arriving; empty between blocks.
  struct Block {
    std::string method, scheme, authority, path, protocol, host;
    std::optional<std::string> cookie;  // its crumbs, joined
    std::uint16_t status = 0;
    std::size_t bytes = 0;
    std::size_t count = 0;
    http::Headers fields;
  };
  std::unique_ptr<Block> block_;
  Buffer received_;                        // not given to the owner yet (paused, or until the end of Feed)
  std::optional<http::Headers> trailers_;  // received, likewise
  Buffer queue_;                           // to send
  std::optional<http::Headers> send_trailers_;
  std::string upgrade_;  // client: the protocol of an extended CONNECT
  const char* details_ = "";
  bool head_sent_ = false;
  bool head_received_ = false;  // the final one
  bool send_ended_ = false;     // by the owner
  bool sent_all_ = false;       // END_STREAM went out
  bool deferred_ = false;       // nghttp2 waits for ResumeData
  bool remote_ended_ = false;   // END_STREAM came
  bool end_told_ = false;       // ... and the owner knows
  bool paused_ = false;
  bool above_ = false;
  bool low_due_ = false;            // OnBelowLowWatermark is to be told
  bool reset_ = false;              // by the owner: no event but OnStreamClosed
  bool touched_ = false;            // in the session's list of streams with something to tell
  bool over_ = false;               // nghttp2 has closed it
  bool tunnel_ = false;             // server: extended CONNECT
  std::uint8_t informational_ = 0;  // client: 1xx heads that came
};

}  // namespace plait::http2
