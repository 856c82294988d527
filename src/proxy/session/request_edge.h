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

// How the names of fields begin that only proxies of the mesh say, to each other.
inline constexpr std::string_view kOfProxies = "x-plait-";

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
// What the answer to a request does with x-envoy-decorator-operation.
enum class AnsweredOperation : std::uint8_t {
  kPasses,     // what the upstream says of it, if anything, goes on
  kEndsHere,   // it was for this proxy
  kOfTheRoute  // the client is told the route's
};

// x-envoy-decorator-operation, by which the proxies on both sides of a request agree on the name of its span: for
// connection managers with `tracing`, once the route is known (Envoy's traceRequest). `outbound`: the route's operation
// goes on in place of what the client says. Otherwise, also at a listener without a direction, what the client says
// ends here, and one that says nothing is told the route's. An operation that does not propagate is told to nobody.
// `route` may be null.
AnsweredOperation PrepareOperation(bool outbound, const xds::Route* route, http::Headers& request);
// `route` is that of the request.
void AnswerOperation(AnsweredOperation operation, const xds::Route* route, http::Headers& response);

// Removes what belongs to one connection only: Connection and the fields it names, Keep-Alive, Proxy-Connection,
// Transfer-Encoding, Upgrade, and TE unless it is exactly "trailers". Upgrade requests keep Connection and Upgrade.
void RemoveHopByHop(http::Headers& headers, bool keep_upgrade);

// The value of x-forwarded-client-cert for this peer: `By=...;Hash=...;Subject="...";URI=...;DNS=...`.
std::string ClientCertElement(const xds::HttpConnectionManager& options, const io::TlsFacts& tls);

}  // namespace plait::proxy::session
