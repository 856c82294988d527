#include <algorithm>
#include <utility>

#include "core/base/strings.h"
#include "core/http/own_answer.h"
#include "core/http1/body_reader.h"
#include "core/http1/codec.h"
#include "core/http1/head_reader.h"
#include "core/http1/head_writer.h"

namespace plait::http1 {
namespace {

using http::ResetReason;

// A body is handed on in pieces of about this size.
constexpr std::size_t kBodyPiece = 64 * 1024;

// Codec and stream in one: there is one exchange at a time, and an idle connection should cost little.
class ServerCodec final : public http::ServerCodec, private http::ServerStream {
 public:
  ServerCodec(http::ServerCodecEvents& events, const http::CodecOptions& options)
      : events_(events), options_(options) {}

  Result<> Feed(Buffer& in) override;
  bool wants_input() const noexcept override { return starved_; }
  void FeedEnd() override;
  void Abandon(ResetReason reason) override;
  Buffer& output() noexcept override { return output_; }
  void OnOutputDrained() override;
  std::size_t active_streams() const noexcept override { return stream_ != nullptr ? 1 : 0; }
  void StartDrain() override { drain_ = true; }
  bool wants_close() const noexcept override { return stream_ == nullptr && (close_ || reading_ == Reading::kNothing); }
  bool output_ended() const noexcept override { return reading_ == Reading::kRaw && writing_ == Writing::kDone; }
  http::OwnAnswer own_answer() const noexcept override { return own_answer_; }
  bool reading_head() const noexcept override { return head_begun_ && reading_ == Reading::kHead; }
  void RefuseHead(std::string_view body) override;
  http::Version version() const noexcept override { return http10_ ? http::Version::kHttp10 : http::Version::kHttp11; }

 private:
  enum class Reading : std::uint8_t {
    kHead,     // -> kBody, kHeld (CONNECT, Upgrade), kDone (no body)
    kBody,     // -> kDone
    kHeld,     // after CONNECT or Upgrade: nothing is read before the answer -> kRaw (accepted), kRefused
    kRefused,  // the upgrade was refused: the request's end is still to be told -> kDone
    kRaw,      // -> kDone at FIN
    kDone,     // waits for the end of the response -> kHead, kNothing
    kNothing,  // the connection closes: input is dropped
  };
  enum class Writing : std::uint8_t { kHead, kLength, kChunked, kUntilEnd, kNoBody, kRaw, kDone };

  // http::ServerStream
  void SendInformational(const http::ResponseHead& head) override;
  void SendHead(const http::ResponseHead& head, bool end_stream) override;
  void SendData(Buffer& data, bool end_stream) override;
  void SendTrailers(const http::Headers& trailers) override;
  void Reset(ResetReason reason) override;
  bool above_high_watermark() const noexcept override { return above_; }
  void PauseReading(bool paused) override;
  const char* details() const noexcept override { return details_; }

  Checked<bool> ReadHead(Buffer& in);
  Checked<bool> ReadBody(Buffer& in);
  bool ReadRaw(Buffer& in);
  Checked<bool> Step(Buffer& in);
  Result<> Fail(const Violation& violation, Buffer& in);
  bool Settle();
  void EndStream();
  void EndOutput();
  void ResetStream(ResetReason reason);
  SendFraming FrameResponse(const http::ResponseHead& head, bool end_stream);
  void AcceptTunnel(const http::ResponseHead& head, bool end_stream);
  void WriteBody(Buffer& data);
  void NoteOutput();

  http::ServerCodecEvents& events_;
  const http::CodecOptions& options_;
  http::ServerStreamEvents* stream_ = nullptr;  // of the running exchange
  Buffer output_;
  BodyReader body_;
  BlockScanner scanner_;
  std::uint64_t send_remaining_ = 0;  // with Writing::kLength
  const char* details_ = "";
  http::OwnAnswer own_answer_;
  Reading reading_ = Reading::kHead;
  Writing writing_ = Writing::kHead;
  bool http10_ = false;  // the running (or last) request
  bool head_request_ = false;
  bool connect_ = false;
  bool close_ = false;  // after the running exchange
  bool drain_ = false;  // the next answer is the last
  bool paused_ = false;
  bool above_ = false;
  bool aborted_ = false;       // the owner reset the stream
  bool skipped_line_ = false;  // the one empty line before a request that RFC 9112 2.2 lets pass
  bool starved_ = false;       // Feed left the beginning of something
  bool head_begun_ = false;    // ... when it looked for a head
  bool in_event_ = false;      // Feed and its kin are running: no OnOutputReady is needed
};

Result<> ServerCodec::Feed(Buffer& in) {
  in_event_ = true;
  Result<> result;
  while (true) {
    if (Settle() && reading_ == Reading::kNothing) in.Clear();
    const auto more = Step(in);
    if (!more) {
      result = Fail(more.error(), in);
      break;
    }
    if (!*more) break;
  }
  in_event_ = false;
  // With a full output a head is not even looked at.
  const bool looks =
      reading_ == Reading::kBody || (reading_ == Reading::kHead && output_.size() <= options_.high_watermark);
  starved_ = !in.empty() && !paused_ && looks;
  head_begun_ = !in.empty() && looks;
  return result;
}

// True when there may be more to do.
Checked<bool> ServerCodec::Step(Buffer& in) {
  switch (reading_) {
    case Reading::kHead: return ReadHead(in);
    case Reading::kBody: return ReadBody(in);
    case Reading::kRaw: return ReadRaw(in);
    case Reading::kRefused: {
      reading_ = Reading::kDone;
      Buffer empty;
      stream_->OnData(empty, true);
      return true;
    }
    case Reading::kHeld:
    case Reading::kDone: return false;
    case Reading::kNothing: in.Clear(); return false;
  }
  return false;
}

Checked<bool> ServerCodec::ReadHead(Buffer& in) {
  if (in.empty()) return false;
  if (close_) {
    reading_ = Reading::kNothing;
    return true;
  }
  // A client that pipelines but does not read its answers waits.
  if (output_.size() > options_.high_watermark) return false;
  // What cannot be a request (a ClientHello on a plaintext port) is refused at its first byte.
  if (const char first = static_cast<char>(in.Front()[0]); !IsTokenChar(first) && first != '\r')
    return Refuse(400, kCodecError);
  const auto size = scanner_.Scan(in, options_.max_header_bytes, kHeadersTooLarge);
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return false;
  scanner_.Reset();
  if (*size == 2) {
    if (skipped_line_) return Refuse(400, kCodecError);
    skipped_line_ = true;
    in.Drain(2);
    return true;
  }
  std::string scratch;
  http::RequestHead head;
  const auto framing = ParseRequestBlock(Contiguous(in, *size, scratch), options_, head);
  if (!framing) return std::unexpected(framing.error());
  in.Drain(*size);

  skipped_line_ = false;
  http10_ = head.version == http::Version::kHttp10;
  head_request_ = head.method == "HEAD";
  connect_ = head.method == "CONNECT";
  close_ = !framing->keep_alive;
  writing_ = Writing::kHead;
  details_ = "";
  paused_ = aborted_ = false;
  body_.Begin(*framing);
  const bool tunnel = connect_ || !head.protocol.empty();
  reading_ = tunnel ? Reading::kHeld : framing->kind == BodyKind::kNone ? Reading::kDone : Reading::kBody;
  const bool ends = reading_ == Reading::kDone;
  stream_ = &events_.OnNewStream(*this);
  stream_->OnRequestHead(std::move(head), ends);
  return true;
}

Checked<bool> ServerCodec::ReadBody(Buffer& in) {
  if (paused_) return false;
  Buffer data;
  http::Headers trailers;
  const auto ended = body_.Read(in, data, kBodyPiece, options_, trailers);
  if (ended && *ended) reading_ = Reading::kDone;
  return TellBody(ended, data, std::move(trailers), *stream_, aborted_);
}

bool ServerCodec::ReadRaw(Buffer& in) {
  if (paused_ || in.empty()) return false;
  Buffer data;
  data.MoveFrom(in, kBodyPiece);
  stream_->OnData(data, false);
  return true;
}

Result<> ServerCodec::Fail(const Violation& violation, Buffer& in) {
  const bool answerable = stream_ == nullptr || writing_ == Writing::kHead;
  details_ = violation.error.detail;
  close_ = true;
  reading_ = Reading::kNothing;
  in.Clear();
  if (answerable) {
    const auto body_bytes = static_cast<std::uint32_t>(http::ReasonPhrase(violation.status).size());
    own_answer_ = {.status = violation.status, .body_bytes = body_bytes};
  }
  if (stream_ != nullptr) ResetStream(ResetReason::kProtocol);
  if (answerable) WriteErrorResponse(violation.status, http::ReasonPhrase(violation.status), options_, output_);
  return std::unexpected(violation.error);
}

void ServerCodec::RefuseHead(std::string_view body) {
  if (!reading_head()) return;
  close_ = true;
  reading_ = Reading::kNothing;
  own_answer_ = {.status = 408, .body_bytes = static_cast<std::uint32_t>(body.size())};
  WriteErrorResponse(408, body, options_, output_);
  events_.OnOutputReady();
}

// Ends an exchange that is over. True when it did.
bool ServerCodec::Settle() {
  if (stream_ == nullptr) return false;
  if (aborted_) {
    EndStream();
    return true;
  }
  if (writing_ != Writing::kDone || reading_ == Reading::kRaw || reading_ == Reading::kRefused) return false;
  // A response that ended before its request: the rest of the request is not waited for.
  if (reading_ != Reading::kDone) close_ = true;
  EndStream();
  return true;
}

void ServerCodec::EndStream() {
  reading_ = close_ ? Reading::kNothing : Reading::kHead;
  above_ = false;
  std::exchange(stream_, nullptr)->OnStreamClosed();
}

void ServerCodec::ResetStream(ResetReason reason) {
  close_ = true;
  if (!aborted_) stream_->OnReset(reason);
  EndStream();
}

void ServerCodec::FeedEnd() {
  in_event_ = true;
  Settle();
  if (reading_ == Reading::kRaw) {
    reading_ = Reading::kDone;
    close_ = true;
    Buffer empty;
    stream_->OnData(empty, true);
    Settle();
  } else {
    close_ = true;
    // A client that has gone before its answer is complete: nobody waits for it (Envoy: downstream_remote_disconnect).
    const bool tunnel_half_open = stream_ != nullptr && writing_ == Writing::kRaw;
    if (stream_ != nullptr && !tunnel_half_open) ResetStream(ResetReason::kConnectionClosed);
    if (stream_ == nullptr) reading_ = Reading::kNothing;
  }
  in_event_ = false;
}

void ServerCodec::Abandon(ResetReason reason) {
  in_event_ = true;
  close_ = true;
  if (stream_ != nullptr) ResetStream(reason);
  reading_ = Reading::kNothing;
  output_.Clear();
  in_event_ = false;
}

void ServerCodec::OnOutputDrained() {
  in_event_ = true;
  if (above_ && output_.size() <= options_.high_watermark / 2) {
    above_ = false;
    if (stream_ != nullptr && !aborted_) stream_->OnBelowLowWatermark();
  }
  in_event_ = false;
}

void ServerCodec::NoteOutput() {
  if (output_.size() > options_.high_watermark) above_ = true;
  if (!in_event_) events_.OnOutputReady();
}

void ServerCodec::PauseReading(bool paused) {
  const bool resumed = paused_ && !paused;
  paused_ = paused;
  if (resumed && !in_event_) events_.OnOutputReady();
}

void ServerCodec::Reset(ResetReason /*reason*/) {
  if (stream_ == nullptr || aborted_) return;
  aborted_ = true;
  close_ = true;
  if (!in_event_) events_.OnOutputReady();
}

void ServerCodec::SendInformational(const http::ResponseHead& head) {
  // RFC 9110 15.2: never to an HTTP/1.0 client.
  if (aborted_ || http10_ || writing_ != Writing::kHead || head.status >= 200 || head.status == 101) return;
  WriteResponseHead(head, http::Version::kHttp11, {.drop_length = true}, output_);
  NoteOutput();
}

SendFraming ServerCodec::FrameResponse(const http::ResponseHead& head, bool end_stream) {
  SendFraming framing;
  const bool no_content = head.status < 200 || head.status == 204;
  const bool bodiless = head_request_ || no_content || head.status == 304;
  const auto length = head.headers.Get("content-length");
  const auto value = length ? ParseUint(*length) : std::nullopt;
  framing.drop_length = no_content || (length && !value);
  writing_ = Writing::kNoBody;
  if (end_stream && !bodiless) {
    framing.zero_length = true;
  } else if (no_content || head.status == 304) {
    // no body, nothing to say of its length
  } else if (value) {
    if (!bodiless) writing_ = Writing::kLength;
    send_remaining_ = *value;
  } else if (!http10_) {
    framing.chunked = true;
    if (!bodiless) writing_ = Writing::kChunked;
  } else if (!bodiless) {
    writing_ = Writing::kUntilEnd;
    close_ = true;
  }
  return framing;
}

void ServerCodec::AcceptTunnel(const http::ResponseHead& head, bool end_stream) {
  SendFraming framing{.drop_length = true, .connection = connect_ ? "" : "upgrade"};
  WriteResponseHead(head, http::Version::kHttp11, framing, output_);
  reading_ = Reading::kRaw;
  writing_ = end_stream ? Writing::kDone : Writing::kRaw;
  close_ = true;  // after the tunnel
  NoteOutput();   // bytes that came early wait in the input
}

void ServerCodec::SendHead(const http::ResponseHead& head, bool end_stream) {
  if (aborted_ || stream_ == nullptr || writing_ != Writing::kHead) return;
  if (reading_ == Reading::kHeld && (connect_ ? head.status / 100 == 2 : head.status == 101))
    return AcceptTunnel(head, end_stream);
  if (reading_ == Reading::kHeld) {
    reading_ = Reading::kRefused;
    // What follows a refused CONNECT may be meant for the tunnel.
    if (connect_) close_ = true;
  }
  // A client that is told so stops sending the rest (Envoy: downstream_rq_response_before_rq_complete).
  if (reading_ == Reading::kBody || drain_ || head.headers.HasToken("connection", "close")) close_ = true;
  SendFraming framing = FrameResponse(head, end_stream);
  framing.connection = close_ ? "close" : http10_ ? "keep-alive" : "";
  WriteResponseHead(head, version(), framing, output_);
  if (end_stream) EndOutput();
  NoteOutput();
}

void ServerCodec::WriteBody(Buffer& data) {
  switch (writing_) {
    case Writing::kLength:
      // More than was announced would be read as the next response.
      if (data.size() > send_remaining_) close_ = true;
      {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(send_remaining_, data.size()));
        output_.MoveFrom(data, n);
        send_remaining_ -= n;
      }
      break;
    case Writing::kChunked: WriteChunk(data, output_); break;
    case Writing::kUntilEnd:
    case Writing::kRaw: output_.MoveFrom(data); break;
    case Writing::kHead:
    case Writing::kNoBody:
    case Writing::kDone: break;
  }
  data.Clear();
}

void ServerCodec::SendData(Buffer& data, bool end_stream) {
  if (aborted_ || stream_ == nullptr) return data.Clear();
  if (!data.empty()) WriteBody(data);
  if (end_stream) {
    if (writing_ == Writing::kChunked) WriteLastChunk(nullptr, output_);
    EndOutput();
  }
  NoteOutput();
}

void ServerCodec::SendTrailers(const http::Headers& trailers) {
  if (aborted_ || stream_ == nullptr) return;
  if (writing_ == Writing::kChunked) WriteLastChunk(options_.enable_trailers ? &trailers : nullptr, output_);
  EndOutput();
  NoteOutput();
}

void ServerCodec::EndOutput() {
  // Less than was announced: only the end of the connection tells the client that something is missing.
  if (writing_ == Writing::kLength && send_remaining_ > 0) close_ = true;
  writing_ = Writing::kDone;
}
}  // namespace

std::unique_ptr<http::ServerCodec> NewServerCodec(http::ServerCodecEvents& events, const http::CodecOptions& options) {
  return std::make_unique<ServerCodec>(events, options);
}

}  // namespace plait::http1
