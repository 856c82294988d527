#pragma once
// A certificate authority for tests, here and in other folders.
#include <string>
#include <vector>

#include "core/tls/context.h"

namespace plait::tls {

class TestCa {
 public:
  // The root is valid from `lifetime` ago, and for as long from now on.
  explicit TestCa(const std::string& name = "test root", Duration lifetime = std::chrono::hours(48));
  std::string root_pem() const { return root_.ToPem(); }
  const Certificate& root() const { return root_; }
  const PrivateKey& key() const { return key_; }
  // A leaf with these names, valid from a day ago for `lifetime` (negative: expired).
  Identity Issue(const std::string& uri, const std::string& dns = {}, Duration lifetime = std::chrono::hours(1)) const;
  // The same, signed by an intermediate of its own that ends after `intermediate`.
  Identity IssueBelow(const std::string& uri, Duration lifetime, Duration intermediate) const;
  // A revocation list (PEM) with these leaves in it, from an hour ago until `next_update` from now on.
  std::string Revoke(const std::vector<Identity>& revoked, Duration next_update = std::chrono::hours(1)) const;

 private:
  PrivateKey key_ = PrivateKey::Generate();
  Certificate root_;
};

}  // namespace plait::tls
