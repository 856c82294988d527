#include "node/capture_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "core/io/address.h"

namespace plait::node {
namespace {

struct SocketPlan {
  const char* name;
  const char* address;
  int type;
};

constexpr int kBacklog = 4096;

// UDP needs one socket an address: a wildcard one would answer from the pod's address, which clients drop.
constexpr SocketPlan kCapture[] = {
    {"15001", "[::]:15001", SOCK_STREAM},           {"15006", "[::]:15006", SOCK_STREAM},
    {"15053-udp4", "127.0.0.1:15053", SOCK_DGRAM},  {"15053-udp6", "[::1]:15053", SOCK_DGRAM},
    {"15053-tcp4", "127.0.0.1:15053", SOCK_STREAM}, {"15053-tcp6", "[::1]:15053", SOCK_STREAM},
};
constexpr SocketPlan kAlways[] = {
    {"15000", "127.0.0.1:15000", SOCK_STREAM},
    {"15020", "[::]:15020", SOCK_STREAM},
    {"15021", "[::]:15021", SOCK_STREAM},
    {"15090", "[::]:15090", SOCK_STREAM},
};

Outcome<NamedSocket> Open(const SocketPlan& plan) {
  const Result<io::SocketAddress> address = io::SocketAddress::Parse(plan.address);
  sockaddr_storage native{};
  const socklen_t length = address->ToNative(native);
  io::UniqueFd fd(socket(native.ss_family, plan.type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int zero = 0;
  const bool done =
      fd &&
      (native.ss_family != AF_INET6 || setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) == 0) &&
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&native), length) == 0 &&
      (plan.type != SOCK_STREAM || listen(fd.get(), kBacklog) == 0);
  if (!done)
    return Explain(Errc::kUnavailable, std::string("cannot open ") + plan.address + " for a proxy: " + strerror(errno));
  return NamedSocket{plan.name, std::move(fd)};
}

}  // namespace

Outcome<std::vector<NamedSocket>> OpenProxySockets(bool capture) {
  std::vector<NamedSocket> out;
  const auto add = [&out](std::span<const SocketPlan> plans) -> Outcome<> {
    for (const SocketPlan& plan : plans) {
      Outcome<NamedSocket> opened = Open(plan);
      if (!opened) return std::unexpected(opened.error());
      out.push_back(std::move(*opened));
    }
    return {};
  };
  if (capture)
    if (Outcome<> done = add(kCapture); !done) return std::unexpected(done.error());
  if (Outcome<> done = add(kAlways); !done) return std::unexpected(done.error());
  return out;
}

}  // namespace plait::node
