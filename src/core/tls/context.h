#pragma once
// How a side of TLS connections behaves: certificates, roots, who is accepted, ALPN, versions. Immutable and shared by
// all threads; new certificates or roots make a new Context, live connections keep theirs. AWS-LC is only behind this.
//
// Rules (semantics.md 3): a resumed session is judged like a new one (chain, times, identity), so it is never worth
// more than the certificates and the trust of now. A server takes it up until the earliest notAfter in it, under the
// same own identity, roots, revocation lists and names only; a client under the same Context. Ticket keys are the
// process's (ticket_keys.h); 0-RTT is never enabled.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/tls/certificate.h"

namespace plait::tls {

// A match on the subject alternative names of the peer's leaf. Mirrors SubjectAltNameMatcher with a StringMatcher.
struct SanMatcher {
  enum class Type : std::uint8_t { kAny, kUri, kDns, kEmail, kIp };
  enum class Match : std::uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };
  Type type = Type::kAny;  // kAny: URI, DNS, e-mail or IP
  Match match = Match::kExact;
  std::string value;  // kDns with kExact: a wildcard certificate (*.a.b) matches one label, as Envoy does
  bool ignore_case = false;
  friend bool operator==(const SanMatcher&, const SanMatcher&) = default;
};

// Whom we accept. The chain always has to lead to the bundle unless `any_chain`.
struct PeerPolicy {
  enum class Certificate : std::uint8_t { kNone, kOptional, kRequired };  // of a client; servers always have one
  Certificate certificate = Certificate::kRequired;
  bool any_chain = false;  // ACCEPT_UNTRUSTED: the identity is not proved; for tests of others' only
  bool any_time = false;   // allow_expired_certificate: neither notBefore nor notAfter count; everything else does
  std::vector<SanMatcher> sans;                 // one of them must match; empty: all
  std::vector<std::string> trust_domains;       // SPIFFE identity in one of these required; empty: not looked at
  std::vector<std::string> certificate_sha256;  // hex; one of them must be the leaf's; empty: all
};

struct Identity {
  std::string chain_pem;  // leaf first
  std::string key_pem;
  friend bool operator==(const Identity&, const Identity&) = default;
};

struct ContextOptions {
  bool server = false;
  std::vector<Identity> identities;  // server: the one whose DNS SAN fits the SNI, else the first; client: the first
  std::string bundle_pem;            // trusted roots
  std::string crl_pem;               // revocation lists; empty: none is checked
  PeerPolicy peer;
  std::vector<std::string> alpn;  // server: ours in order of preference; client: what is offered
  bool tls12 = true;              // also accept TLS 1.2
  bool tls13 = true;
  std::string groups = "X25519:P-256";     // key exchange, by preference
  std::vector<std::string> tls12_ciphers;  // OpenSSL names; empty: ECDHE with AES-GCM and ChaCha20
  bool tickets = true;
};

class Context {
 public:
  struct Native;
  // Errors name the part: "certificate chain 1: ...", "trust bundle: ...", "the key does not belong to the
  // certificate".
  static Outcome<std::shared_ptr<const Context>> Make(const ContextOptions& options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  bool server() const noexcept;
  const std::string& own_identity() const noexcept;  // SPIFFE URI of the first identity, or empty
  WallTime own_not_after() const noexcept;           // earliest of the first chain
  const Native& native() const noexcept { return *native_; }

 private:
  explicit Context(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace plait::tls
