#pragma once
// Addresses of services for what no proxy sees (local-network.md 10): nftables rules that turn a ClusterIP and port
// into one of its endpoints at random, in the workload's own network namespace, and refuse at once what has none. Pure
// text; who loads it knows what is loaded and asks for the difference.
#include <map>
#include <string>
#include <vector>

#include "core/io/address.h"

namespace plait::node {

// One port of a service at one of its addresses.
struct ServicePort {
  io::SocketAddress at;
  bool udp = false;
  std::vector<io::SocketAddress> endpoints;  // of the family of `at`; empty: connections are refused
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

// What the maps of a namespace hold: map and key -> value, as nftables writes them.
using ServiceElements = std::map<std::pair<std::string, std::string>, std::string>;

// Each port has 12 slots, filled round robin: up to 12 endpoints get a share (a port with more uses the first 12).
ServiceElements ElementsOf(const std::vector<ServicePort>& ports);

// The table `inet plait_services`, empty, for a namespace that has none. `ranges`: where services have their
// addresses; what no element takes is refused there. Beside capture rules it gets what these leave to the application,
// and never what a proxy sends.
std::string ServiceTable(const std::vector<io::Cidr>& ranges);

// The transactions that turn `from` into `to`, in order; each is small enough for the kernel, and all slots of a port
// change in one of them, so that no connection meets a port half changed.
std::vector<std::string> ServiceChanges(const ServiceElements& from, const ServiceElements& to);

}  // namespace plait::node
