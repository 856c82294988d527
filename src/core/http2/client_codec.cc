#include <algorithm>

#include "core/http2/codec.h"
#include "core/http2/session.h"

namespace plait::http2 {
namespace {
constexpr std::uint8_t kMaxInformational = 64;  // 1xx before one answer, as over HTTP/1
}  // namespace

class ClientSession final : public http::ClientCodec, private Session {
 public:
  ClientSession(http::ClientCodecEvents& events, const http::CodecOptions& options)
      : Session(options, /*server=*/false), events_(events) {}

  http::ClientStream* NewStream(http::ClientStreamEvents& events) override;
  std::uint32_t max_streams() const noexcept override { return closing() ? 0 : max_streams_; }

  Result<> Feed(Buffer& in) override { return FeedBytes(in); }
  void FeedEnd() override { EndAll(http::ResetReason::kConnectionClosed); }
  void Abandon(http::ResetReason reason) override {
    EndAll(reason);
    output_.Clear();
  }
  Buffer& output() noexcept override { return output_; }
  void OnOutputDrained() override { Drained(); }
  std::size_t active_streams() const noexcept override { return streams_.size(); }
  void StartDrain() override { GracefulGoAway(); }
  bool wants_close() const noexcept override { return finished() || (going_away_ && streams_.empty()); }
  http::Version version() const noexcept override { return http::Version::kHttp2; }

 private:
  bool closing() const noexcept { return going_away_ || draining_ || dead_; }
  void OutputReady() override { events_.OnOutputReady(); }
  bool HeadComplete(Stream& stream, bool end_stream) override;
  void PeerGoAway() override {
    if (std::exchange(going_away_, true)) return;
    events_.OnGoAway();
  }
  void PeerSettings() override {
    const std::uint32_t now = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (now == max_streams_) return;
    max_streams_ = now;
    events_.OnMaxStreamsChanged();
  }

  // The owner may keep to a limit of its own below the peer's: each place that becomes free is told.
  void StreamGone() override {
    if (!closing()) events_.OnMaxStreamsChanged();
  }

  http::ClientCodecEvents& events_;
  std::uint32_t max_streams_ = 100;  // until the server says; RFC 9113 recommends no less
  bool going_away_ = false;
};

http::ClientStream* ClientSession::NewStream(http::ClientStreamEvents& events) {
  if (closing() || streams_.size() >= max_streams_ || nghttp2_session_check_request_allowed(session_) == 0)
    return nullptr;
  Stream* stream = AddStream();
  stream->client_events_ = &events;
  stream->events_ = &events;
  return stream;
}

bool ClientSession::HeadComplete(Stream& stream, bool end_stream) {
  const std::unique_ptr<Stream::Block> block = std::move(stream.block_);
  if (stream.reset_) return true;
  http::ResponseHead head;
  head.version = http::Version::kHttp2;
  head.status = block->status;
  head.headers = std::move(block->fields);
  if (head.status < 200) {
    if (end_stream || head.status == 101 || head.status < 100) return false;
    if (stream.informational_ == kMaxInformational) return false;
    ++stream.informational_;
    stream.client_events_->OnInformational(std::move(head));
    return true;
  }
  stream.head_received_ = true;
  if (!stream.upgrade_.empty() && head.status == 200) {
    // RFC 8441: as HTTP/1 says it, which the owner may speak to who asked. Stream::SendHead is the way back. As in
    // Envoy no other status switches protocols.
    head.status = 101;
    head.headers.Set("connection", "upgrade");
    head.headers.Set("upgrade", stream.upgrade_);
  }
  stream.client_events_->OnResponseHead(std::move(head), end_stream);
  return true;
}

std::unique_ptr<http::ClientCodec> NewClientCodec(http::ClientCodecEvents& events, const http::CodecOptions& options) {
  return std::make_unique<ClientSession>(events, options);
}

}  // namespace plait::http2
