#pragma once
// Judging the certificate of a peer. Inside core/tls only.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tls/context.h"
#include "core/tls/crypto.h"
#include "core/tls/facts.h"

namespace re2 {
class RE2;
}

namespace plait::tls {

// The identity of a certificate with these URI SANs: an X.509-SVID has exactly one (SPIFFE X509-SVID 2), with more of
// them it is nobody's; then empty.
std::string SpiffeIdentity(const std::vector<std::string>& uris);
// Whether a DNS SAN is one of `host` (RFC 6125 6.4): case does not count, "*" stands for exactly one left-most label.
bool MatchesDns(std::string_view san, std::string_view host);

// What a verified leaf says; kept in the cache of verified chains.
struct PeerFacts {
  std::string identity;  // the SPIFFE URI when it is the only URI
  std::vector<std::string> uris, dns, emails, ips;
  std::string subject, sha256, pem;
  std::shared_ptr<const std::string> chain_pem;  // leaf first
  WallTime not_after{};                          // the narrowest of the whole chain
  // When the verification holds: these times, where they count, and those of the revocation lists.
  WallTime valid_from{}, valid_until{};
};

// Whom this connection expects. Empty members: whomever the policy allows.
struct ExpectedPeer {
  const std::string& identity;  // SPIFFE URI
  const std::string& name;      // DNS name or IP address; the policy's SAN list does not count then
};

using JudgedPeer = std::expected<std::shared_ptr<const PeerFacts>, std::string>;  // error: the reason in words

class Verifier {
 public:
  // Errors: unusable bundle, CRL or regular expression.
  static Outcome<std::unique_ptr<Verifier>> Make(const ContextOptions& options);
  ~Verifier();

  // Judges the chain (leaf first, DER). The facts, or the reason in words. Chain verification is cached a thread;
  // times, names and identity are looked at each time.
  JudgedPeer Judge(const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected, WallTime now) const;
  // The same, whatever the times in the certificates are.
  JudgedPeer JudgeTrust(const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected, WallTime now) const;
  // SHA-256 of the trusted root that a chain leads to, whatever its times and revocation lists say; empty: to none.
  std::string RootOf(const STACK_OF(CRYPTO_BUFFER) * chain) const;
  const PeerPolicy& policy() const { return policy_; }
  // 32 bytes that are equal for verifiers that judge alike.
  const std::string& scope() const noexcept { return scope_; }

 private:
  Verifier() = default;
  enum class Times : std::uint8_t { kCount, kIgnored };
  JudgedPeer Judge(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected,
                   WallTime now) const;
  JudgedPeer Find(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, WallTime now) const;
  JudgedPeer VerifyChain(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, WallTime now) const;
  std::string JudgeNames(const PeerFacts& facts, const ExpectedPeer& expected) const;
  bool MatchesAny(const PeerFacts& facts) const;

  PeerPolicy policy_;
  std::vector<std::unique_ptr<re2::RE2>> regexes_;  // beside policy_.sans
  bssl::UniquePtr<X509_STORE> store_;
  WallTime lists_until_ = WallTime::max();  // the first revocation list is out of date then
  bool server_ = false;
  std::string trust_key_;  // hash of bundle and CRLs: equal trust shares verified chains
  std::string scope_;
};

}  // namespace plait::tls
