#pragma once
// A certificate authority for tests, here and in other folders.
#include <string>

#include "core/tls/context.h"

namespace plait::tls {

class TestCa {
 public:
  explicit TestCa(const std::string& name = "test root");
  std::string root_pem() const { return root_.ToPem(); }
  const Certificate& root() const { return root_; }
  const PrivateKey& key() const { return key_; }
  // A leaf with these names, valid from an hour ago for `lifetime` (negative: expired).
  Identity Issue(const std::string& uri, const std::string& dns = {}, Duration lifetime = std::chrono::hours(1)) const;

 private:
  PrivateKey key_ = PrivateKey::Generate();
  Certificate root_;
};

}  // namespace plait::tls
