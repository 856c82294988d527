#include <algorithm>
#include <utility>

#include "core/base/strings.h"
#include "core/http1/body_reader.h"
#include "core/http1/codec.h"
#include "core/http1/head_reader.h"
#include "core/http1/head_writer.h"

namespace plait::http1 {
namespace {

using http::ResetReason;

constexpr std::size_t kBodyPiece = 64 * 1024;
constexpr std::uint8_t kMaxInformational = 64;  // 1xx before one answer

// Codec and stream in one, as in the server: one exchange at a time.
class ClientCodec final : public http::ClientCodec, private http::ClientStream {
 public:
  ClientCodec(http::ClientCodecEvents& events, const http::CodecOptions& options)
      : events_(events), options_(options) {}

  http::ClientStream* NewStream(http::ClientStreamEvents& events) override;
  std::uint32_t max_streams() const noexcept override { return close_ || drain_ ? 0 : 1; }

  Result<> Feed(Buffer& in) override;
  bool wants_input() const noexcept override { return starved_; }
  void FeedEnd() override;
  void Abandon(ResetReason reason) override;
  Buffer& output() noexcept override { return output_; }
  void OnOutputDrained() override;
  std::size_t active_streams() const noexcept override { return stream_ != nullptr ? 1 : 0; }
  void StartDrain() override { drain_ = true; }
  bool wants_close() const noexcept override { return stream_ == nullptr && (close_ || drain_); }
  bool output_ended() const noexcept override { return reading_ == Reading::kRaw && writing_ == Writing::kDone; }
  http::Version version() const noexcept override { return version_; }

 private:
  enum class Reading : std::uint8_t {
    kIdle,  // no exchange: a byte now is an error -> kHead (NewStream)
    kHead,  // -> kHead (1xx), kBody, kRaw (101, 2xx to CONNECT), kDone (no body)
    kBody,  // -> kDone
    kRaw,   // -> kDone at FIN
    kDone,  // -> kIdle
  };
  enum class Writing : std::uint8_t { kHead, kLength, kChunked, kTunnel, kRaw, kDone };

  // http::ClientStream
  void SendHead(const http::RequestHead& head, bool end_stream) override;
  void SendData(Buffer& data, bool end_stream) override;
  void SendTrailers(const http::Headers& trailers) override;
  void Reset(ResetReason reason) override;
  bool above_high_watermark() const noexcept override { return above_; }
  void PauseReading(bool paused) override;
  const char* details() const noexcept override { return details_; }
  void SetBytesMeter(http::BytesMeter* meter) noexcept override { meter_ = meter; }

  Checked<bool> Step(Buffer& in);
  Checked<bool> ReadHead(Buffer& in);
  Checked<bool> ReadBody(Buffer& in);
  Checked<bool> TakeHead(http::ResponseHead head, const Framing& framing);
  Result<> Fail(const Violation& violation, Buffer& in);
  bool Settle();
  void EndStream();
  void ResetStream(ResetReason reason);
  void StopReuse();
  SendFraming FrameRequest(const http::RequestHead& head, bool end_stream);
  void WriteBody(Buffer& data);
  void EndOutput();
  void NoteInput(const Buffer& in);
  void NoteOutput(std::size_t queued_before);

  http::ClientCodecEvents& events_;
  const http::CodecOptions& options_;
  http::ClientStreamEvents* stream_ = nullptr;
  Buffer output_;
  Buffer early_;  // sent into a tunnel that the server has not accepted yet
  BodyReader body_;
  BlockScanner scanner_;
  http::BytesMeter* meter_ = nullptr;
  std::size_t left_in_input_ = 0;  // by the last Feed, and counted then
  std::uint64_t send_remaining_ = 0;
  const char* details_ = "";
  Reading reading_ = Reading::kIdle;
  Writing writing_ = Writing::kHead;
  http::Version version_ = http::Version::kHttp11;  // of the last response
  std::uint8_t informational_ = 0;
  bool head_request_ = false;
  bool connect_ = false;
  bool upgrade_ = false;
  bool close_ = false;
  bool drain_ = false;
  bool paused_ = false;
  bool above_ = false;
  bool aborted_ = false;
  bool early_end_ = false;  // the tunnel's outgoing direction ended before it was accepted
  bool cut_short_ = false;  // the request ended before its announced length
  bool starved_ = false;    // Feed left the beginning of something
  bool in_event_ = false;
};

http::ClientStream* ClientCodec::NewStream(http::ClientStreamEvents& events) {
  if (stream_ != nullptr || close_ || drain_ || reading_ != Reading::kIdle) return nullptr;
  stream_ = &events;
  reading_ = Reading::kHead;
  writing_ = Writing::kHead;
  informational_ = 0;
  details_ = "";
  head_request_ = connect_ = upgrade_ = paused_ = aborted_ = false;
  scanner_.Reset();
  return this;
}

Result<> ClientCodec::Feed(Buffer& in) {
  in_event_ = true;
  NoteInput(in);
  Result<> result;
  while (true) {
    Settle();
    const auto more = Step(in);
    if (!more) {
      result = Fail(more.error(), in);
      break;
    }
    if (!*more) break;
  }
  in_event_ = false;
  left_in_input_ = in.size();
  starved_ = !in.empty() && !paused_ && (reading_ == Reading::kHead || reading_ == Reading::kBody);
  return result;
}

Checked<bool> ClientCodec::Step(Buffer& in) {
  switch (reading_) {
    case Reading::kIdle:
      // An answer to nothing (response splitting, or a 408 before the server closes): never the next one's.
      if (in.empty()) return false;
      if (close_) {
        in.Clear();
        return false;
      }
      return Refuse(400, kCodecError);
    case Reading::kHead: return ReadHead(in);
    case Reading::kBody: return ReadBody(in);
    case Reading::kRaw: {
      if (paused_ || in.empty()) return false;
      Buffer data;
      data.MoveFrom(in, kBodyPiece);
      stream_->OnData(data, false);
      return true;
    }
    case Reading::kDone: return false;
  }
  return false;
}

Checked<bool> ClientCodec::ReadHead(Buffer& in) {
  if (in.empty() || paused_) return false;
  // Bytes before the request was sent answer nothing.
  if (writing_ == Writing::kHead) return Refuse(400, kCodecError);
  const auto size = scanner_.Scan(in, options_.max_header_bytes, kHeadersTooLarge);
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return false;
  scanner_.Reset();
  if (*size == 2) return Refuse(400, kCodecError);
  std::string scratch;
  http::ResponseHead head;
  const auto framing = ParseResponseBlock(Contiguous(in, *size, scratch), options_, head_request_, connect_, head);
  if (!framing) return std::unexpected(framing.error());
  in.Drain(*size);
  return TakeHead(std::move(head), *framing);
}

Checked<bool> ClientCodec::TakeHead(http::ResponseHead head, const Framing& framing) {
  version_ = head.version;
  if (head.status < 200 && head.status != 101) {
    if (++informational_ > kMaxInformational) return Refuse(400, kCodecError);
    stream_->OnInformational(std::move(head));
    return true;
  }
  if (head.status == 101 && !upgrade_) return Refuse(400, kCodecError);
  const bool tunnel = head.status == 101 || (connect_ && head.status / 100 == 2);
  body_.Begin(framing);
  const bool ends = framing.kind == BodyKind::kNone;
  reading_ = tunnel ? Reading::kRaw : ends ? Reading::kDone : Reading::kBody;
  if (tunnel) {
    writing_ = early_end_ ? Writing::kDone : Writing::kRaw;
    const std::size_t queued_before = output_.size();
    output_.MoveFrom(early_);
    NoteOutput(queued_before);
  } else if (writing_ == Writing::kTunnel) {
    writing_ = Writing::kDone;  // refused: nothing may follow
    early_.Clear();
    if (connect_) StopReuse();
  }
  if (tunnel || !framing.keep_alive) StopReuse();
  stream_->OnResponseHead(std::move(head), ends);
  return true;
}

Checked<bool> ClientCodec::ReadBody(Buffer& in) {
  if (paused_) return false;
  Buffer data;
  http::Headers trailers;
  const auto ended = body_.Read(in, data, kBodyPiece, options_, trailers);
  if (ended && *ended) reading_ = Reading::kDone;
  return TellBody(ended, data, std::move(trailers), *stream_, aborted_);
}

Result<> ClientCodec::Fail(const Violation& violation, Buffer& in) {
  details_ = violation.error.detail;
  close_ = true;
  in.Clear();
  if (stream_ != nullptr) ResetStream(ResetReason::kProtocol);
  return std::unexpected(violation.error);
}

void ClientCodec::StopReuse() {
  if (std::exchange(close_, true)) return;
  events_.OnGoAway();
}

bool ClientCodec::Settle() {
  if (stream_ != nullptr && cut_short_) {
    ResetStream(ResetReason::kProtocol);
    return true;
  }
  if (stream_ == nullptr || (!aborted_ && reading_ != Reading::kDone)) return false;
  // An answer that was complete before its request: the server wants no more of it, and the connection has no clean
  // state.
  if (!aborted_ && writing_ != Writing::kDone) {
    if (writing_ == Writing::kRaw) return false;  // tunnel: our direction goes on
    StopReuse();
  }
  EndStream();
  return true;
}

void ClientCodec::EndStream() {
  reading_ = Reading::kIdle;
  above_ = cut_short_ = early_end_ = false;
  meter_ = nullptr;
  early_.Clear();
  std::exchange(stream_, nullptr)->OnStreamClosed();
  if (!close_ && !drain_) events_.OnMaxStreamsChanged();
}

void ClientCodec::ResetStream(ResetReason reason) {
  close_ = true;
  if (!aborted_) stream_->OnReset(reason);
  EndStream();
}

void ClientCodec::FeedEnd() {
  in_event_ = true;
  left_in_input_ = 0;  // the beginning of a message; its owner has dropped it
  Settle();
  const bool ends_body = reading_ == Reading::kRaw || (reading_ == Reading::kBody && body_.until_end());
  close_ = true;
  if (ends_body) {
    reading_ = Reading::kDone;
    Buffer empty;
    stream_->OnData(empty, true);
    Settle();
  } else if (stream_ != nullptr && reading_ != Reading::kDone) {
    // A message that was cut off is a broken one (RFC 9112 8); none at all is a connection that was closed.
    const bool begun = reading_ == Reading::kBody || starved_;
    ResetStream(begun ? ResetReason::kProtocol : ResetReason::kConnectionClosed);
  }
  in_event_ = false;
}

void ClientCodec::Abandon(ResetReason reason) {
  in_event_ = true;
  close_ = true;
  if (stream_ != nullptr) ResetStream(reason);
  output_.Clear();
  in_event_ = false;
}

void ClientCodec::OnOutputDrained() {
  in_event_ = true;
  if (above_ && output_.size() + early_.size() <= options_.high_watermark / 2) {
    above_ = false;
    if (stream_ != nullptr && !aborted_) stream_->OnBelowLowWatermark();
  }
  in_event_ = false;
}

// As they come, not as they are read: those of an answer that is broken or cut off were received, too.
void ClientCodec::NoteInput(const Buffer& in) {
  if (meter_ != nullptr) meter_->wire_bytes_received += in.size() - left_in_input_;
}

void ClientCodec::NoteOutput(std::size_t queued_before) {
  if (meter_ != nullptr) meter_->wire_bytes_sent += output_.size() - queued_before;
  if (output_.size() + early_.size() > options_.high_watermark) above_ = true;
  if (!in_event_) events_.OnOutputReady();
}

void ClientCodec::PauseReading(bool paused) {
  const bool resumed = paused_ && !paused;
  paused_ = paused;
  if (resumed && !in_event_) events_.OnOutputReady();
}

void ClientCodec::Reset(ResetReason /*reason*/) {
  if (stream_ == nullptr || aborted_) return;
  aborted_ = true;
  // Nothing was sent yet: the connection is as good as before.
  if (writing_ != Writing::kHead) close_ = true;
  if (!in_event_) events_.OnOutputReady();
}

SendFraming ClientCodec::FrameRequest(const http::RequestHead& head, bool end_stream) {
  SendFraming framing;
  if (connect_ || upgrade_) {
    framing.drop_length = true;
    writing_ = Writing::kTunnel;
    if (upgrade_) {
      framing.upgrade = head.protocol;
      framing.connection = "upgrade";
    }
    return framing;
  }
  const auto length = head.headers.Get("content-length");
  const auto value = length ? ParseUint(*length) : std::nullopt;
  framing.drop_length = (length && !value) || end_stream;
  writing_ = Writing::kDone;
  if (end_stream) {
    // RFC 9110 8.6: zero is said where the method gives a body a meaning, and where the owner said it.
    const bool without_body =
        head.method == "GET" || head.method == "HEAD" || head.method == "DELETE" || head.method == "TRACE";
    framing.zero_length = !without_body || length.has_value();
  } else if (value) {
    writing_ = Writing::kLength;
    send_remaining_ = *value;
  } else {
    framing.chunked = true;
    writing_ = Writing::kChunked;
  }
  return framing;
}

void ClientCodec::SendHead(const http::RequestHead& head, bool end_stream) {
  if (stream_ == nullptr || aborted_ || writing_ != Writing::kHead) return;
  head_request_ = head.method == "HEAD";
  upgrade_ = !head.protocol.empty();
  connect_ = head.method == "CONNECT" && !upgrade_;
  const std::size_t queued_before = output_.size();
  WriteRequestHead(head, FrameRequest(head, end_stream), output_);
  NoteOutput(queued_before);
}

void ClientCodec::WriteBody(Buffer& data) {
  switch (writing_) {
    case Writing::kLength: {
      if (data.size() > send_remaining_) close_ = true;
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(send_remaining_, data.size()));
      output_.MoveFrom(data, n);
      send_remaining_ -= n;
      break;
    }
    case Writing::kChunked: WriteChunk(data, output_); break;
    case Writing::kRaw: output_.MoveFrom(data); break;
    // Before the server agreed it would read this as a request.
    case Writing::kTunnel: early_.MoveFrom(data); break;
    case Writing::kHead:
    case Writing::kDone: break;
  }
  data.Clear();
}

void ClientCodec::SendData(Buffer& data, bool end_stream) {
  if (stream_ == nullptr || aborted_) return data.Clear();
  const std::size_t queued_before = output_.size();
  if (!data.empty()) WriteBody(data);
  if (end_stream) {
    if (writing_ == Writing::kChunked) WriteLastChunk(nullptr, output_);
    EndOutput();
  }
  NoteOutput(queued_before);
}

void ClientCodec::SendTrailers(const http::Headers& trailers) {
  if (stream_ == nullptr || aborted_) return;
  const std::size_t queued_before = output_.size();
  if (writing_ == Writing::kChunked) WriteLastChunk(options_.enable_trailers ? &trailers : nullptr, output_);
  EndOutput();
  NoteOutput(queued_before);
}

void ClientCodec::EndOutput() {
  if (writing_ == Writing::kTunnel) {
    early_end_ = true;
    return;
  }
  // The server would wait for the rest: the exchange cannot end well.
  if (writing_ == Writing::kLength && send_remaining_ > 0) cut_short_ = close_ = true;
  writing_ = Writing::kDone;
}
}  // namespace

std::unique_ptr<http::ClientCodec> NewClientCodec(http::ClientCodecEvents& events, const http::CodecOptions& options) {
  return std::make_unique<ClientCodec>(events, options);
}

}  // namespace plait::http1
