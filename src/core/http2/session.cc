#include "core/http2/session.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::http2 {
namespace {

using http::ResetReason;

constexpr std::size_t kOutputTarget = 64 * 1024;  // produced at a time; the rest when the driver has written this
// Frames that wait in nghttp2 because the peer does not read: from kManyFrames on a server produces more than it may
// have unsent while it reads (core/conn, write_limit), so that reading stops. DATA does not wait so: a client that
// takes its time over a large answer must still be heard when it gives it up. Those of the second limit come beside
// kFramesAStream for each open stream (head, trailers, WINDOW_UPDATE, RST_STREAM); more are a flood. As Envoy's
// max_outbound_frames, which counts what was produced, too.
constexpr std::size_t kManyFrames = 1000;
constexpr std::size_t kOutputOfMany = 512 * 1024;
constexpr std::size_t kUnsentFrames = 10'000;
constexpr std::size_t kFramesAStream = 4;
constexpr std::uint32_t kResetCredit = 500;  // streams a client may give up early in a row (CVE-2023-44487)
constexpr Duration kPrematureAge = std::chrono::seconds(1);
constexpr std::uint32_t kControlFrames = 1000;  // looked at together: in less than a second and
constexpr std::uint32_t kUsefulFrames = 100;    // without this many frames of messages they are a flood

bool IsConnectionField(http::HeaderView field) noexcept {
  const std::string_view name = field.name;
  switch (name.size()) {
    case 2: return EqualsIgnoreCase(name, "te") && !EqualsIgnoreCase(Trim(field.value), "trailers");
    case 4: return EqualsIgnoreCase(name, "host");
    case 7: return EqualsIgnoreCase(name, "upgrade");
    case 10: return EqualsIgnoreCase(name, "connection") || EqualsIgnoreCase(name, "keep-alive");
    case 14: return EqualsIgnoreCase(name, "http2-settings");
    case 16: return EqualsIgnoreCase(name, "proxy-connection");
    case 17: return EqualsIgnoreCase(name, "transfer-encoding");
    default: return false;
  }
}

constexpr std::size_t kMostOfAField = 64 * 1024;

// Huffman's code, which is used where it is shorter, may take 5 bits a character.
bool IsTooLong(const nghttp2_nv& field) {
  if (field.namelen + field.valuelen <= kMostOfAField) return false;
  nghttp2_hd_deflater* deflater = nullptr;
  if (nghttp2_hd_deflate_new(&deflater, 0) != 0) return true;
  std::vector<std::uint8_t> encoded(nghttp2_hd_deflate_bound(deflater, &field, 1));
  const ssize_t n = nghttp2_hd_deflate_hd(deflater, encoded.data(), encoded.size(), &field, 1);
  nghttp2_hd_deflate_del(deflater);
  return n < 0 || static_cast<std::size_t>(n) > kMostOfAField;
}

bool IsFlood(const char* details) noexcept {
  return details == kOutboundFlood || details == kOutboundFramesFlood || details == kInboundFlood ||
         details == kResetFlood;
}
}  // namespace

nghttp2_nv Field(std::string_view name, std::string_view value) noexcept {
  // nghttp2 takes pointers to non-const but copies (and lower-cases the copy of the name).
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

void AppendFields(std::vector<nghttp2_nv>& out, const http::Headers& headers) {
  for (const http::HeaderView field : headers)
    if (!IsConnectionField(field)) out.push_back(Field(field.name, field.value));
}

bool PeersTake(const std::vector<nghttp2_nv>& fields) { return std::ranges::none_of(fields, IsTooLong); }

std::uint32_t CodeOfReason(ResetReason reason) noexcept {
  switch (reason) {
    case ResetReason::kNone: return NGHTTP2_NO_ERROR;
    case ResetReason::kProtocol: return NGHTTP2_PROTOCOL_ERROR;
    case ResetReason::kInternal: return NGHTTP2_INTERNAL_ERROR;
    case ResetReason::kFlowControl: return NGHTTP2_FLOW_CONTROL_ERROR;
    case ResetReason::kRefused:
    case ResetReason::kOverflow: return NGHTTP2_REFUSED_STREAM;
    case ResetReason::kCancel:
    case ResetReason::kTimedOut:
    case ResetReason::kConnectionClosed: break;
  }
  return NGHTTP2_CANCEL;
}

ResetReason ReasonOfCode(std::uint32_t code) noexcept {
  switch (code) {
    case NGHTTP2_PROTOCOL_ERROR: return ResetReason::kProtocol;
    case NGHTTP2_FLOW_CONTROL_ERROR: return ResetReason::kFlowControl;
    case NGHTTP2_REFUSED_STREAM: return ResetReason::kRefused;
    case NGHTTP2_ENHANCE_YOUR_CALM: return ResetReason::kOverflow;
    case NGHTTP2_NO_ERROR:
    case NGHTTP2_CANCEL: return ResetReason::kCancel;
    default: return ResetReason::kInternal;
  }
}

Session::Session(const http::CodecOptions& options, bool server)
    : options_(options), server_(server), reset_credit_(kResetCredit) {
  CreateNative();
}

Session::~Session() { nghttp2_session_del(session_); }

Stream* Session::AddStream() {
  auto stream = std::make_unique<Stream>(*this);
  stream->index_ = static_cast<std::uint32_t>(streams_.size());
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

void Session::Erase(Stream& stream) {
  if (stream.touched_) std::erase(touched_, &stream);
  if (stream.id_ > 0 && !stream.over_) nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  const std::size_t index = stream.index_;
  if (index + 1 != streams_.size()) {
    std::swap(streams_[index], streams_.back());
    streams_[index]->index_ = static_cast<std::uint32_t>(index);
  }
  const std::unique_ptr<Stream> dead = std::move(streams_.back());
  streams_.pop_back();
  StreamGone();
}

Stream* Session::StreamOfOpenHead() const noexcept {
  if (open_head_ == 0 || dead_) return nullptr;
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, open_head_));
}

bool Session::IsOpen(const Stream& stream) const noexcept {
  return nghttp2_session_get_stream_user_data(session_, stream.id_) != nullptr;
}

void Session::Touch(Stream& stream) {
  if (stream.touched_) return;
  stream.touched_ = true;
  touched_.push_back(&stream);
}

void Session::Wake() {
  if (!running_) OutputReady();
}

Result<> Session::FeedBytes(Buffer& in) {
  if (dead_) {
    in.Clear();
    return {};
  }
  running_ = true;
  TellTouched();
  while (!in.empty() && fatal_ == nullptr) {
    const Bytes front = in.Front();
    const std::size_t usable = server_ ? peer_frames_.Follow(front) : front.size();
    const ssize_t n = nghttp2_session_mem_recv(session_, front.data(), usable);
    if (n < 0) {
      if (n == NGHTTP2_ERR_FLOODED)
        fatal_ = kOutboundFlood;
      else if (n == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        fatal_ = kBadPreface;
      else if (fatal_ == nullptr)
        fatal_ = kProtocolError;
      break;
    }
    in.Drain(static_cast<std::size_t>(n));
    TellTouched();
    if (usable < front.size() && fatal_ == nullptr) {
      nghttp2_session_terminate_session(session_, NGHTTP2_STREAM_CLOSED);
      fatal_ = kProtocolError;
    }
    LimitUnsent();
  }
  if (fatal_ != nullptr) nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  Produce();
  TellTouched();
  // Sending may have told of a flood, too.
  if (fatal_ != nullptr) nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  Produce();
  Result<> result;
  // nghttp2 ends the session itself when the peer broke a rule of framing: its GOAWAY is in the output.
  if (fatal_ != nullptr) {
    result = Fail(IsFlood(fatal_) ? Errc::kLimit : Errc::kInvalidInput, fatal_);
    in.Clear();
    EndAll(ResetReason::kProtocol);
  }
  running_ = false;
  return result;
}

void Session::Drained() {
  if (dead_) return;
  running_ = true;
  Produce();
  TellTouched();
  Produce();
  running_ = false;
}

void Session::Produce() {
  const auto room = [this] {
    if (output_.size() < kOutputTarget) return true;
    return server_ && output_.size() < kOutputOfMany && nghttp2_session_get_outbound_queue_size(session_) > kManyFrames;
  };
  while (room()) {
    const std::uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n < 0) {
      fatal_ = kProtocolError;
      return;
    }
    if (n == 0) return;
    output_.Append(Bytes(data, static_cast<std::size_t>(n)));
  }
}

// Some of what a peer sends is answered by nghttp2 itself, with no event: streams beyond the limit, pushes.
void Session::LimitUnsent() {
  const auto too_many = [this] {
    return nghttp2_session_get_outbound_queue_size(session_) > kUnsentFrames + kFramesAStream * streams_.size();
  };
  if (fatal_ != nullptr || !too_many()) return;
  Produce();  // a long input may ask for as much at once
  if (fatal_ == nullptr && too_many()) fatal_ = kOutboundFramesFlood;
}

// Events may touch further streams, also erase any: always from the back of what is left.
void Session::TellTouched() {
  while (!touched_.empty()) {
    Stream& stream = *touched_.back();
    touched_.pop_back();
    stream.touched_ = false;
    Tell(stream);
  }
}

void Session::Tell(Stream& stream) {
  if (!stream.reset_) {
    if (std::exchange(stream.low_due_, false) && stream.events_ != nullptr && !stream.over_)
      stream.events_->OnBelowLowWatermark();
    Deliver(stream);
  }
  // A request that was given up before it was sent, or cannot be, and a stream that nghttp2 closed while its owner did
  // not read.
  const bool unsent = stream.id_ < 0 && (stream.reset_ || *stream.details_ != '\0');
  if (unsent || (stream.over_ && (stream.reset_ || stream.end_told_))) CloseStream(stream, NGHTTP2_NO_ERROR);
}

// Gives the owner what was received, unless it does not want it now.
void Session::Deliver(Stream& stream) {
  if (stream.paused_ || stream.reset_ || stream.events_ == nullptr || stream.end_told_) return;
  const bool end = stream.remote_ended_ && !stream.trailers_;
  if (!stream.received_.empty() || end) {
    const std::size_t n = stream.received_.size();
    Buffer data = std::move(stream.received_);
    stream.end_told_ = end;
    stream.events_->OnData(data, end);
    if (!stream.over_ && n > 0) nghttp2_session_consume_stream(session_, stream.id_, n);
  }
  if (stream.reset_ || stream.paused_ || !stream.trailers_ || !stream.remote_ended_) return;
  stream.end_told_ = true;
  http::Headers trailers = std::move(*stream.trailers_);
  stream.trailers_.reset();
  stream.events_->OnTrailers(std::move(trailers));
}

// nghttp2 has closed the stream, or it never came to be.
void Session::CloseStream(Stream& stream, std::uint32_t error_code) {
  stream.over_ = true;
  // A server may give up the rest of a request that it has answered, and not all do so by NO_ERROR.
  const bool wanted_no_more = !server_ || stream.sent_all_ || error_code == NGHTTP2_NO_ERROR;
  const bool ended_well = stream.remote_ended_ && *stream.details_ == '\0' && wanted_no_more;
  if (stream.events_ != nullptr && !stream.reset_) {
    // What came in the same read as the reset. Of a request that its client gives up nobody needs the rest.
    if (ended_well || !server_) Deliver(stream);
    if (ended_well && !stream.end_told_ && !stream.reset_) return;  // paused: told when the owner reads on
    if (!ended_well && !stream.reset_) {
      stream.reset_ = true;
      stream.events_->OnReset(*stream.details_ != '\0' ? ResetReason::kProtocol : ReasonOfCode(error_code));
    }
  }
  if (ended_well) reset_credit_ = std::min(reset_credit_ + 1, kResetCredit);
  http::StreamEvents* events = stream.events_;
  Erase(stream);
  if (events != nullptr) events->OnStreamClosed();
}

void Session::EndAll(ResetReason reason) {
  const bool outer = std::exchange(running_, true);
  dead_ = true;
  while (!streams_.empty()) {
    Stream& stream = *streams_.back();
    stream.over_ = true;
    http::StreamEvents* events = stream.events_;
    if (events != nullptr && !std::exchange(stream.reset_, true)) events->OnReset(reason);
    Erase(stream);
    if (events != nullptr) events->OnStreamClosed();
  }
  running_ = outer;
}

bool Session::finished() const noexcept {
  if (dead_) return true;
  if (!streams_.empty()) return false;
  if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) return true;
  return draining_ && final_goaway_ && nghttp2_session_want_write(session_) == 0;
}

// First a notice that lets requests on their way still come in; the last stream is named when the peer has answered a
// PING, so that it must have seen the notice (RFC 9113 6.8).
void Session::GracefulGoAway() {
  if (draining_ || dead_) return;
  draining_ = true;
  if (server_) {
    nghttp2_submit_shutdown_notice(session_);
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  } else {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
    final_goaway_ = true;
  }
  Wake();
}

bool Session::NoteControlFrame() {
  if (++control_frames_ < kControlFrames) return true;
  const MonotonicTime now = SystemClock().Now();
  const bool flood = now - window_start_ < std::chrono::seconds(1) && useful_frames_ < kUsefulFrames;
  control_frames_ = useful_frames_ = 0;
  window_start_ = now;
  if (flood) fatal_ = kInboundFlood;
  return !flood;
}

bool IsPrematureReset(bool head_sent, Duration age) noexcept { return !head_sent && age < kPrematureAge; }

bool Session::NotePeerReset(const Stream& stream) {
  if (!server_ || !IsPrematureReset(stream.head_sent_, SystemClock().Now() - stream.began_)) return true;
  if (reset_credit_-- > 0) return true;
  fatal_ = kResetFlood;
  return false;
}

int Session::AddField(Stream& stream, std::string_view name, std::string_view value) {
  Stream::Block& block = *stream.block_;
  block.bytes += name.size() + value.size() + 4;
  if (block.bytes > options_.max_header_bytes) stream.details_ = kHeadersTooLarge;
  if (++block.count > options_.max_header_count) stream.details_ = kTooManyHeaders;
  // The block is still decoded to its end (the compression state needs it), but kept no further.
  if (*stream.details_ != '\0') return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if (!name.starts_with(':')) {
    using Underscores = http::CodecOptions::Underscores;
    if (server_ && options_.underscores != Underscores::kAllow && name.contains('_')) {
      if (options_.underscores == Underscores::kDropField) return 0;
      return stream.details_ = kUnexpectedUnderscore, NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (name == "host" && server_ && !stream.head_received_) {
      if (!block.host.empty()) return stream.details_ = kMessagingRule, NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      block.host = value;
    } else if (name == "cookie") {
      // RFC 9113 8.2.3: crumbs are one field for everybody behind us.
      if (block.cookie)
        block.cookie->append("; ").append(value);
      else
        block.cookie = value;
    } else {
      block.fields.Add(name, value);
    }
  } else if (name == ":method") {
    block.method = value;
  } else if (name == ":scheme") {
    block.scheme = value;
  } else if (name == ":authority") {
    block.authority = value;
  } else if (name == ":path") {
    block.path = value;
  } else if (name == ":protocol") {
    block.protocol = value;
  } else if (name == ":status") {
    block.status = static_cast<std::uint16_t>(ParseUint(value).value_or(0));
  }
  return 0;
}

}  // namespace plait::http2
