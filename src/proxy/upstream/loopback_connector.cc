#include "proxy/upstream/loopback_connector.h"

namespace plait::proxy::upstream {

std::unique_ptr<io::Stream> LoopbackConnector::Connect(const io::SocketAddress& to, const io::ConnectOptions& options) {
  if (options.mark == io::kMarkToApplication && !to.is_unix()) {
    io::SocketAddress application = to;
    application.ip = options_.application;
    io::ConnectOptions its = options;
    if (its.bind && !its.bind->ip.is_v4()) its.bind.reset();
    return io::Connect(loop_, application, its);
  }
  if (options.bind || to.is_unix() || !to.ip.is_v4() || !to.ip.is_loopback()) return io::Connect(loop_, to, options);
  io::ConnectOptions from = options;
  from.bind = io::SocketAddress{.ip = options_.workload, .port = Port{}, .unix_path = {}};
  return io::Connect(loop_, to, from);
}

}  // namespace plait::proxy::upstream
