// Whom a connection is with, and for how long that may be taken up again without certificates (semantics.md 3, 5).
#include <algorithm>
#include <unordered_map>

#include "core/tls/ticket_keys.h"
#include "core/tls/tls_stream.h"

namespace plait::tls {
namespace {

constexpr std::size_t kKeptSessions = 1024;  // a thread

// Client sessions of this thread, by Context and endpoint. A TLS 1.3 ticket is used once (RFC 8446 C.4).
thread_local std::unordered_map<std::string, bssl::UniquePtr<SSL_SESSION>> kept_sessions;

std::size_t TicketOverhead(SSL* /*ssl*/) { return TicketKeys::kOverhead; }

int SealTicket(SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t room, const std::uint8_t* session,
               std::size_t size) {
  const TlsStream& stream = StreamOf(ssl);
  if (!TicketKeys::OfProcess().Seal(stream.clock(), {session, size}, stream.SessionLimit(ssl), {out, room})) return 0;
  *out_size = size + TicketKeys::kOverhead;
  return 1;
}

ssl_ticket_aead_result_t OpenTicket(SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t room,
                                    const std::uint8_t* ticket, std::size_t size) {
  const auto opened = TicketKeys::OfProcess().Open(StreamOf(ssl).clock(), {ticket, size}, {out, room});
  if (!opened) return ssl_ticket_aead_ignore_ticket;  // a full handshake follows
  *out_size = *opened;
  return ssl_ticket_aead_success;
}

}  // namespace

const SSL_TICKET_AEAD_METHOD kTickets = {TicketOverhead, SealTicket, OpenTicket};

JudgedPeer TlsStream::JudgePeer(const STACK_OF(CRYPTO_BUFFER) * chain) const {
  return context_->native().verifier->Judge(
      chain, {.identity = options_.expected_identity, .name = options_.expected_name}, clock().Wall());
}

std::string TlsStream::SessionKey() const {
  return options_.session_key.empty() ? std::string()
                                      : std::to_string(context_->native().id) + '|' + options_.expected_identity + '|' +
                                            options_.expected_name + '|' + options_.session_key;
}

// A session with certificates that would be refused now is not offered: the server may well take it up, and the
// connection would fail where a handshake with its new certificate succeeds.
void TlsStream::OfferSession() {
  const auto kept = kept_sessions.find(SessionKey());
  if (kept == kept_sessions.end()) return;
  const bssl::UniquePtr<SSL_SESSION> session = std::move(kept->second);
  kept_sessions.erase(kept);
  if (JudgePeer(SSL_SESSION_get0_peer_certificates(session.get()))) SSL_set_session(ssl_.get(), session.get());
}

WallTime TlsStream::SessionLimit(const SSL* ssl) const {
  const WallTime limit = std::min(clock().Wall() + kSessionLife, context_->native().own_not_after);
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl);
  if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0) return limit;
  const JudgedPeer peer = JudgePeer(chain);
  return peer ? std::min(limit, (*peer)->valid_until) : WallTime{};
}

Refusal TlsStream::RefusalUnder(const Context& now) const {
  using Shows = PeerPolicy::Certificate;
  if (state_ != State::kOpen || &now == context_.get()) return {};
  const Verifier& verifier = *now.native().verifier;
  const Shows wanted = now.server() ? verifier.policy().certificate : Shows::kRequired;
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl_.get());
  if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0)
    return {.why = wanted == Shows::kRequired ? "the peer showed no certificate" : ""};
  if (wanted == Shows::kNone) return {};  // nobody looks at it any more
  const JudgedPeer judged = verifier.JudgeTrust(
      chain, {.identity = options_.expected_identity, .name = options_.expected_name}, clock().Wall());
  if (judged) return {};
  return {.why = "peer certificate: " + judged.error(),
          .root_gone = !verifier.policy().any_chain && verifier.RootOf(chain).empty()};
}

bool TlsStream::IsUnderOtherRoot(const Context& now) const {
  const std::string& root = context_->native().own_root;
  return !root.empty() && !now.native().own_root.empty() && root != now.native().own_root;
}

ssl_verify_result_t VerifyPeer(SSL* ssl, std::uint8_t* out_alert) {
  TlsStream& stream = StreamOf(ssl);
  JudgedPeer judged = stream.JudgePeer(SSL_get0_peer_certificates(ssl));
  if (judged) {
    stream.NotePeer(std::move(*judged));
    return ssl_verify_ok;
  }
  stream.NoteFailure("peer certificate: " + judged.error());
  *out_alert = SSL_AD_BAD_CERTIFICATE;
  return ssl_verify_invalid;
}

int KeepSession(SSL* ssl, SSL_SESSION* session) {
  std::string key = StreamOf(ssl).SessionKey();
  if (key.empty()) return 0;
  if (kept_sessions.size() >= kKeptSessions) kept_sessions.clear();
  kept_sessions[std::move(key)].reset(session);
  return 1;  // the reference is ours now
}

Refusal RefusalOf(const io::Stream& stream, const Context& now) {
  const auto* tls = dynamic_cast<const TlsStream*>(&stream);
  return tls != nullptr ? tls->RefusalUnder(now) : Refusal{};
}

bool IsUnderOtherRoot(const io::Stream& stream, const Context& now) {
  const auto* tls = dynamic_cast<const TlsStream*>(&stream);
  return tls != nullptr && tls->IsUnderOtherRoot(now);
}

}  // namespace plait::tls
