#pragma once
// A TCP connection that is relayed as it is: authorization, upstream connection, bytes both ways, record at the end.
// Mirrors envoy.filters.network.tcp_proxy behind envoy.filters.network.rbac. One thread; owned through Session.
#include <memory>
#include <string>
#include <vector>

#include "core/xds/network_filters.h"
#include "proxy/filters/rbac/network_rbac.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/session/compilation.h"
#include "proxy/session/context.h"
#include "proxy/session/relay.h"
#include "proxy/session/session.h"
#include "proxy/session/tcp_connect.h"

namespace plait::proxy::record {
class AccessLogs;
}

namespace plait::proxy::session {

// A TCP proxy, compiled; immutable, shared.
struct TcpConfig {
  xds::TcpProxy xds;
  std::shared_ptr<const record::AccessLogs> logs;  // null: none
  std::shared_ptr<const record::TcpStats> stats;
  RelayOptions relay;
};
Outcome<std::shared_ptr<const TcpConfig>> CompileTcp(const xds::TcpProxy& xds, const Compilation& into);
// One of the weighted clusters; `random` decides. Empty when there is none.
std::string ChooseCluster(const std::vector<xds::L4WeightedCluster>& clusters, std::uint64_t random);

using NetworkRbacs = std::vector<std::shared_ptr<const filters::NetworkRbac>>;

class TcpSession final : public Session, private io::StreamEvents {
 public:
  struct Start {
    std::shared_ptr<const TcpConfig> config;
    NetworkRbacs rbac;
    std::string cluster;          // where it goes
    std::string route_name = {};  // %ROUTE_NAME% (L4Routes)
    std::unique_ptr<io::Stream> downstream;
    Buffer from_downstream = {};       // bytes that were read already
    UpstreamConnection upstream = {};  // when it was dialled before the decision (semantics.md 1)
    Buffer from_upstream = {};
  };
  TcpSession(Context& context, Start start, record::ConnectionInfo info, SessionOwner& owner);
  ~TcpSession() override;

  void Drain() override {}  // goes on until it ends by itself
  void Close(std::string_view reason) override;
  const record::ConnectionInfo& info() const noexcept override { return info_; }
  std::string Follow(const Chain& chain) override;

 private:
  enum class State : std::uint8_t {
    kOpening,     // the downstream handshake -> kConnecting, or kDone when it is not allowed
    kConnecting,  // -> kRelaying or kDone
    kRelaying,    // -> kDone
    kDone,
  };
  void OnOpen() override;
  void OnReadable() override {}
  void OnWritable() override {}
  void OnFailed(Error error) override;

  bool Authorize();
  // Why the upstream, whose certificate was accepted when it was connected, would be refused now; empty: it would not.
  std::string DistrustOfUpstream() const;
  void CountBytes();
  void OnConnected(std::expected<UpstreamConnection, Failure> result);
  void BeginRelay();
  void OnRelayEnd(RelayEnd end);
  void ReportProgress();
  void Finish();

  Context& context_;
  std::shared_ptr<const TcpConfig> config_;
  NetworkRbacs rbac_;
  std::string cluster_;
  std::string route_name_;
  record::ConnectionInfo info_;
  SessionOwner& owner_;
  State state_ = State::kOpening;
  record::StreamRecord record_;
  record::TcpProgress progress_;
  record::TcpProgress counted_;  // in the statistics of the TCP proxy
  std::unique_ptr<io::Stream> downstream_;
  Relay::Held held_;
  UpstreamConnection upstream_;
  std::unique_ptr<TcpConnect> connect_;
  std::unique_ptr<Relay> relay_;
  bool judge_upstream_ = false;  // the trust may have changed while it was being connected
  io::Timer report_;
};

}  // namespace plait::proxy::session
