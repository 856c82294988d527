#pragma once
// The mesh's certificate authority. Its root is made on first start and kept in the state directory, or an intermediate
// is plugged in (Istio's `cacerts`: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem). One thread.
#include <filesystem>
#include <memory>
#include <string>

#include "core/identity/spiffe_id.h"
#include "core/tls/context.h"

namespace plait::control::ca {

struct AuthorityOptions {
  std::string trust_domain = "cluster.local";
  Duration default_ttl = std::chrono::hours(24);
  Duration max_ttl = std::chrono::hours(24 * 90);
};

class Authority {
 public:
  // Reads `directory`/root-key.pem and root-cert.pem, or makes them (0600, durable before use). A damaged file is an
  // error that names it; it is never replaced by itself, for that would break every workload of the mesh.
  static Outcome<std::unique_ptr<Authority>> LoadOrCreate(const std::filesystem::path& directory,
                                                          AuthorityOptions options);
  static Outcome<std::unique_ptr<Authority>> LoadPlugged(const std::filesystem::path& cacerts,
                                                         AuthorityOptions options);

  // A workload certificate for the key of `request`. The identity is what the caller was authenticated as, never what
  // the request asks for. `ttl` 0: the default; longer than the maximum: the maximum. Leaf first, then intermediates.
  Outcome<std::string> SignWorkload(const tls::Csr& request, const identity::SpiffeId& authenticated,
                                    Duration ttl) const;
  // A server certificate for the control plane itself, with a key of its own.
  Outcome<tls::Identity> IssueServer(const std::vector<std::string>& dns_names, const identity::SpiffeId& id,
                                     Duration ttl) const;

  const std::string& bundle_pem() const noexcept { return bundle_pem_; }  // the roots that workloads trust
  const std::string& trust_domain() const noexcept { return options_.trust_domain; }
  WallTime root_not_after() const { return certificate_.not_after(); }

 private:
  Authority(tls::Certificate certificate, tls::PrivateKey key, std::string chain_pem, std::string bundle_pem,
            AuthorityOptions options);
  Outcome<std::string> Sign(tls::CertificateTemplate what, const tls::Csr* request, const tls::PrivateKey* key,
                            Duration ttl) const;

  tls::Certificate certificate_;
  tls::PrivateKey key_;
  std::string chain_pem_;  // intermediates that follow a leaf; empty with a self-signed root
  std::string bundle_pem_;
  AuthorityOptions options_;
};

}  // namespace plait::control::ca
