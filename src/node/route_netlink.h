#pragma once
// Changes of links, addresses, routes and neighbours by rtnetlink (rtnetlink(7)), sent as one batch: a workload's
// network is two of them. A socket acts on the namespace in which it was opened, wherever its thread is later.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"

namespace plait::node {

using MacAddress = std::array<std::uint8_t, 6>;

// A list of changes; each is described by a text for error messages.
class RouteBatch {
 public:
  struct Veth {
    std::string name;  // this end, in the socket's namespace
    MacAddress mac{};
    std::string peer_name;  // the other end
    MacAddress peer_mac{};
    int peer_netns = -1;    // where the other end goes
    int master = 0;         // interface index of a bridge this end joins; 0: none
    std::uint32_t mtu = 0;  // of both ends; 0: default
  };
  // Both ends are made down: IFF_UP on the peer at creation is ENOTCONN.
  RouteBatch& AddVeth(const Veth& veth);
  // No spanning tree, no forward delay, no multicast snooping: a bridge of virtual links only.
  RouteBatch& AddBridge(std::string_view name, const MacAddress& mac, std::uint32_t mtu);
  RouteBatch& LinkUp(std::string_view name);
  RouteBatch& DeleteLink(std::string_view name);
  // Without duplicate address detection for IPv6: bind would fail for seconds.
  RouteBatch& AddAddress(int interface, const io::IpAddress& ip, std::uint8_t prefix_length);
  // `via` unset: the destination is on the link.
  RouteBatch& AddRoute(const io::Cidr& to, int interface, const io::IpAddress* via);
  // In the place of the route to there: who sends is told at once that there is no way.
  RouteBatch& AddUnreachable(const io::Cidr& to);
  RouteBatch& AddPermanentNeighbour(int interface, const io::IpAddress& ip, const MacAddress& mac);
  RouteBatch& DeleteNeighbour(int interface, const io::IpAddress& ip);

 private:
  friend class RouteSocket;
  struct Message;
  std::vector<std::vector<std::uint8_t>> messages_;
  std::vector<std::string> what_;
};

class RouteSocket {
 public:
  // In the calling thread's network namespace.
  static Outcome<RouteSocket> Open();
  // Sends all and waits for all answers. The first refused change is the error; the others are done all the same.
  Outcome<> Apply(const RouteBatch& batch);
  // Interface index by name in this socket's namespace. Errors: kNotFound.
  Outcome<int> IndexOf(std::string_view name);

 private:
  explicit RouteSocket(io::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  io::UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace plait::node
