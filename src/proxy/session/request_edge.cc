#include "proxy/session/request_edge.h"

#include <algorithm>
#include <array>

#include "core/base/encoding.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "core/http/path.h"

namespace plait::proxy::session {
namespace {
using Hcm = xds::HttpConnectionManager;

constexpr std::string_view kOperation = "x-envoy-decorator-operation";

// Fields that only the proxy itself may set when the request comes from outside (Envoy's cleanEdgeRequestHeaders).
constexpr std::array<std::string_view, 15> kExternalForbidden = {"x-envoy-retriable-status-codes",
                                                                 "x-envoy-retriable-header-names",
                                                                 "x-envoy-retry-on",
                                                                 "x-envoy-retry-grpc-on",
                                                                 "x-envoy-max-retries",
                                                                 "x-envoy-upstream-alt-stat-name",
                                                                 "x-envoy-upstream-rq-timeout-ms",
                                                                 "x-envoy-upstream-rq-per-try-timeout-ms",
                                                                 "x-envoy-upstream-rq-timeout-alt-response",
                                                                 "x-envoy-upstream-stream-duration-ms",
                                                                 "x-envoy-expected-rq-timeout-ms",
                                                                 "x-envoy-force-trace",
                                                                 "x-envoy-ip-tags",
                                                                 "x-envoy-hedge-on-per-try-timeout",
                                                                 "x-envoy-original-url"};
constexpr std::array<std::string_view, 5> kEdgeForbidden = {
    kOperation, "x-envoy-original-path", "x-envoy-original-host", "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node"};

// Nobody is internal unless the configuration says who.
bool IsInternal(const Hcm& options, const io::IpAddress& ip) {
  if (!options.internal_addresses) return false;
  return std::any_of(options.internal_addresses->ranges.begin(), options.internal_addresses->ranges.end(),
                     [&](const io::Cidr& range) { return range.Contains(ip); });
}

struct ForwardedFor {
  std::optional<io::IpAddress> address;  // the one `hops` entries from the right
  bool single = false;                   // the list has exactly one element
};

// Several fields of that name are one list to everybody behind us.
void JoinFields(http::Headers& headers, std::string_view name) {
  std::string joined;
  std::size_t fields = 0;
  for (const http::HeaderView field : headers) {
    if (field.name.size() != name.size() || !EqualsIgnoreCase(field.name, name)) continue;
    if (fields++ > 0) joined += ',';
    joined += field.value;
  }
  if (fields > 1) headers.Set(name, joined);
}

// Envoy's getLastAddressFromXFF: skips `hops` addresses from the right. Text that is no address ends the trust.
ForwardedFor LastForwardedFor(const http::Headers& headers, std::uint32_t hops) {
  const std::optional<std::string> value = headers.GetJoined("x-forwarded-for");
  if (!value || value->empty()) return {};
  const std::vector<std::string_view> parts = Split(*value, ',');
  ForwardedFor found;
  found.single = parts.size() == 1;
  if (parts.size() <= hops) return found;
  if (auto ip = io::IpAddress::Parse(Trim(parts[parts.size() - 1 - hops]))) found.address = *ip;
  return found;
}

void AppendForwardedFor(http::Headers& headers, const io::IpAddress& ip) {
  std::string value = headers.GetJoined("x-forwarded-for").value_or("");
  if (!value.empty()) value += ',';
  value += ip.ToString();
  headers.Set("x-forwarded-for", value);
}

// The client's address, and whether it is inside (x-envoy-internal).
EdgeResult TrustForwardedFor(const Hcm& options, const EdgePeer& peer, http::RequestHead& head) {
  EdgeResult result{.remote = peer.direct_remote.ip};
  const char* scheme = peer.tls != nullptr ? "https" : "http";
  JoinFields(head.headers, "x-forwarded-for");
  bool single = true;
  bool known = true;
  if (options.use_remote_address) {
    single = !head.headers.Has("x-forwarded-for");
    if (options.xff_num_trusted_hops > 0) {
      const ForwardedFor found = LastForwardedFor(head.headers, options.xff_num_trusted_hops - 1);
      if (found.address) result.remote = *found.address;
    }
    if (!options.skip_xff_append) AppendForwardedFor(head.headers, peer.direct_remote.ip);
    const bool trusted = options.xff_num_trusted_hops > 0;
    if (!trusted) head.headers.Set("x-forwarded-proto", scheme);
    if (!trusted && options.append_x_forwarded_port)
      head.headers.Set("x-forwarded-port", std::to_string(peer.local_port));
  } else {
    const ForwardedFor found = LastForwardedFor(head.headers, options.xff_num_trusted_hops);
    single = found.single;
    known = found.address.has_value();
    if (found.address) result.remote = *found.address;
  }
  if (!head.headers.Has("x-forwarded-proto")) head.headers.Set("x-forwarded-proto", scheme);
  if (options.append_x_forwarded_port && !head.headers.Has("x-forwarded-port"))
    head.headers.Set("x-forwarded-port", std::to_string(peer.local_port));
  result.internal = single && known && IsInternal(options, result.remote);
  return result;
}

bool HasPrefix(const http::Headers& headers, std::string_view prefix) {
  for (const http::HeaderView field : headers) {
    if (EqualsIgnoreCase(field.name.substr(0, prefix.size()), prefix)) return true;
  }
  return false;
}

void CleanForOrigin(const Hcm& options, const EdgeResult& origin, http::Headers& headers) {
  const bool edge = !origin.internal && options.use_remote_address;
  // Requests seldom carry any of these; one pass instead of twenty.
  if (HasPrefix(headers, kOfProxies)) headers.RemovePrefix(kOfProxies);
  const bool envoy = HasPrefix(headers, "x-envoy-");
  if (envoy) headers.Remove("x-envoy-internal");
  if (origin.internal) {
    headers.Add("x-envoy-internal", "true");
    return;
  }
  if (!envoy) return;
  for (const std::string_view name : kExternalForbidden) headers.Remove(name);
  if (!edge) return;
  for (const std::string_view name : kEdgeForbidden) headers.Remove(name);
}

void ForwardClientCertificate(const Hcm& options, const EdgePeer& peer, http::Headers& headers) {
  constexpr std::string_view kName = "x-forwarded-client-cert";
  JoinFields(headers, kName);
  const bool mutual = peer.tls != nullptr && peer.tls->peer_certificate;
  if (options.forward_client_cert == Hcm::ForwardClientCert::kAlwaysForwardOnly) return;
  if (options.forward_client_cert == Hcm::ForwardClientCert::kSanitize || !mutual) {
    headers.Remove(kName);
    return;
  }
  if (options.forward_client_cert == Hcm::ForwardClientCert::kForwardOnly) return;
  std::string element = ClientCertElement(options, *peer.tls);
  if (options.forward_client_cert == Hcm::ForwardClientCert::kAppendForward) {
    if (const auto before = headers.Get(kName); before && !before->empty())
      element = std::string(*before) + "," + element;
  }
  headers.Set(kName, element);
}

// The request's scheme: what its target says, else who forwarded it, else this connection.
void SetScheme(const Hcm& options, const EdgePeer& peer, http::RequestHead& head) {
  if (!options.scheme_overwrite.empty()) {
    head.scheme = options.scheme_overwrite;
    head.headers.Set("x-forwarded-proto", head.scheme);
  } else if (head.scheme.empty()) {
    head.scheme = ToLower(head.headers.GetJoined("x-forwarded-proto").value_or(""));
    if (head.scheme != "http" && head.scheme != "https") head.scheme = peer.tls != nullptr ? "https" : "http";
  }
}

void AppendVia(http::Headers& headers, const std::string& via) {
  const auto before = headers.GetJoined("via");
  headers.Set("via", before && !before->empty() ? *before + ", " + via : via);
}

EdgeVerdict PreparePath(const Hcm& options, http::RequestHead& head) {
  // A fragment is for the client alone (RFC 9110 7.1); who sends one hopes that somebody behind us reads the path
  // differently.
  if (head.path.contains('#')) return EdgeVerdict::kBadPath;
  const bool keep = options.escaped_slashes == Hcm::EscapedSlashes::kKeep;
  if (keep && !options.normalize_path && !options.merge_slashes) return EdgeVerdict::kContinue;
  const http::PathOptions path{.normalize = options.normalize_path,
                               .merge_slashes = options.merge_slashes,
                               .escaped_slashes = static_cast<http::EscapedSlashes>(options.escaped_slashes)};
  switch (http::NormalizePath(head.path, path)) {
    case http::PathVerdict::kOk: return EdgeVerdict::kContinue;
    case http::PathVerdict::kRedirect: return EdgeVerdict::kRedirectPath;
    case http::PathVerdict::kReject: break;
  }
  return EdgeVerdict::kBadPath;
}

void StripAuthority(const Hcm& options, const EdgePeer& peer, http::RequestHead& head) {
  const std::string_view bare = http::HostOnly(head.authority);
  const std::string_view port = std::string_view(head.authority).substr(bare.size());
  const bool matching = options.strip_matching_host_port && http::PortOf(head.authority) == peer.local_port;
  if (port.size() > 1 && (options.strip_any_host_port || matching)) head.authority.resize(bare.size());
  if (!options.strip_trailing_host_dot) return;
  const std::string host(http::HostOnly(head.authority));
  if (host.size() > 1 && host.ends_with('.')) {
    head.authority = host.substr(0, host.size() - 1) + head.authority.substr(host.size());
  }
}

}  // namespace

void RemoveHopByHop(http::Headers& headers, bool keep_upgrade) {
  if (const auto named = headers.GetJoined("connection")) {
    for (const std::string_view part : Split(*named, ',')) {
      const std::string_view name = Trim(part);
      // Fields that carry meaning end to end cannot be named away by the peer.
      const bool ours = name.empty() || EqualsIgnoreCase(name, "te") || EqualsIgnoreCase(name, "upgrade") ||
                        EqualsIgnoreCase(name, "host") || EqualsIgnoreCase(name, "authorization") ||
                        EqualsIgnoreCase(name, "content-length") ||
                        EqualsIgnoreCase(name.substr(0, 12), "x-forwarded-");
      if (!ours) headers.Remove(name);
    }
  }
  headers.Remove("keep-alive");
  headers.Remove("proxy-connection");
  headers.Remove("transfer-encoding");
  if (const auto te = headers.Get("te"); te && !EqualsIgnoreCase(*te, "trailers")) {
    const bool trailers = headers.HasToken("te", "trailers");
    headers.Remove("te");
    if (trailers) headers.Add("te", "trailers");
  }
  if (keep_upgrade) return;
  headers.Remove("connection");
  headers.Remove("upgrade");
  headers.Remove("http2-settings");
}

std::string ClientCertElement(const Hcm& options, const io::TlsFacts& tls) {
  std::string element;
  const auto add = [&](std::string_view key, std::string_view value, bool quoted) {
    if (!element.empty()) element += ';';
    element.append(key).append(quoted ? "=\"" : "=").append(value);
    if (quoted) element += '"';
  };
  if (!tls.local_identity.empty()) add("By", tls.local_identity, false);
  if (!tls.peer_certificate_sha256.empty()) add("Hash", tls.peer_certificate_sha256, false);
  if (options.client_cert_details.cert && !tls.peer_certificate_pem.empty())
    add("Cert", PercentEncode(tls.peer_certificate_pem), true);
  if (options.client_cert_details.chain && tls.peer_chain_pem != nullptr)
    add("Chain", PercentEncode(*tls.peer_chain_pem), true);
  if (options.client_cert_details.subject) add("Subject", tls.peer_subject, true);
  if (options.client_cert_details.uri) {
    for (const std::string& uri : tls.peer_uri_sans) add("URI", uri, false);
    if (tls.peer_uri_sans.empty()) add("URI", "", false);
  }
  if (options.client_cert_details.dns) {
    for (const std::string& name : tls.peer_dns_sans) add("DNS", name, false);
  }
  return element;
}

EdgeResult PrepareRequest(const Hcm& options, const EdgePeer& peer, http::RequestHead& head) {
  RemoveHopByHop(head.headers, !head.protocol.empty() && head.version != http::Version::kHttp2);
  StripAuthority(options, peer, head);
  if (const EdgeVerdict verdict = PreparePath(options, head); verdict != EdgeVerdict::kContinue)
    return {.verdict = verdict, .remote = peer.direct_remote.ip};
  EdgeResult result = TrustForwardedFor(options, peer, head);
  SetScheme(options, peer, head);
  CleanForOrigin(options, result, head.headers);
  if (!options.via.empty()) AppendVia(head.headers, options.via);
  const bool edge = !result.internal && options.use_remote_address;
  if (edge) head.headers.Set("x-envoy-external-address", result.remote.ToString());
  if (options.generate_request_id &&
      ((edge && !options.preserve_external_request_id) || head.headers.Get("x-request-id").value_or("").empty())) {
    head.headers.Set("x-request-id", NewUuid());
  }
  ForwardClientCertificate(options, peer, head.headers);
  return result;
}

void PrepareResponse(const Hcm& options, std::string_view request_id, std::string_view date, http::ResponseHead& head) {
  RemoveHopByHop(head.headers, head.status == 101);
  if (!head.headers.Has("date")) head.headers.Add("date", date);
  if (options.server_header == Hcm::ServerHeader::kOverwrite ||
      (options.server_header == Hcm::ServerHeader::kAppendIfAbsent && !head.headers.Has("server"))) {
    head.headers.Set("server", options.server_name);
  }
  if (options.always_set_request_id_in_response && !request_id.empty()) head.headers.Set("x-request-id", request_id);
  if (!options.via.empty()) AppendVia(head.headers, options.via);
}

AnsweredOperation PrepareOperation(bool outbound, const xds::Route* route, http::Headers& request) {
  const bool told = route != nullptr && route->propagate_operation && !route->operation.empty();
  if (outbound) {
    if (told) request.Set(kOperation, route->operation);
    return AnsweredOperation::kEndsHere;
  }
  bool named = false;
  if (request.Has(kOperation)) {
    for (const http::HeaderView field : request) {
      named = named || (EqualsIgnoreCase(field.name, kOperation) && !field.value.empty());
    }
    request.Remove(kOperation);
  }
  return told && !named ? AnsweredOperation::kOfTheRoute : AnsweredOperation::kPasses;
}

void AnswerOperation(AnsweredOperation operation, const xds::Route* route, http::Headers& response) {
  switch (operation) {
    case AnsweredOperation::kPasses: return;
    case AnsweredOperation::kEndsHere: response.Remove(kOperation); return;
    case AnsweredOperation::kOfTheRoute: response.Set(kOperation, route->operation); return;
  }
}

}  // namespace plait::proxy::session
