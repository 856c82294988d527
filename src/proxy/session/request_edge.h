#pragma once
// What a connection manager does to the head of a request before any filter sees it, and to the head of a response
// before it leaves: trust in forwarding headers, hop-by-hop fields, path normalisation, request id, client certificate.
// Pure but for the random request id. Mirrors Envoy's ConnectionManagerUtility; RFC 9110 7.6.1.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/http/message.h"
#include "core/io/address.h"
#include "core/tls/facts.h"
#include "core/xds/http_connection_manager.h"

namespace plait::proxy::session {

// Who sent the request, as the connection knows it.
struct EdgePeer {
  io::SocketAddress direct_remote;
  const io::TlsFacts* tls = nullptr;
  std::uint16_t local_port = 0;  // that the client connected to
};

enum class EdgeVerdict : std::uint8_t {
  kContinue,
  kBadPath,       // 400, path_normalization_failed
  kRedirectPath,  // 307 to the normalised path, path_normalization_failed
};

struct EdgeResult {
  EdgeVerdict verdict = EdgeVerdict::kContinue;
  bool internal = false;  // x-envoy-internal
  io::IpAddress remote;   // the client that trusted hops vouch for; else the direct one
};

EdgeResult PrepareRequest(const xds::HttpConnectionManager& options, const EdgePeer& peer, http::RequestHead& head);
// `request_id` is shown only when the options say so; `date` is the present second as RFC 9110 writes it.
void PrepareResponse(const xds::HttpConnectionManager& options, std::string_view request_id, std::string_view date,
                     http::ResponseHead& head);
// Removes what belongs to one connection only: Connection and the fields it names, Keep-Alive, Proxy-Connection,
// Transfer-Encoding, Upgrade, and TE unless it is exactly "trailers". Upgrade requests keep Connection and Upgrade.
void RemoveHopByHop(http::Headers& headers, bool keep_upgrade);

// The value of x-forwarded-client-cert for this peer: `By=...;Hash=...;Subject="...";URI=...;DNS=...`.
std::string ClientCertElement(const xds::HttpConnectionManager& options, const io::TlsFacts& tls);

}  // namespace plait::proxy::session
