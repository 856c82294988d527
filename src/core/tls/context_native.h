#pragma once
// The insides of a Context, for context.cc and stream.cc.
#include <memory>
#include <string>
#include <vector>

#include "core/tls/context.h"
#include "core/tls/crypto.h"
#include "core/tls/verify.h"

namespace plait::tls {

struct LoadedIdentity {
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> chain;
  PrivateKey key;
  std::vector<std::string> dns_sans;
  std::string spiffe;  // the URI of the leaf; empty: it has none
};

struct Context::Native {
  bool server = false;
  bssl::UniquePtr<SSL_CTX> ctx;
  std::unique_ptr<Verifier> verifier;
  std::vector<LoadedIdentity> identities;
  std::string alpn_wire;  // length-prefixed names
  std::string own_identity;
  WallTime own_not_after = WallTime::max();
  std::string own_root;  // of a client: SHA-256 of the root that its own chain leads to; empty: not known
  std::uint64_t id = 0;  // of the process; keys the client's session cache
};

std::string AlpnWire(const std::vector<std::string>& names);
// Puts an identity on one connection (the one chosen by SNI).
bool UseIdentity(SSL* ssl, const LoadedIdentity& identity);

// Hooks of session.cc that the SSL_CTX calls.
ssl_verify_result_t VerifyPeer(SSL* ssl, std::uint8_t* out_alert);
int KeepSession(SSL* ssl, SSL_SESSION* session);
extern const SSL_TICKET_AEAD_METHOD kTickets;

}  // namespace plait::tls
