#include "core/xds/cel_attributes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/base/strings.h"

namespace plait::xds {
namespace {
using Entry = std::pair<std::string_view, std::string_view>;

constexpr auto kAttributes = std::to_array<Entry>({
    {"request.path", "REQ(:PATH)"},
    {"request.url_path", "PATH(NQ:PATH)"},
    {"request.query", "QUERY_PARAMS"},
    {"request.host", "REQ(:AUTHORITY)"},
    {"request.scheme", "REQ(:SCHEME)"},
    {"request.method", "REQ(:METHOD)"},
    {"request.referer", "REQ(REFERER)"},
    {"request.useragent", "REQ(USER-AGENT)"},
    {"request.id", "REQ(X-REQUEST-ID)"},
    {"request.protocol", "PROTOCOL"},
    {"request.size", "BYTES_RECEIVED"},
    {"response.code", "RESPONSE_CODE"},
    {"response.code_details", "RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)"},
    {"response.size", "BYTES_SENT"},
    {"source.address", "DOWNSTREAM_REMOTE_ADDRESS"},
    {"source.port", "DOWNSTREAM_REMOTE_PORT"},
    {"destination.address", "DOWNSTREAM_LOCAL_ADDRESS"},
    {"destination.port", "DOWNSTREAM_LOCAL_PORT"},
    {"connection.id", "CONNECTION_ID"},
    {"connection.requested_server_name", "REQUESTED_SERVER_NAME"},
    {"connection.tls_version", "DOWNSTREAM_TLS_VERSION"},
    {"connection.subject_peer_certificate", "DOWNSTREAM_PEER_SUBJECT"},
    {"connection.uri_san_peer_certificate", "DOWNSTREAM_PEER_URI_SAN"},
    {"connection.dns_san_peer_certificate", "DOWNSTREAM_PEER_DNS_SAN"},
    {"connection.sha256_peer_certificate_digest", "DOWNSTREAM_PEER_FINGERPRINT_256"},
    {"connection.termination_details", "CONNECTION_TERMINATION_DETAILS"},
    {"upstream.address", "UPSTREAM_HOST"},
    {"upstream.port", "UPSTREAM_REMOTE_PORT"},
    {"upstream.local_address", "UPSTREAM_LOCAL_ADDRESS"},
    {"xds.cluster_name", "UPSTREAM_CLUSTER_RAW"},
    {"xds.route_name", "ROUTE_NAME"},
});
// A field of each is written in brackets: request.headers['x-a'].
constexpr auto kFields = std::to_array<Entry>({
    {"request.headers", "REQ"},
    {"response.headers", "RESP"},
    {"response.trailers", "TRAILER"},
});
// Of what this proxy keeps nothing.
constexpr auto kNothing = std::to_array<std::string_view>({
    "metadata",
    "filter_state",
    "upstream_filter_state",
    "xds.cluster_metadata",
    "xds.listener_metadata",
    "xds.route_metadata",
    "xds.upstream_host_metadata",
    "xds.virtual_host_metadata",
});

// The text of "['text']" or "[\"text\"]".
std::optional<std::string_view> Subscript(std::string_view text) {
  if (text.size() < 5 || !text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  const char quote = text[1];
  if ((quote != '\'' && quote != '"') || text[text.size() - 2] != quote) return std::nullopt;
  const std::string_view inner = text.substr(2, text.size() - 4);
  return inner.find_first_of("'\"[]\\") == std::string_view::npos ? std::optional(inner) : std::nullopt;
}

// Names with dots and subscripts, nothing that is computed.
bool IsPath(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-/[]'\"").find(static_cast<char>(c)) != std::string_view::npos;
  });
}
}  // namespace

std::optional<std::string> CommandOfAttribute(std::string_view expression) {
  expression = Trim(expression);
  if (const auto at = std::ranges::find(kAttributes, expression, &Entry::first); at != kAttributes.end())
    return std::string(at->second);
  for (const auto& [attribute, command] : kFields) {
    if (!expression.starts_with(attribute)) continue;
    if (const auto name = Subscript(expression.substr(attribute.size())))
      return std::string(command) + "(" + std::string(*name) + ")";
  }
  const auto of = [&](std::string_view attribute) {
    const std::string_view rest = expression.substr(std::min(attribute.size(), expression.size()));
    return expression.starts_with(attribute) && (rest.empty() || rest.starts_with('.') || rest.starts_with('['));
  };
  if (IsPath(expression) && std::ranges::any_of(kNothing, of)) return "UPSTREAM_METADATA(none)";
  return std::nullopt;
}

}  // namespace plait::xds
