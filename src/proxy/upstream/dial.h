#pragma once
// How to reach one upstream host: addresses, source, mark, time limit, and what secures the bytes. A value; pools and
// TCP sessions each keep one. Made from a cluster and a host by upstream/transport.h.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/io/loop.h"
#include "core/io/socket.h"
#include "core/io/stream.h"
#include "proxy/upstream/connector.h"

namespace plait::proxy::upstream {

// Wraps a connecting stream, e.g. in TLS with the names and the identity of one host. Null: plaintext.
using Secure = std::function<std::unique_ptr<io::Stream>(io::Loop&, std::unique_ptr<io::Stream>)>;

// A host of two families is dialled at one of them, and once more at the other where nobody listens at the first (a
// proxy has accepted in the place of its application: clients cannot fall back any more). The host remembers which one
// took the last connection (Host::begins_at_other).
struct Dial {
  struct Place {
    io::SocketAddress address;
    std::optional<io::SocketAddress> bind;
  };
  io::SocketAddress address;
  std::optional<io::SocketAddress> bind;
  std::optional<Place> other;
  std::uint32_t mark = 0;
  Duration connect_timeout = std::chrono::seconds(5);  // TCP and TLS handshake together, as Envoy's
  std::optional<io::KeepAlive> keep_alive;
  Secure secure;
};

// Starts to connect; the stream tells OnOpen when the handshake is done. The caller watches `connect_timeout`.
// `at_other`: at dial.other, which is there.
std::unique_ptr<io::Stream> Open(Connector& connector, io::Loop& loop, const Dial& dial, bool at_other = false);
// Nobody listens there; not a byte was sent.
bool IsRefused(const Error& error);

// The reason of a failed connection as Envoy's %UPSTREAM_TRANSPORT_FAILURE_REASON% gives it.
std::string TransportFailure(const io::Stream& stream, const Error& error);

}  // namespace plait::proxy::upstream
