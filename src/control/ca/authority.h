#pragma once
// The mesh's certificate authority. Its root is made on first start and kept in the state directory, or an intermediate
// is plugged in (Istio's `cacerts`: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem). One thread.
//
// A root is rotated in steps, so that at each moment everybody trusts everybody: the next one is trusted beside the
// present one, then it signs, then the old one is trusted no more. With `cacerts` these are edits of root-cert.pem
// (both roots in it) and of the pair, as in Istio; of an own root, of trusted-roots.pem beside root-cert.pem.
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

  // Reads the files again; whether anything is different. After an error (a key without its certificate, half of a
  // change) what was loaded stays in force.
  Outcome<bool> Reload();
  const std::filesystem::path& folder() const noexcept { return folder_; }

  // A workload certificate for the key of `request`. The identity is what the caller was authenticated as, never what
  // the request asks for. `ttl` 0: the default; longer than the maximum: the maximum. Leaf first, then intermediates.
  Outcome<std::string> SignWorkload(const tls::Csr& request, const identity::SpiffeId& authenticated,
                                    Duration ttl) const;
  // A server certificate for the control plane itself, with a key of its own.
  Outcome<tls::Identity> IssueServer(const std::vector<std::string>& dns_names, const identity::SpiffeId& id,
                                     Duration ttl) const;

  const std::string& bundle_pem() const noexcept { return material_.bundle_pem; }  // the roots that workloads trust
  const std::string& trust_domain() const noexcept { return options_.trust_domain; }
  WallTime root_not_after() const { return material_.certificate.not_after(); }

 private:
  struct Material {
    tls::Certificate certificate;
    tls::PrivateKey key;
    std::string chain_pem;   // intermediates that follow a leaf; empty with a self-signed root
    std::string bundle_pem;  // roots
  };
  Authority(Material material, std::filesystem::path folder, bool plugged, AuthorityOptions options);
  static Outcome<Material> ReadOwn(const std::filesystem::path& folder);
  static Outcome<Material> ReadPlugged(const std::filesystem::path& folder);
  Outcome<std::string> Sign(tls::CertificateTemplate what, const tls::Csr* request, const tls::PrivateKey* key,
                            Duration ttl) const;

  Material material_;
  const std::filesystem::path folder_;
  const bool plugged_;
  const AuthorityOptions options_;
};

}  // namespace plait::control::ca
