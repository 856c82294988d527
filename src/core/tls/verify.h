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
  WallTime not_before{}, not_after{};  // the narrowest of the whole chain
};

class Verifier {
 public:
  // Errors: unusable bundle, CRL or regular expression.
  static Outcome<std::unique_ptr<Verifier>> Make(const ContextOptions& options);
  ~Verifier();

  // Judges the chain (leaf first, DER). The facts, or the reason in words. Chain verification is cached a thread;
  // times, names and identity are looked at each time.
  std::expected<std::shared_ptr<const PeerFacts>, std::string> Judge(const STACK_OF(CRYPTO_BUFFER) * chain,
                                                                     const std::string& expected_identity,
                                                                     WallTime now) const;
  const PeerPolicy& policy() const { return policy_; }

 private:
  Verifier() = default;
  std::expected<std::shared_ptr<const PeerFacts>, std::string> VerifyChain(const STACK_OF(CRYPTO_BUFFER) * chain,
                                                                           WallTime now) const;
  std::string JudgeNames(const PeerFacts& facts, const std::string& expected_identity) const;
  bool MatchesAny(const PeerFacts& facts) const;

  PeerPolicy policy_;
  std::vector<std::unique_ptr<re2::RE2>> regexes_;  // beside policy_.sans
  bssl::UniquePtr<X509_STORE> store_;
  bool server_ = false;
  std::string trust_key_;  // hash of bundle and CRLs: equal trust shares verified chains
};

}  // namespace plait::tls
