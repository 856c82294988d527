#include "control/ca/authenticate.h"

#include "core/base/encoding.h"
#include "core/tls/certificate.h"
#include "core/tls/facts.h"

namespace plait::control::ca {

void TokenTable::Replace(std::vector<Entry> entries) {
  by_hash_.clear();
  for (Entry& entry : entries) {
    std::string hash = entry.sha256_hex;
    by_hash_.insert_or_assign(std::move(hash), std::move(entry));
  }
}

// Looked up by hash: the time that takes tells nothing of the tokens.
const TokenTable::Entry* TokenTable::Find(std::string_view token) const {
  const auto at = by_hash_.find(HexEncode(AsBytes(tls::Sha256(token))));
  return at == by_hash_.end() ? nullptr : &at->second;
}

std::expected<identity::SpiffeId, grpc::Status> Authenticate(const grpc::CallContext& call, const TokenTable& tokens,
                                                             std::string_view trust_domain) {
  const auto refuse = [](std::string why) {
    return std::unexpected(
        grpc::Status{.code = grpc::Code::kUnauthenticated, .message = std::move(why), .details = {}});
  };
  if (call.tls != nullptr && call.tls->peer_certificate) {
    auto id = identity::SpiffeId::Parse(call.tls->peer_identity);
    if (!id) return refuse("the client certificate has no SPIFFE identity");
    if (id->trust_domain != trust_domain)
      return refuse("the client certificate is of trust domain " + id->trust_domain);
    return *id;
  }
  constexpr std::string_view kBearer = "Bearer ";
  const auto authorization = call.metadata.Get("authorization");
  if (!authorization || !authorization->starts_with(kBearer))
    return refuse("neither a client certificate nor a bearer token was given");
  const TokenTable::Entry* entry = tokens.Find(authorization->substr(kBearer.size()));
  if (entry == nullptr) return refuse("the token is not known");
  return entry->id;
}

}  // namespace plait::control::ca
