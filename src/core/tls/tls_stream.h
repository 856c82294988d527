#pragma once
// The stream behind Wrap. stream.cc moves its bytes; session.cc judges its peer and resumes sessions. Inside core/tls
// only.
#include <memory>
#include <optional>
#include <string>

#include "core/io/timer.h"
#include "core/tls/context_native.h"
#include "core/tls/stream.h"

namespace plait::tls {

class TlsStream final : public io::Stream, private io::StreamEvents {
 public:
  TlsStream(io::Loop& loop, std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context,
            WrapOptions options, Buffer initial);

  void SetEvents(io::StreamEvents* events) noexcept override { events_ = events; }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override;
  Result<std::size_t> Write(Buffer& from) override;
  void ShutdownWrite() override;
  void Close(bool reset) noexcept override {
    state_ = State::kClosed;
    events_ = nullptr;
    timer_.reset();
    inner_->Close(reset);
  }
  const io::SocketAddress& local() const noexcept override { return inner_->local(); }
  const io::SocketAddress& remote() const noexcept override { return inner_->remote(); }
  const io::TlsFacts* tls() const noexcept override { return &facts_; }
  int fd() const noexcept override { return inner_->fd(); }

  const std::string& failure() const noexcept { return failure_; }
  bool refused() const noexcept { return refused_; }
  bool own_certificate_refused() const noexcept { return own_certificate_refused_; }
  bool unsent() const noexcept override { return state_ == State::kOpen && (!out_.empty() || shutting_); }
  const Clock& clock() const noexcept { return loop_.clock(); }

  // session.cc:
  JudgedPeer JudgePeer(const STACK_OF(CRYPTO_BUFFER) * chain) const;
  void NotePeer(std::shared_ptr<const PeerFacts> peer) { peer_ = std::move(peer); }
  void NoteFailure(std::string why) { failure_ = std::move(why); }
  // Where the client's session is kept; empty: none is.
  std::string SessionKey() const;
  // Until when a session with this peer may be resumed.
  WallTime SessionLimit(const SSL* ssl) const;
  Refusal RefusalUnder(const Context& now) const;
  bool IsUnderOtherRoot(const Context& now) const;

 private:
  // kWaiting (inner stream not open) -> kHandshake -> kOpen; any -> kFailed; any -> kClosed by Close.
  enum class State : std::uint8_t { kWaiting, kHandshake, kOpen, kFailed, kClosed };
  friend int BioRead(BIO* bio, char* out, int size);
  friend int BioWrite(BIO* bio, const char* data, int size);

  void OnOpen() override;
  void OnReadable() override;
  void OnWritable() override;
  void OnFailed(Error error) override { Fail(error); }

  void MakeSsl();
  void OfferSession();  // session.cc
  void Handshake();
  void HandshakeDone();
  void FillFacts();
  void Fail(Error error);
  Result<> Flush();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> inner_;
  std::shared_ptr<const Context> context_;
  WrapOptions options_;
  bssl::UniquePtr<SSL> ssl_;
  Buffer in_, out_;
  State state_ = State::kWaiting;
  bool inner_ended_ = false;
  bool refused_ = false;
  bool own_certificate_refused_ = false;
  bool write_blocked_ = false;
  bool shutting_ = false;  // close_notify is made; FIN follows when out_ is empty
  std::optional<Error> inner_error_;
  io::StreamEvents* events_ = nullptr;
  std::unique_ptr<io::Timer> timer_;
  std::shared_ptr<const PeerFacts> peer_;
  io::TlsFacts facts_;
  std::string failure_;
};

TlsStream& StreamOf(const SSL* ssl);

}  // namespace plait::tls
