#pragma once
// Whether a Secret that a Gateway names can serve as its certificate (kubernetes.io/tls, or Istio's generic keys).
// Pure.
#include <string>

#include "control/model/objects.h"

namespace plait::control::model {

// What is wrong with its certificate and key, without showing them; "" when a server can use them.
std::string ProblemOfCertificate(const Secret& secret);
// What is wrong with its roots for clients' certificates, if it has some.
std::string ProblemOfRoots(const Secret& secret);

}  // namespace plait::control::model
