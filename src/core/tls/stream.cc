#include "core/tls/stream.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "core/tls/tls_stream.h"

namespace plait::tls {
namespace {

// Records are made only while less than this waits for the socket.
constexpr std::size_t kOutputLimit = 64 * 1024;
constexpr std::size_t kReadStep = 16 * 1024 + 512;  // a whole record with its header

// Whether the error is the peer's alert that it does not take the certificate that it was shown.
bool IsAlertAboutCertificate(std::uint32_t error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA: return true;
    default: return false;
  }
}

}  // namespace

TlsStream& StreamOf(const SSL* ssl) { return *static_cast<TlsStream*>(SSL_get_ex_data(ssl, 0)); }

// The BIO reads straight from the inner stream through a buffer that is empty between two records.
int BioRead(BIO* bio, char* out, int size) {
  auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (stream.in_.empty() && !stream.inner_ended_ && !stream.inner_error_) {
    const Result<std::size_t> n = stream.inner_->Read(stream.in_, kReadStep);
    if (!n && n.error().code == Errc::kPeerClosed) stream.inner_ended_ = true;
    if (!n && n.error().code != Errc::kPeerClosed) stream.inner_error_ = n.error();
  }
  if (stream.in_.empty()) {
    if (stream.inner_ended_) return 0;
    if (stream.inner_error_) return -1;
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t n = stream.in_.CopyOut({reinterpret_cast<std::uint8_t*>(out), static_cast<std::size_t>(size)});
  stream.in_.Drain(n);
  return static_cast<int>(n);
}

int BioWrite(BIO* bio, const char* data, int size) {
  auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  stream.out_.Append(std::string_view(data, static_cast<std::size_t>(size)));
  return size;
}

namespace {

long BioControl(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* Method() {
  static const BIO_METHOD* method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "plait stream");
    BIO_meth_set_read(m, BioRead);
    BIO_meth_set_write(m, BioWrite);
    BIO_meth_set_ctrl(m, BioControl);
    return m;
  }();
  return method;
}

}  // namespace

TlsStream::TlsStream(io::Loop& loop, std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context,
                     WrapOptions options, Buffer initial)
    : loop_(loop),
      inner_(std::move(inner)),
      context_(std::move(context)),
      options_(std::move(options)),
      in_(std::move(initial)) {
  inner_->SetEvents(this);
  timer_ = std::make_unique<io::Timer>([this] {
    failure_ = "TLS handshake timed out";
    Fail({Errc::kTimedOut, "TLS handshake timed out"});
  });
  timer_->Start(loop_.timers(), options_.handshake_timeout);
}

void TlsStream::MakeSsl() {
  const Context::Native& native = context_->native();
  ssl_.reset(SSL_new(native.ctx.get()));
  PLAIT_CHECK(ssl_ != nullptr);
  SSL_set_ex_data(ssl_.get(), 0, this);
  BIO* bio = BIO_new(Method());
  PLAIT_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (native.server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  if (!options_.sni.empty()) SSL_set_tlsext_host_name(ssl_.get(), options_.sni.c_str());
  const std::string alpn = options_.alpn.empty() ? native.alpn_wire : AlpnWire(options_.alpn);
  if (!alpn.empty()) SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const std::uint8_t*>(alpn.data()), alpn.size());
  OfferSession();
}

void TlsStream::OnOpen() {
  state_ = State::kHandshake;
  MakeSsl();
  Handshake();
}

void TlsStream::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
  const Result<> flushed = Flush();  // an alert too
  if (result == 1) return HandshakeDone();
  if (error == SSL_ERROR_WANT_READ && flushed) return;
  if (failure_.empty()) {
    own_certificate_refused_ = IsAlertAboutCertificate(ERR_peek_last_error());
    const std::string reason = LastReason();
    failure_ = inner_error_                     ? inner_error_->detail
               : !flushed                       ? flushed.error().detail
               : inner_ended_ && reason.empty() ? "the peer closed the connection during the TLS handshake"
                                                : "TLS handshake failed: " + reason;
  }
  ERR_clear_error();
  refused_ = flushed && !inner_ended_ && !inner_error_;
  Fail({inner_ended_ ? Errc::kPeerClosed : Errc::kDenied, "TLS handshake failed"});
}

void TlsStream::HandshakeDone() {
  // A resumed session was verified when it was made; what holds now is judged now.
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl_.get());
  if (SSL_session_reused(ssl_.get()) != 0 && chain != nullptr) {
    auto judged = JudgePeer(chain);
    if (!judged) {
      failure_ = "resumed session: " + judged.error();
      refused_ = true;
      return Fail({Errc::kDenied, "TLS peer refused"});
    }
    peer_ = std::move(*judged);
  }
  timer_.reset();
  state_ = State::kOpen;
  FillFacts();
  if (events_ != nullptr) events_->OnOpen();
  // What came with the last handshake bytes is in our buffer or the library's: no edge will tell.
  if (state_ == State::kOpen && events_ != nullptr) events_->OnReadable();
}

void TlsStream::FillFacts() {
  facts_.version = SSL_get_version(ssl_.get());
  facts_.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_.get()));
  const std::uint8_t* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &alpn, &alpn_size);
  facts_.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  if (context_->server()) {
    const char* sni = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    facts_.sni = ToLower(sni != nullptr ? sni : "");
  } else {
    facts_.sni = options_.sni;
  }
  facts_.resumed = SSL_session_reused(ssl_.get()) != 0;
  facts_.local_identity = context_->own_identity();
  if (!peer_) return;
  facts_.peer_certificate = true;
  facts_.peer_identity = peer_->identity;
  facts_.peer_uri_sans = peer_->uris;
  facts_.peer_dns_sans = peer_->dns;
  facts_.peer_subject = peer_->subject;
  facts_.peer_certificate_sha256 = peer_->sha256;
  facts_.peer_certificate_pem = peer_->pem;
  facts_.peer_chain_pem = peer_->chain_pem;
  facts_.peer_not_after = peer_->not_after;
}

void TlsStream::Fail(Error error) {
  if (state_ == State::kFailed || state_ == State::kClosed) return;
  if (failure_.empty()) failure_ = error.detail;
  state_ = State::kFailed;
  timer_.reset();
  inner_->Close(/*reset=*/false);
  if (events_ != nullptr) events_->OnFailed(error);
}

void TlsStream::OnReadable() {
  if (state_ == State::kHandshake) return Handshake();
  if (state_ == State::kOpen && events_ != nullptr) events_->OnReadable();
}

void TlsStream::OnWritable() {
  const bool ending = shutting_;
  if (const Result<> flushed = Flush(); !flushed) return Fail(flushed.error());
  if (state_ != State::kOpen) return;
  if (!ending && (!write_blocked_ || out_.size() > kOutputLimit / 2)) return;
  write_blocked_ = false;
  if (events_ != nullptr) events_->OnWritable();
}

Result<> TlsStream::Flush() {
  if (!out_.empty()) {
    const Result<std::size_t> n = inner_->Write(out_);
    if (!n) return std::unexpected(n.error());
  }
  if (out_.empty() && shutting_) {
    shutting_ = false;
    inner_->ShutdownWrite();
  }
  return {};
}

Result<std::size_t> TlsStream::Read(Buffer& into, std::size_t max) {
  if (state_ != State::kOpen) return plait::Fail(Errc::kUnavailable, "stream is not open");
  std::size_t total = 0;
  while (total < max) {
    MutableBytes room = into.Reserve(std::min<std::size_t>(max - total, 4096));
    room = room.first(std::min(room.size(), max - total));
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    into.Commit(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n > 0) {
      total += static_cast<std::size_t>(n);
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), n);
    if (!out_.empty() && !Flush())
      return plait::Fail(Errc::kPeerReset, "connection reset by peer");  // KeyUpdate answers
    if (error == SSL_ERROR_WANT_READ || total > 0) break;
    if (error == SSL_ERROR_ZERO_RETURN || inner_ended_) return plait::Fail(Errc::kPeerClosed, "peer closed");
    if (inner_error_) return std::unexpected(*inner_error_);
    failure_ = "TLS: " + LastReason();
    refused_ = true;
    return plait::Fail(Errc::kInvalidInput, "TLS record error");
  }
  return total;
}

Result<std::size_t> TlsStream::Write(Buffer& from) {
  if (state_ != State::kOpen) return plait::Fail(Errc::kUnavailable, "stream is not open");
  std::size_t total = 0;
  while (!from.empty() && out_.size() < kOutputLimit) {
    const Bytes piece = from.Front().first(std::min<std::size_t>(from.Front().size(), 16 * 1024));
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
    if (n <= 0) {
      failure_ = "TLS: " + LastReason();
      return plait::Fail(Errc::kPeerReset, "TLS write failed");
    }
    from.Drain(static_cast<std::size_t>(n));
    total += static_cast<std::size_t>(n);
    if (out_.size() >= kOutputLimit)
      if (const Result<> flushed = Flush(); !flushed) return std::unexpected(flushed.error());
  }
  if (const Result<> flushed = Flush(); !flushed) return std::unexpected(flushed.error());
  if (!from.empty()) write_blocked_ = true;
  return total;
}

void TlsStream::ShutdownWrite() {
  if (state_ != State::kOpen || shutting_) return;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  shutting_ = true;
  if (Flush()) return;  // a failure shows at the next read
  out_.Clear();
  shutting_ = false;
}

std::unique_ptr<io::Stream> Wrap(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                 std::shared_ptr<const Context> context, WrapOptions options, Buffer initial) {
  return std::make_unique<TlsStream>(loop, std::move(inner), std::move(context), std::move(options),
                                     std::move(initial));
}

bool HasRefused(const io::Stream& stream) {
  const auto* tls = dynamic_cast<const TlsStream*>(&stream);
  return tls != nullptr && tls->refused();
}

bool OwnCertificateRefused(const io::Stream& stream) {
  const auto* tls = dynamic_cast<const TlsStream*>(&stream);
  return tls != nullptr && tls->own_certificate_refused();
}

std::string FailureOf(const io::Stream& stream) {
  const auto* tls = dynamic_cast<const TlsStream*>(&stream);
  return tls != nullptr ? tls->failure() : std::string();
}

}  // namespace plait::tls
