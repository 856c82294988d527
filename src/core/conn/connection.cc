#include "core/conn/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/conn/ended_here.h"
#include "core/conn/round.h"
#include "core/http1/codec.h"
#include "core/http2/codec.h"
#include "core/tls/facts.h"

namespace plait::conn {
namespace {
// Turns of reading, feeding and writing before other connections of the loop get theirs.
constexpr int kTurnsAVisit = 8;
constexpr int kWritesAVisit = 16;
}  // namespace

Protocol ProtocolOfAlpn(std::string_view alpn) noexcept {
  if (alpn == "h2" || alpn == "istio-h2") return Protocol::kHttp2;
  if (alpn == "http/1.1" || alpn == "http/1.0" || alpn == "istio-http/1.1" || alpn == "istio-http/1.0")
    return Protocol::kHttp1;
  return Protocol::kDetect;
}

Connection::Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
                       ConnectionEvents& owner)
    : loop_(loop), stream_(std::move(stream)), owner_(owner), options_(options), timer_([this] { OnTimer(); }) {}

Connection::~Connection() = default;

void Connection::Start(bool stream_is_open, Buffer&& initial) {
  stream_->SetEvents(this);
  input_ = std::move(initial);
  if (!stream_is_open) return;
  state_ = State::kOpen;
  readable_ = true;
  Schedule();
}

void Connection::Destroy() noexcept {
  Round::Remove(*this);
  timer_.Cancel();
  stream_->SetEvents(nullptr);
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (codec_) codec_->Abandon(http::ResetReason::kConnectionClosed);
}

void Connection::Schedule() {
  again_ = true;
  if (!working_ && state_ != State::kClosed) Round::Add(*this, loop_);
}

void Connection::Drain() {
  // A request may be here of which no edge has told yet.
  if (draining_ != Draining::kNow && state_ == State::kOpen) readable_ = true;
  BeginDrain(Draining::kNow);
}

void Connection::AnnounceDrain() {
  if (draining_ == Draining::kNo) BeginDrain(Draining::kAnnounced);
}

void Connection::BeginDrain(Draining how) {
  draining_ = how;
  if (codec_) codec_->StartDrain();
  if (!busy_ && state_ == State::kOpen) timer_.Start(loop_.timers(), options_.drain_timeout);
  Schedule();
}

void Connection::Close(http::ResetReason reason, bool reset) {
  if (state_ == State::kClosed) return;
  close_reason_ = reason == http::ResetReason::kNone ? http::ResetReason::kConnectionClosed : reason;
  close_by_reset_ = reset;
  Schedule();
}

void Connection::OnOpen() {
  if (state_ != State::kOpening) return;
  state_ = State::kOpen;
  // TLS may hold bytes that came with the end of the handshake. Read at the end of the round: the edge of this one, if
  // there is one, is served first and saves the attempt.
  readable_ = true;
  // Also who connects and says nothing is idle.
  if (!EnsureCodec()) StartIdleTimer();
  Schedule();
}

void Connection::OnReadable() {
  readable_ = true;
  Work();
}

void Connection::OnWritable() {
  writable_ = true;
  Work();
}

void Connection::OnFailed(Error error) {
  if (working_) return;  // cannot be: no event runs inside a call to the stream
  Finish(error);
}

Protocol Connection::Decide() const noexcept {
  if (options_.protocol != Protocol::kDetect) return options_.protocol;
  const io::TlsFacts* tls = stream_->tls();
  if (const Protocol named = tls != nullptr ? ProtocolOfAlpn(tls->alpn) : Protocol::kDetect; named != Protocol::kDetect)
    return named;
  if (!is_server()) return Protocol::kHttp1;
  std::array<std::uint8_t, http2::kClientPreface.size()> begin{};
  const std::size_t n = input_.CopyOut(begin);
  if (AsText({begin.data(), n}) != http2::kClientPreface.substr(0, n)) return Protocol::kHttp1;
  if (n == begin.size()) return Protocol::kHttp2;
  return peer_ended_ ? Protocol::kHttp1 : Protocol::kDetect;
}

bool Connection::EnsureCodec() {
  if (codec_) return true;
  const Protocol protocol = Decide();
  if (protocol == Protocol::kDetect) return false;
  codec_ = MakeCodec(protocol);
  if (draining_ != Draining::kNo) codec_->StartDrain();
  StartIdleTimer();
  owner_.OnConnectionOpen();
  return true;
}

void Connection::Work() {
  if (working_ || state_ == State::kClosed) return;
  Round::Remove(*this);
  if (close_reason_ != http::ResetReason::kNone) return Finish({Errc::kCancelled, "closed locally"}, close_reason_);
  working_ = true;
  int turns = 0;
  bool more = true;
  while (more && state_ == State::kOpen && close_reason_ == http::ResetReason::kNone && turns++ < kTurnsAVisit)
    more = Turn();
  if (state_ == State::kFlushing) {
    again_ = false;
    FlushSome();
    more = again_;
  }
  if (state_ == State::kLingering) more = Discard();
  working_ = false;
  if (state_ == State::kClosed) return;
  NoteBusy();
  if (state_ == State::kOpen && close_reason_ == http::ResetReason::kNone) OnFed();
  if (more || close_reason_ != http::ResetReason::kNone) Schedule();
}

// True when another turn may find something to do.
bool Connection::Turn() {
  again_ = false;
  const bool read = ReadSome();
  if (state_ != State::kOpen) return false;
  if (!EnsureCodec()) {
    // A peer that has said nothing, or half a preface.
    const bool idle = draining_ == Draining::kNow && is_server() && !readable_ && input_.empty();
    if (peer_ended_) Finish(why_);
    if (!peer_ended_ && idle) Finish(Error{Errc::kPeerClosed, kEndedHere});
    return read && state_ == State::kOpen;
  }
  if (close_reason_ != http::ResetReason::kNone) return false;  // its owner does not want it
  if (!FeedCodec()) return false;
  const std::size_t unsent = codec_->output().size();
  FlushSome();
  if (state_ != State::kOpen) return false;
  if (codec_->wants_close() || IsDrained()) {
    const bool by_peer = peer_ended_ || why_.code != Errc::kPeerClosed;
    BeginFlushing(by_peer ? why_ : Error{Errc::kPeerClosed, kEndedHere});
    return false;
  }
  // The codec holds requests back above its watermark, and no event tells of what is here already.
  const std::size_t watermark = options_.codec.high_watermark;
  const bool let_go = !input_.empty() && unsent > watermark && codec_->output().size() <= watermark;
  return read || again_ || let_go || MayRead();
}

// A head must fit, whatever the limit for bodies is.
std::size_t Connection::InputLimit() const noexcept {
  return std::max(options_.read_limit, options_.codec.max_header_bytes + 4096);
}

// A server that is not listened to reads no more. A client must read: the answer may come before the server has taken
// the request, or instead of that.
bool Connection::MayRead() const noexcept {
  if (!readable_ || peer_ended_ || input_.size() >= InputLimit()) return false;
  return !is_server() || !codec_ || codec_->output().size() <= options_.write_limit;
}

bool Connection::ReadSome() {
  if (!MayRead()) return false;
  const auto n = stream_->Read(input_, InputLimit() - input_.size());
  if (n) {
    readable_ = *n > 0;
    bytes_read_ += *n;
    return readable_;
  }
  readable_ = false;
  if (n.error().code != Errc::kPeerClosed) {
    Finish(n.error());
    return false;
  }
  peer_ended_ = true;
  return true;
}

bool Connection::FeedCodec() {
  if (const auto fed = codec_->Feed(input_); !fed) {
    BeginFlushing(fed.error());
    return false;
  }
  // What is paused or pipelined is finished first; what is only the beginning of a message never will be.
  if (peer_ended_ && !told_codec_end_ && (input_.empty() || codec_->wants_input())) {
    told_codec_end_ = true;
    input_.Clear();
    codec_->FeedEnd();
  }
  return true;
}

void Connection::FlushSome() {
  Buffer& out = codec_->output();
  for (int writes = 0; writable_; ++writes) {
    if (out.empty()) codec_->OnOutputDrained();
    if (out.empty()) break;
    if (writes == kWritesAVisit) return Schedule();
    const auto n = stream_->Write(out);
    if (!n) return Finish(n.error());
    bytes_written_ += *n;
    // Slow is not gone. What a client still has to say when it closes, nobody needs.
    if (state_ == State::kFlushing && is_server() && *n > 0) LimitFlushing();
    writable_ = out.empty();
    codec_->OnOutputDrained();
  }
  if (!out.empty()) return;
  if (state_ == State::kFlushing) return EndOfOutput();
  if (codec_->output_ended() && !fin_sent_) {
    fin_sent_ = true;
    stream_->ShutdownWrite();
  }
}

void Connection::BeginFlushing(Error why) {
  why_ = why;
  state_ = State::kFlushing;
  input_.Clear();
  LimitFlushing();
}

void Connection::LimitFlushing() {
  if (options_.close_timeout > Duration(0))
    timer_.Start(loop_.timers(), options_.close_timeout);
  else
    timer_.Cancel();
}

void Connection::EndOfOutput() {
  if (stream_->unsent()) {
    if (!std::exchange(fin_sent_, true)) stream_->ShutdownWrite();
    if (stream_->unsent()) return LimitFlushing();  // its OnWritable comes back here
  }
  // A client has its answer; a server's may still be on the way, and closing with unread input would reset it.
  if (peer_ended_ || !is_server() || options_.close_timeout <= Duration(0)) return Finish(why_);
  if (!fin_sent_) stream_->ShutdownWrite();
  fin_sent_ = true;
  state_ = State::kLingering;
  timer_.Start(loop_.timers(), options_.close_timeout);
}

// True when there may be more to drop.
bool Connection::Discard() {
  for (int turns = 0; readable_; ++turns) {
    if (turns == kTurnsAVisit) return true;
    Buffer dropped;
    const auto n = stream_->Read(dropped, Buffer::kChunkSize);
    if (!n) {
      Finish(why_);
      return false;
    }
    readable_ = *n > 0;
  }
  return false;
}

void Connection::Finish(Error why, http::ResetReason reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.Cancel();
  Round::Remove(*this);
  input_.Clear();
  if (codec_) codec_->Abandon(reason);
  stream_->Close(close_by_reset_);
  if (busy_) {
    busy_ = false;
    owner_.OnBusyChanged(false);
  }
  owner_.OnConnectionClosed(why);
}

void Connection::NoteBusy() {
  if (!codec_ || state_ != State::kOpen) return;
  const bool busy = codec_->active_streams() > 0;
  const bool used = std::exchange(stream_seen_, false);
  // Unchanged, but a stream may have lived and ended within this visit.
  if (busy == busy_ && (busy || !used)) return;
  if (busy)
    timer_.Cancel();
  else
    StartIdleTimer();
  if (std::exchange(busy_, busy) != busy) owner_.OnBusyChanged(busy);
}

void Connection::StartIdleTimer() {
  if (draining_ != Draining::kNo)
    timer_.Start(loop_.timers(), options_.drain_timeout);
  else if (options_.idle_timeout > Duration(0))
    timer_.Start(loop_.timers(), options_.idle_timeout);
}

// HTTP/2 says so itself, for its peer has heard of the end.
bool Connection::IsDrained() const noexcept {
  return draining_ == Draining::kNow && is_server() && version() != http::Version::kHttp2 && !readable_ &&
         input_.empty() && codec_->active_streams() == 0;
}

void Connection::OnTimer() {
  if (state_ != State::kOpen) return Finish(why_);
  if (!codec_) return Finish({Errc::kTimedOut, "idle timeout"});  // nothing was said that could be ended in order
  if (draining_ == Draining::kAnnounced && version() != http::Version::kHttp2) return Drain();
  if (draining_ != Draining::kNo) {
    // The peer did not take part in the orderly end.
    BeginFlushing(why_.code == Errc::kPeerClosed ? Error{Errc::kPeerClosed, kEndedHere} : why_);
    return Work();
  }
  why_ = {Errc::kTimedOut, "idle timeout"};
  if (is_server()) return AnnounceDrain();
  Drain();
}

ServerConnection::ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
                                   ServerConnectionEvents& owner, bool stream_is_open, Buffer initial)
    : Connection(loop, std::move(stream), options, owner), owner_(owner) {
  Start(stream_is_open, std::move(initial));
}
ServerConnection::~ServerConnection() { Destroy(); }

void ServerConnection::OnFed() {
  if (options().head_timeout <= Duration(0)) return;
  // Before there is a codec: half a preface.
  if (server_ != nullptr ? !server_->reading_head() : !has_input()) return head_timer_.reset();
  if (head_timer_) return;
  head_timer_ = std::make_unique<io::Timer>([this] { OnHeadTimer(); });
  head_began_ = loop().Now();
  head_timer_->Start(loop().timers(), options().head_timeout);
}

void ServerConnection::OnHeadTimer() {
  if (!open() || !server_->reading_head()) return Close(http::ResetReason::kTimedOut);
  server_->RefuseHead(options().head_timeout_body);
  Schedule();
  owner_.OnHeadTimedOut();
}

std::unique_ptr<http::Codec> ServerConnection::MakeCodec(Protocol protocol) {
  std::unique_ptr<http::ServerCodec> codec = protocol == Protocol::kHttp2
                                                 ? http2::NewServerCodec(*this, options().codec)
                                                 : http1::NewServerCodec(*this, options().codec);
  server_ = codec.get();
  return codec;
}

ClientConnection::ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const ConnectionOptions& options,
                                   ClientConnectionEvents& owner, bool stream_is_open)
    : Connection(loop, std::move(stream), options, owner), owner_(owner) {
  Start(stream_is_open, {});
}
ClientConnection::~ClientConnection() { Destroy(); }

std::unique_ptr<http::Codec> ClientConnection::MakeCodec(Protocol protocol) {
  std::unique_ptr<http::ClientCodec> codec = protocol == Protocol::kHttp2
                                                 ? http2::NewClientCodec(*this, options().codec)
                                                 : http1::NewClientCodec(*this, options().codec);
  client_ = codec.get();
  return codec;
}

http::ClientStream* ClientConnection::NewStream(http::ClientStreamEvents& events) {
  if (!open() || client_ == nullptr) return nullptr;
  NoteStream();
  return client_->NewStream(events);
}

}  // namespace plait::conn
