#pragma once
// A filter chain, compiled: TLS, authorization, and the terminal filter with what it needs. Immutable; made on the main
// thread, shared by workers and kept alive by the sessions that began under it.
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "core/base/result.h"
#include "core/tls/stream.h"
#include "core/xds/listener.h"
#include "proxy/session/http_config.h"
#include "proxy/session/tcp_session.h"

namespace plait::proxy::session {

// Outbound and Inbound of the Plait form, compiled.
struct OutboundConfig {
  xds::Outbound xds;
  std::shared_ptr<const HttpConfig> http;
  std::shared_ptr<const TcpConfig> tcp;
};
struct InboundConfig {
  xds::Inbound xds;
  std::shared_ptr<const HttpConfig> http;
  std::shared_ptr<const TcpConfig> tcp;
  NetworkRbacs rbac;
  std::map<std::uint16_t, std::shared_ptr<const route::RouteTable>> routes;  // of the listed ports
  // The port's settings; `other` for ports that are not listed.
  const xds::InboundPort& PortFor(std::uint16_t port) const noexcept;
};

struct Chain {
  std::string name;
  std::optional<xds::DownstreamTlsContext> tls;
  Duration handshake_timeout{0};  // 0: the default of TLS streams
  NetworkRbacs rbac;
  bool sni_cluster = false;  // the server name is the cluster (SNI-DNAT of east-west gateways)
  std::variant<std::shared_ptr<const HttpConfig>, std::shared_ptr<const TcpConfig>,
               std::shared_ptr<const OutboundConfig>, std::shared_ptr<const InboundConfig>>
      terminal;
};
using ChainPtr = std::shared_ptr<const Chain>;

// Errors name the filter. A chain without a terminal filter, or with filters behind it, is refused.
Outcome<ChainPtr> CompileChain(const xds::FilterChain& chain, const Compilation& into);

// Why a connection that is established must not go on under this chain: plaintext, or TLS of the application's own, on
// a port that has become STRICT. Empty: it may.
std::string ForbiddenBy(const Chain& chain, const record::ConnectionInfo& connection);
// The same for its authorization. `opening`: a handshake may still run. Where the chain asks for one, the connection
// may go on so far: who it is will be known then, and the owner looks again (SessionOwner::Refuse).
std::string DeniedBy(const Chain& chain, const record::ConnectionInfo& connection, bool opening);
// The same for who is on the other end of an open connection: the certificate that its handshake has accepted would be
// refused now, for its root has gone, it was revoked, or its trust domain is no alias any more. That it has expired
// since counts for nothing. While `contexts` lack a secret: it may go on.
tls::Refusal DistrustedBy(const Chain& chain, const io::Stream& stream, DownstreamTls& contexts);
// "<what>{<reason>}", as access logs write it: without spaces.
std::string Distrust(std::string_view what, std::string reason);
// Routes of a port of the application, as Inbound wants them.
std::shared_ptr<const route::RouteTable> InboundRoutes(const InboundConfig& config, std::uint16_t port);

// Names of route configurations that must be there before the chain may be used; nothing for the Plait forms, whose
// routes come on demand.
std::vector<std::string> NeededRoutes(const Chain& chain);
// Names of secrets that TLS of the chain needs.
std::vector<std::string> NeededSecrets(const Chain& chain);
// Names of clusters that the Plait forms name themselves, the own application's and that of the outbound policy: asked
// for before the first connection needs them, which may come when the control plane is away.
std::vector<std::string> NamedClusters(const Chain& chain);

}  // namespace plait::proxy::session
