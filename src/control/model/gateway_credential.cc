#include "control/model/gateway_credential.h"

#include "core/tls/certificate.h"

namespace plait::control::model {
namespace {

const std::string* Value(const Secret& secret, const char* key, const char* generic) noexcept {
  auto found = secret.data.find(key);
  if (found == secret.data.end()) found = secret.data.find(generic);
  return found == secret.data.end() ? nullptr : &found->second;
}

}  // namespace

const std::string* CertificateChainOf(const Secret& secret) noexcept { return Value(secret, "tls.crt", "cert"); }
const std::string* PrivateKeyOf(const Secret& secret) noexcept { return Value(secret, "tls.key", "key"); }
const std::string* ClientRootsOf(const Secret& secret) noexcept { return Value(secret, "ca.crt", "cacert"); }

std::string ProblemOfCertificate(const Secret& secret) {
  const std::string* const chain = CertificateChainOf(secret);
  const std::string* const key = PrivateKeyOf(secret);
  if (chain == nullptr || key == nullptr) return "it needs the keys tls.crt and tls.key (or cert and key)";
  const auto certificates = tls::ReadBundle(*chain);
  if (!certificates) return "its certificate cannot be read: " + certificates.error().message;
  const auto read = tls::PrivateKey::FromPem(*key);
  if (!read) return "its private key cannot be read: " + read.error().message;
  if (!read->Matches(certificates->front())) return "its private key is not the one of its certificate";
  return "";
}

std::string ProblemOfRoots(const Secret& secret) {
  const std::string* const roots = ClientRootsOf(secret);
  if (roots == nullptr) return "";
  const auto read = tls::ReadBundle(*roots);
  return read ? "" : "its roots (ca.crt) cannot be read: " + read.error().message;
}

}  // namespace plait::control::model
