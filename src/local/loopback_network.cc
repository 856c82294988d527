#include "local/loopback_network.h"

#include <set>

#include "core/base/proxy_ports.h"
#include "core/io/socket.h"

namespace plait::local {
namespace {

constexpr std::uint32_t kPods = 0x7f001001;        // 127.0.16.1: hosts have names below that (Debian: 127.0.1.1)
constexpr std::uint32_t kApplications = 1U << 16;  // from a pod's address to its application's
constexpr std::uint16_t kMaxPods = 0xefff;
constexpr std::uint32_t kOutlets = 0x7f800000;  // 127.128.0.0/9
constexpr std::uint32_t kMaxOutlets = 0x7fffff;
constexpr int kOutletTries = 4;  // more would not help: somebody listens on the port at every address

io::SocketAddress At(io::IpAddress ip, Port port) { return {.ip = ip, .port = port, .unix_path = {}}; }

// The destination that a connection to the socket had without capture; Sockets of plait-proxy reads it.
std::string CapturedName(const char* capture_port, const io::SocketAddress& destination) {
  return std::string(capture_port) + "@" + destination.ip.ToString() + "@" + std::to_string(destination.port.value);
}

}  // namespace

io::SocketAddress LoopbackNetwork::ControlAddress() const { return At(io::IpAddress::V4(0x7f000001), Port{}); }

Outcome<PodNetwork> LoopbackNetwork::Add(const Wanted& wanted) {
  if (wanted.own_sockets)
    return Explain(Errc::kInvalidInput,
                   "plait.dev/proxy: envoy needs a network of its own, which loopback mode has not",
                   "leave the annotation out, or use another mode (plait up --net)");
  PodNetwork pod;
  Outcome<> done = TakeAddress(pod, wanted);
  if (done && wanted.rules) done = OpenInbound(pod, wanted);
  if (done && wanted.rules) done = OpenOutlets(pod);
  if (done) return pod;
  Remove(pod);
  return std::unexpected(done.error());
}

// The first address of which the proxy's ports are free. Without a proxy nothing is opened: the application's own
// socket is the first, so an address is only not given twice.
Outcome<> LoopbackNetwork::TakeAddress(PodNetwork& pod, const Wanted& wanted) {
  for (int tries = 0; tries < kMaxPods; ++tries) {
    last_number_ = static_cast<std::uint16_t>(last_number_ % kMaxPods + 1);
    if (in_use_[last_number_]) continue;
    const io::IpAddress ip = io::IpAddress::V4(kPods + last_number_);
    std::vector<node::NamedSocket> sockets;
    std::vector<Port> ports;
    if (wanted.proxy_sockets) {
      ports.push_back(proxy_ports::kAdmin);
      ports.insert(ports.end(), proxy_ports::kOpen.begin(), proxy_ports::kOpen.end());
    }
    if (wanted.rules) ports.insert(ports.end(), proxy_ports::kCapture.begin(), proxy_ports::kCapture.end());
    for (const Port port : ports)
      if (Outcome<io::UniqueFd> fd = io::ListenOn(At(ip, port)))
        sockets.push_back({std::to_string(port.value), std::move(*fd)});
    if (sockets.size() != ports.size()) continue;  // another mesh has it
    pod.number = last_number_;
    pod.ips = {ip};
    pod.application = wanted.rules ? io::IpAddress::V4(kPods + kApplications + last_number_) : ip;
    pod.sockets = std::move(sockets);
    in_use_[pod.number] = true;
    return {};
  }
  return Explain(Errc::kLimit, "no loopback address is free for a further workload",
                 "does a program listen on port 15000, 15001, 15006, 15020, 15021 or 15090 at every address? ss -ltn");
}

Outcome<> LoopbackNetwork::OpenInbound(PodNetwork& pod, const Wanted& wanted) {
  std::set<Port> ports(wanted.ports.begin(), wanted.ports.end());  // containers may name one twice, for TCP and UDP
  for (const Port port : ports) {
    const io::SocketAddress at = At(pod.ips.front(), port);
    Outcome<io::UniqueFd> fd = io::ListenOn(at);
    if (!fd)
      return Explain(Errc::kUnavailable, "cannot listen for the workload: " + fd.error().message,
                     "another program of this host listens on port " + std::to_string(port.value) +
                         " at every address, or the port is below 1024: choose another containerPort");
    pod.sockets.push_back({CapturedName("15006", at), std::move(*fd)});
  }
  return {};
}

Outcome<> LoopbackNetwork::OpenOutlets(PodNetwork& pod) {
  for (const MeshHost& host : hosts_)
    if (Outcome<> done = OpenOutlet(pod, host); !done) return done;
  return {};
}

// All ports of the service at one address, as far as this host lets us; a port that it does not is replaced by a free
// one (ports below 1024; a program that listens at every address).
Outcome<> LoopbackNetwork::OpenOutlet(PodNetwork& pod, const MeshHost& host) {
  for (int tries = 0;; ++tries) {
    last_outlet_ = last_outlet_ % kMaxOutlets + 1;
    const io::IpAddress ip = io::IpAddress::V4(kOutlets + last_outlet_);
    std::vector<node::NamedSocket> sockets;
    std::vector<Outlet> outlets;
    for (const auto& [port_name, port] : host.ports) {
      Outcome<io::UniqueFd> fd = io::ListenOn(At(ip, port));
      if (!fd && tries >= kOutletTries) fd = io::ListenOn(At(ip, Port{}));
      if (!fd && tries > kOutletTries) return std::unexpected(fd.error());
      if (!fd) break;
      outlets.push_back({.name = host.name,
                         .ns = host.ns,
                         .kubernetes = host.kubernetes,
                         .port_name = port_name,
                         .port = port,
                         .at = io::LocalAddress(fd->get())});
      sockets.push_back({CapturedName("15001", At(host.vip, port)), std::move(*fd)});
    }
    if (sockets.size() != host.ports.size()) continue;
    pod.sockets.insert(pod.sockets.end(), std::make_move_iterator(sockets.begin()),
                       std::make_move_iterator(sockets.end()));
    pod.outlets.insert(pod.outlets.end(), outlets.begin(), outlets.end());
    return {};
  }
}

void LoopbackNetwork::Remove(PodNetwork& pod) {
  if (!pod.exists()) return;
  in_use_[pod.number] = false;
  pod = PodNetwork{};
}

}  // namespace plait::local
