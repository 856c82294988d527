#pragma once
// Names of key exchange groups, as in Envoy's `ecdh_curves`.
#include <string_view>

namespace plait::tls {

inline constexpr const char* kSomeGroups = "X25519, P-256, P-384, X25519MLKEM768";  // for messages
bool IsKeyExchangeGroup(std::string_view name);

}  // namespace plait::tls
