#pragma once
// Judging the certificate of a peer. Inside core/tls only.
#include <memory>
#include <span>
#include <string>

#include "core/tls/context.h"
#include "core/tls/crypto.h"
#include "core/tls/facts.h"

namespace re2 {
class RE2;
}

namespace plait::tls {

// What a verified leaf says; kept in the cache of verified chains.
struct PeerFacts {
  std::string identity;  // the SPIFFE URI when it is the only URI
  std::vector<std::string> uris, dns, emails, ips;
  std::string subject, sha256, pem;
  std::shared_ptr<const std::string> chain_pem;  // leaf first
  WallTime not_before{}, not_after{};            // the narrowest of the whole chain
};

// Whom this connection expects. Empty members: whomever the policy allows.
struct ExpectedPeer {
  const std::string& identity;  // SPIFFE URI
  const std::string& name;      // DNS name or IP address; the policy's SAN list does not count then
};

class Verifier {
 public:
  // Errors: unusable bundle, CRL or regular expression.
  static Outcome<std::unique_ptr<Verifier>> Make(const ContextOptions& options);
  ~Verifier();

  // Judges the chain (leaf first, DER). The facts, or the reason in words. Chain verification is cached a thread;
  // times, names and identity are looked at each time.
  std::expected<std::shared_ptr<const PeerFacts>, std::string> Judge(const STACK_OF(CRYPTO_BUFFER) * chain,
                                                                     const ExpectedPeer& expected, WallTime now) const;
  const PeerPolicy& policy() const { return policy_; }

 private:
  Verifier() = default;
  std::expected<std::shared_ptr<const PeerFacts>, std::string> VerifyChain(const STACK_OF(CRYPTO_BUFFER) * chain,
                                                                           WallTime now) const;
  std::string JudgeNames(const PeerFacts& facts, const ExpectedPeer& expected) const;
  bool MatchesAny(const PeerFacts& facts) const;

  PeerPolicy policy_;
  std::vector<std::unique_ptr<re2::RE2>> regexes_;  // beside policy_.sans
  bssl::UniquePtr<X509_STORE> store_;
  bool server_ = false;
  std::string trust_key_;  // hash of bundle and CRLs: equal trust shares verified chains
};

}  // namespace plait::tls
