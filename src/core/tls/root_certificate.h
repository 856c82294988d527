#pragma once
// The self-signed root that a mesh makes for itself.
#include <string>

#include "core/base/time.h"
#include "core/tls/certificate.h"

namespace plait::tls {

// notBefore of what an authority of a mesh signs lies this far back: clocks differ.
inline constexpr Duration kClockSkew = std::chrono::minutes(2);

// Of `trust_domain`, for ten years from now.
Outcome<Certificate> MakeRoot(const std::string& trust_domain, const PrivateKey& key);

}  // namespace plait::tls
