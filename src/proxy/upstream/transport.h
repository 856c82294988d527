#pragma once
// What it takes to reach a host of a cluster: TLS or plaintext by the cluster's transport sockets and the host's
// metadata, server name, ALPN, and the identity that the host must prove. One a worker; the TLS contexts below are the
// process's.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/conn/connection.h"
#include "proxy/cluster/cluster.h"
#include "proxy/upstream/dial.h"

namespace plait::proxy::upstream {

// What will be spoken on the connection; decides the ALPN that is offered in the mesh (istio-http/1.1, istio-h2,
// istio).
enum class Application : std::uint8_t { kTcp, kHttp1, kHttp2 };

// Makes streams secure; implemented over core/tls by worker/upstream_tls.h.
class TlsContexts {
 public:
  virtual ~TlsContexts() = default;
  struct Request {
    const xds::UpstreamTlsContext& config;
    std::string sni;
    std::vector<std::string> alpn;  // empty: none is offered
    std::string identity;           // must be proven exactly; empty: the SAN list of the configuration decides
    std::string name{};             // a DNS or IP SAN that must be there instead of that list; empty: the list
  };
  // kUnavailable while a certificate or the roots it needs are not there: the connection must not be made.
  virtual Result<Secure> SecureFor(const std::shared_ptr<const xds::Cluster>& cluster, const Request& request) = 0;

  // What becomes of a connection that SecureFor has secured, now that the secrets or the cluster have changed.
  struct Standing {
    std::string refusal = {};  // why a new handshake with this peer would fail; empty: it would not
    Duration last_requests = std::chrono::seconds(5);  // then: how long the requests that run may take
    bool is_under_other_root = false;  // our own certificate has another root now; the peer may soon trust no other
  };
  using Judge = std::function<Standing(const io::Stream&)>;
  // Of all connections to one host. Null: they stay as they are.
  virtual Judge JudgeFor(const cluster::Cluster& /*cluster*/, const cluster::Host& /*host*/) { return nullptr; }
};

struct DialRequest {
  const cluster::Cluster& cluster;
  const cluster::Host& host;
  Application application = Application::kTcp;
  std::string_view server_name = {};                    // for auto_sni: ServerNameOf the request
  const io::SocketAddress* downstream_local = nullptr;  // original destination; the source family of bind addresses
};

// What auto_sni takes the server name from: the header that the cluster names, else the authority.
std::string ServerNameOf(const xds::Cluster& cluster, const http::RequestHead& head);
// upstream_connection_options.tcp_keepalive, with the kernel's defaults for what it leaves out; nullopt: off.
std::optional<io::KeepAlive> KeepAliveOf(const xds::Cluster& cluster);
// True when the cluster delivers to the own application (binds 127.0.0.6, semantics.md 8): such sockets carry mark
// 0x539.
bool IsToApplication(const xds::Cluster& cluster) noexcept;
// The application protocol that requests to the cluster use, given what the client spoke.
Application ApplicationFor(const xds::Cluster& cluster, http::Version downstream) noexcept;
// What TLS with that host goes by; both may be empty.
struct TlsNames {
  std::string sni;
  std::string expected;  // that the certificate must have, in place of the configuration's list
};
TlsNames TlsNamesFor(const xds::UpstreamTlsContext& tls, const DialRequest& request);
Result<Dial> MakeDial(TlsContexts& contexts, const DialRequest& request);

}  // namespace plait::proxy::upstream
