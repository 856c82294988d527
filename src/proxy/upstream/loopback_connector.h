#pragma once
// Connects on a host whose workloads share its loopback (`plait up --net loopback`): the workload's address is the
// proxy's own, so what is for the application goes to the application's address, and what is for others comes from the
// workload's, by which they know it. One a worker, on its loop thread.
#include "core/io/loop.h"
#include "proxy/upstream/connector.h"

namespace plait::proxy::upstream {

struct LoopbackOptions {
  io::IpAddress workload;     // unspecified: workloads have networks of their own
  io::IpAddress application;  // of the same workload
};

class LoopbackConnector final : public Connector {
 public:
  LoopbackConnector(io::Loop& loop, LoopbackOptions options) noexcept : loop_(loop), options_(options) {}
  std::unique_ptr<io::Stream> Connect(const io::SocketAddress& to, const io::ConnectOptions& options) override;

 private:
  io::Loop& loop_;
  const LoopbackOptions options_;
};

}  // namespace plait::proxy::upstream
