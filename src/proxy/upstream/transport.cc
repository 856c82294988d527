#include "proxy/upstream/transport.h"

#include <algorithm>

namespace plait::proxy::upstream {
namespace {

// The source address for this family; nullopt: the kernel chooses.
std::optional<io::SocketAddress> BindAddressFor(const xds::Cluster& cluster, const io::SocketAddress& to) {
  if (!cluster.bind_address || to.is_unix()) return std::nullopt;
  if (cluster.bind_address->ip.is_v4() == to.ip.is_v4()) return cluster.bind_address;
  for (const io::SocketAddress& extra : cluster.extra_bind_addresses) {
    if (extra.ip.is_v4() == to.ip.is_v4()) return extra;
  }
  return std::nullopt;
}

bool IsMeshAlpn(const std::string& name) { return name == "istio" || name.starts_with("istio-"); }

// In the mesh the ALPN tells the far side what is inside; elsewhere it is what the configuration says, or what we
// speak.
std::vector<std::string> AlpnFor(const xds::UpstreamTlsContext& tls, Application application) {
  const std::vector<std::string>& configured = tls.common.alpn_protocols;
  const bool mesh = std::any_of(configured.begin(), configured.end(), IsMeshAlpn);
  switch (application) {
    case Application::kHttp1:
      return mesh ? std::vector<std::string>{"istio-http/1.1", "istio", "http/1.1"} : configured;
    case Application::kHttp2:
      if (mesh) return {"istio-h2", "istio", "h2"};
      return configured.empty() ? std::vector<std::string>{"h2"} : configured;
    case Application::kTcp: break;
  }
  return mesh ? std::vector<std::string>{"istio"} : configured;
}

// IP addresses are no server names (RFC 6066 3), but may be expected in a certificate.
std::string SniFor(const xds::Cluster& cluster, const xds::UpstreamTlsContext& tls, const DialRequest& request) {
  if (cluster.http.auto_sni && !request.server_name.empty()) {
    return io::IpAddress::Parse(request.server_name) ? std::string() : std::string(request.server_name);
  }
  if (tls.auto_host_sni && !request.host.facts().hostname.empty()) return request.host.facts().hostname;
  return tls.sni;
}

std::string ExpectedNameFor(const xds::Cluster& cluster, const xds::UpstreamTlsContext& tls, const DialRequest& request,
                            const std::string& sni) {
  if (tls.auto_sni_san_validation) return sni;
  return cluster.http.auto_san_validation ? std::string(request.server_name) : std::string();
}

}  // namespace

TlsNames TlsNamesFor(const xds::UpstreamTlsContext& tls, const DialRequest& request) {
  const xds::Cluster& config = *request.cluster.config;
  TlsNames names{.sni = SniFor(config, tls, request), .expected = {}};
  names.expected = ExpectedNameFor(config, tls, request, names.sni);
  return names;
}

std::optional<io::KeepAlive> KeepAliveOf(const xds::Cluster& cluster) {
  if (!cluster.tcp_keep_alive) return std::nullopt;
  io::KeepAlive keep_alive;
  if (cluster.tcp_keep_alive->time_s) keep_alive.idle = std::chrono::seconds(*cluster.tcp_keep_alive->time_s);
  if (cluster.tcp_keep_alive->interval_s)
    keep_alive.interval = std::chrono::seconds(*cluster.tcp_keep_alive->interval_s);
  if (cluster.tcp_keep_alive->probes) keep_alive.probes = *cluster.tcp_keep_alive->probes;
  return keep_alive;
}

std::string ServerNameOf(const xds::Cluster& cluster, const http::RequestHead& head) {
  if (!cluster.http.auto_sni) return {};
  std::string_view name = head.authority;
  if (const std::string& header = cluster.http.override_auto_sni_header; !header.empty()) {
    if (const auto value = head.headers.Get(header); value && !value->empty()) name = *value;
  }
  name = http::HostOnly(name);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return std::string(name);
}

bool IsToApplication(const xds::Cluster& cluster) noexcept {
  return cluster.bind_address &&
         (cluster.bind_address->ip == io::IpAddress::V4(0x7f000006) || cluster.bind_address->ip.ToString() == "::6");
}

Application ApplicationFor(const xds::Cluster& cluster, http::Version downstream) noexcept {
  switch (cluster.http.protocol) {
    case xds::UpstreamHttpOptions::Protocol::kHttp1: return Application::kHttp1;
    case xds::UpstreamHttpOptions::Protocol::kHttp2:
    case xds::UpstreamHttpOptions::Protocol::kAutoByAlpn: return Application::kHttp2;
    case xds::UpstreamHttpOptions::Protocol::kUseDownstream: break;
  }
  return downstream == http::Version::kHttp2 ? Application::kHttp2 : Application::kHttp1;
}

Result<Dial> MakeDial(TlsContexts& contexts, const DialRequest& request) {
  const xds::Cluster& config = *request.cluster.config;
  Dial dial;
  dial.address = request.host.address();
  dial.bind = BindAddressFor(config, dial.address);
  if (const io::SocketAddress* other = request.host.other())
    dial.other = {.address = *other, .bind = BindAddressFor(config, *other)};
  dial.mark = IsToApplication(config) ? io::kMarkToApplication : io::kMarkOutbound;
  dial.connect_timeout = config.connect_timeout;
  dial.keep_alive = KeepAliveOf(config);
  const xds::UpstreamTlsContext* tls = request.cluster.TlsFor(request.host);
  if (tls == nullptr) return dial;
  std::vector<std::string> alpn = AlpnFor(*tls, request.application);
  if (config.http.protocol == xds::UpstreamHttpOptions::Protocol::kAutoByAlpn &&
      request.application != Application::kTcp && tls->common.alpn_protocols.empty()) {
    alpn = {"h2", "http/1.1"};
  }
  TlsNames names = TlsNamesFor(*tls, request);
  Result<Secure> secure = contexts.SecureFor(request.cluster.config, {.config = *tls,
                                                                      .sni = std::move(names.sni),
                                                                      .alpn = std::move(alpn),
                                                                      .identity = request.host.facts().identity,
                                                                      .name = std::move(names.expected)});
  if (!secure) return std::unexpected(secure.error());
  dial.secure = std::move(*secure);
  return dial;
}

}  // namespace plait::proxy::upstream
