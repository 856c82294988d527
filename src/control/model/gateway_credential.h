#pragma once
// What a Secret that a Gateway names holds (kubernetes.io/tls, or Istio's generic keys), and whether it can serve.
// Pure.
#include <string>

#include "control/model/objects.h"

namespace plait::control::model {

// PEM, the Secret's own; null: it has none.
const std::string* CertificateChainOf(const Secret& secret) noexcept;  // tls.crt or cert
const std::string* PrivateKeyOf(const Secret& secret) noexcept;        // tls.key or key
const std::string* ClientRootsOf(const Secret& secret) noexcept;       // ca.crt or cacert

// What is wrong with its certificate and key, without showing them; "" when a server can use them.
std::string ProblemOfCertificate(const Secret& secret);
// What is wrong with its roots for clients' certificates, if it has some.
std::string ProblemOfRoots(const Secret& secret);

}  // namespace plait::control::model
