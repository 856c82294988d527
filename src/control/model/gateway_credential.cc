#include "control/model/gateway_credential.h"

#include <initializer_list>

#include "core/tls/certificate.h"

namespace plait::control::model {
namespace {

const std::string* Value(const Secret& secret, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const auto found = secret.data.find(key); found != secret.data.end()) return &found->second;
  return nullptr;
}

}  // namespace

std::string ProblemOfCertificate(const Secret& secret) {
  const std::string* const chain = Value(secret, {"tls.crt", "cert"});
  const std::string* const key = Value(secret, {"tls.key", "key"});
  if (chain == nullptr || key == nullptr) return "it needs the keys tls.crt and tls.key (or cert and key)";
  const auto certificates = tls::ReadBundle(*chain);
  if (!certificates) return "its certificate cannot be read: " + certificates.error().message;
  const auto read = tls::PrivateKey::FromPem(*key);
  if (!read) return "its private key cannot be read: " + read.error().message;
  if (!read->Matches(certificates->front())) return "its private key is not the one of its certificate";
  return "";
}

std::string ProblemOfRoots(const Secret& secret) {
  const std::string* const roots = Value(secret, {"ca.crt", "cacert"});
  if (roots == nullptr) return "";
  const auto read = tls::ReadBundle(*roots);
  return read ? "" : "its roots (ca.crt) cannot be read: " + read.error().message;
}

}  // namespace plait::control::model
