#include "node/capture_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "core/base/proxy_ports.h"

namespace plait::node {
namespace {

struct SocketPlan {
  std::string name;
  std::string address;
  int type;
};

constexpr int kBacklog = 4096;

std::vector<SocketPlan> PlansFor(const ProxySockets& wanted) {
  std::vector<SocketPlan> plans;
  const auto everywhere = [&plans](const auto& ports) {
    for (const Port port : ports) {
      const std::string name = std::to_string(port.value);
      plans.push_back({name, "[::]:" + name, SOCK_STREAM});
    }
  };
  if (!wanted.dns_alone) {
    plans = {{"15000", "127.0.0.1:15000", SOCK_STREAM}};
    everywhere(proxy_ports::kOpen);
    if (wanted.capture) everywhere(proxy_ports::kCapture);
  }
  // UDP needs one socket an address: a wildcard one would answer from the pod's address, which clients drop.
  std::vector<std::string> dns;
  for (const io::IpAddress& ip : wanted.dns_at)
    dns.push_back(io::SocketAddress{.ip = ip, .port = proxy_ports::kDnsQuestions, .unix_path = {}}.ToString());
  if (wanted.capture && dns.empty()) dns = {"127.0.0.1:15053", "[::1]:15053"};
  for (const std::string& address : dns) {
    const std::string family = address.starts_with('[') ? "6" : "4";
    plans.push_back({"15053-udp" + family, address, SOCK_DGRAM});
    plans.push_back({"15053-tcp" + family, address, SOCK_STREAM});
  }
  return plans;
}

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
  if (!done) return Explain(Errc::kUnavailable, "cannot open " + plan.address + " for a proxy: " + strerror(errno));
  return NamedSocket{plan.name, std::move(fd)};
}

}  // namespace

Outcome<std::vector<NamedSocket>> OpenProxySockets(const ProxySockets& wanted) {
  std::vector<NamedSocket> out;
  for (const SocketPlan& plan : PlansFor(wanted)) {
    Outcome<NamedSocket> opened = Open(plan);
    if (!opened) return std::unexpected(opened.error());
    out.push_back(std::move(*opened));
  }
  return out;
}

}  // namespace plait::node
