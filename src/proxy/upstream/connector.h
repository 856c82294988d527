#pragma once
// Who opens the connections to upstream hosts: this process itself, or, where its network namespace has no way out, a
// process outside (helper_connector.h). One a worker, on its loop thread.
#include <memory>

#include "core/io/socket.h"

namespace plait::proxy::upstream {

class Connector {
 public:
  virtual ~Connector() = default;
  // As io::Connect: failure, also an immediate one, is told by OnFailed in a later round.
  virtual std::unique_ptr<io::Stream> Connect(const io::SocketAddress& to, const io::ConnectOptions& options) = 0;
};

class DirectConnector final : public Connector {
 public:
  explicit DirectConnector(io::Loop& loop) noexcept : loop_(loop) {}
  std::unique_ptr<io::Stream> Connect(const io::SocketAddress& to, const io::ConnectOptions& options) override {
    return io::Connect(loop_, to, options);
  }

 private:
  io::Loop& loop_;
};

}  // namespace plait::proxy::upstream
