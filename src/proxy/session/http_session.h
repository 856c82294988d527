#pragma once
// One downstream HTTP connection: its codec's driver, its requests, and how it ends (idle, lifetime, drain). Owned by
// the listener's list of connections through Session; one thread.
#include <memory>
#include <string>
#include <vector>

#include "core/conn/connection.h"
#include "proxy/session/connection_stats.h"
#include "proxy/session/context.h"
#include "proxy/session/http_config.h"
#include "proxy/session/session.h"
#include "proxy/session/tcp_session.h"

namespace plait::proxy::session {

class Exchange;

// Where the requests of a connection find their routes when the connection manager does not say.
struct HttpRouting {
  std::string rds_name;                                      // original port (Outbound)
  std::shared_ptr<const route::RouteTable> table = nullptr;  // made for a port (Inbound); wins over rds_name
  // The service that owns the original destination: matched when no virtual host but "*" takes the authority
  // (semantics.md 2). Empty: none.
  std::string destination_hostname = {};
  // Takes such a request before "*" does: the cluster of the workload that was dialled by its own address.
  std::string workload_cluster = {};
  // Takes what nothing else takes: the outbound policy. Empty: 404.
  std::string unknown_cluster = {};
  bool outside = false;  // the destination is not in the mesh: `unknown_cluster` follows the outbound policy
};

class HttpSession final : public Session, private conn::ServerConnectionEvents {
 public:
  HttpSession(Context& context, std::shared_ptr<const HttpConfig> config, std::unique_ptr<io::Stream> stream,
              record::ConnectionInfo info, HttpRouting routing, SessionOwner& owner, NetworkRbacs rbac = {});
  ~HttpSession() override;

  void Drain() override;
  void Close(std::string_view reason) override;
  const record::ConnectionInfo& info() const noexcept override { return info_; }

  Context& context() noexcept { return context_; }
  std::string Follow(const Chain& chain) override;
  // Of the requests that begin now; those that run keep theirs.
  const std::shared_ptr<const HttpConfig>& config() const noexcept { return config_; }
  const HttpRouting& routing() const noexcept { return routing_; }
  // What is counted of the requests that begin on this connection.
  const record::HttpStats& stats() const noexcept { return *begun_under_->stats; }
  // Why the proxy ends the connection; empty: it does not.
  const std::string& closed_because() const noexcept { return closed_because_; }
  // It takes no more requests for that reason, and those that run still have time.
  bool finishing() const noexcept { return finishing_; }
  // A request of this connection ends with it.
  void NoteCutOff() noexcept { cut_off_ = true; }
  // The exchange's stream is over.
  void Remove(Exchange& exchange);
  void DrainIfAsked();
  // A request broke a rule of its protocol: what the codec answered to it. The request's record tells of it, so the
  // connection leaves none of its own.
  http::OwnAnswer TakeBrokenMessage() noexcept {
    broken_message_recorded_ = true;
    return connection_.own_answer();
  }

  // When the first byte of the request came that begins just now.
  MonotonicTime head_began() const noexcept { return connection_.head_began(); }

  struct Routes {
    std::shared_ptr<const route::RouteTable> table;
    std::string missing;  // name of the route configuration to ask for; empty: `table` is all there is
  };
  Routes FindRoutes() const;
  // A table whose only route goes to `cluster`.
  std::shared_ptr<const route::RouteTable> RouteTo(const std::string& cluster);

 private:
  void RecordOwnAnswer(std::string_view details, record::ResponseFlags flags);
  void NoteOpen();
  std::string FollowTrust(const Chain& chain);  // as Follow, for the client's certificate
  void RecordConnection();
  void OnConnectionOpen() override;
  void OnConnectionClosed(const Error& why) override;
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override;
  void OnHeadTimedOut() override;

  Context& context_;
  std::shared_ptr<const HttpConfig> config_;
  const std::shared_ptr<const HttpConfig> begun_under_;  // the codec keeps a reference to its options
  record::ConnectionInfo info_;
  HttpRouting routing_;
  const NetworkRbacs rbac_;  // network filters before the connection manager
  SessionOwner& owner_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::uint32_t requests_ = 0;
  bool broken_message_recorded_ = false;
  bool cut_off_ = false;
  bool finishing_ = false;
  std::string closed_because_;
  ConnectionStats counts_;
  std::shared_ptr<const route::RouteTable> single_route_;
  io::Timer lifetime_;
  conn::ServerConnection connection_;
};

}  // namespace plait::proxy::session
