#pragma once
// Connects to what lies in the proxy's own network itself, and asks a dial helper for everything else: the workload of
// a local mesh has no way out but this one (semantics.md 8, "Outside world"). Policy was applied before: whoever dials
// has been routed to a cluster that the configuration allows. One a worker, on its loop thread.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/passed_socket.h"
#include "proxy/upstream/connector.h"

namespace plait::proxy::upstream {

struct DialHelperOptions {
  std::string path;              // of the helper's SEQPACKET socket; empty: there is no helper
  std::vector<io::Cidr> inside;  // reached without it
  bool loopback_is_inside = true;
};

class HelperConnector final : public Connector, private io::FdEvents {
 public:
  // The helper is connected to when it is first needed, and again after it went away.
  HelperConnector(io::Loop& loop, DialHelperOptions options) : loop_(loop), options_(std::move(options)) {}
  ~HelperConnector() override;
  // Sockets to the outside have no source address or mark of ours. Failure to reach the helper: connection refused.
  std::unique_ptr<io::Stream> Connect(const io::SocketAddress& to, const io::ConnectOptions& options) override;

 private:
  class PassedStream;
  void OnFdReady(std::uint32_t events) override;
  bool IsInside(const io::SocketAddress& to, const io::ConnectOptions& options) const noexcept;
  // False when there is no helper.
  bool Reach();
  void OnAnswer(io::FdMessage message);
  // Its socket was lost: this process has no descriptor left.
  void OnLostSocket(const std::string& answer);
  void Lose();  // the helper's socket; what waits for it fails

  io::Loop& loop_;
  const DialHelperOptions options_;
  io::UniqueFd helper_;
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, PassedStream*> waiting_;
};

}  // namespace plait::proxy::upstream
