#pragma once
// Who is calling the control plane: by client certificate of the mesh, or by a bearer token that the supervisor
// announced (semantics.md 4). What a request says of itself counts for nothing. One thread.
#include <map>
#include <string>
#include <vector>

#include "core/grpc/server.h"
#include "core/identity/spiffe_id.h"

namespace plait::control::ca {

// Tokens are known by their SHA-256 only; a whole table replaces the last one.
class TokenTable {
 public:
  struct Entry {
    std::string sha256_hex;
    std::string pod_uid;
    identity::SpiffeId id;
  };
  void Replace(std::vector<Entry> entries);
  // Null when no such token is known.
  const Entry* Find(std::string_view token) const;

 private:
  std::map<std::string, Entry, std::less<>> by_hash_;
};

// The caller of a gRPC call. Errors (UNAUTHENTICATED) say what is missing. A certificate that was verified by the
// transport wins over a token.
std::expected<identity::SpiffeId, grpc::Status> Authenticate(const grpc::CallContext& call, const TokenTable& tokens,
                                                             std::string_view trust_domain);

}  // namespace plait::control::ca
