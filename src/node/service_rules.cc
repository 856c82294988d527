#include "node/service_rules.h"

#include "core/base/strings.h"

namespace plait::node {
namespace {

constexpr std::size_t kSlots = 12;
// Elements of a transaction: the kernel takes about 208 KB of netlink messages, some 2,000 elements.
constexpr std::size_t kMostElements = 1200;

std::string MapOf(const ServicePort& port) {
  return (port.udp ? "udp" : "tcp") + std::string(port.at.ip.is_v4() ? "4" : "6");
}

std::string KeyOf(const io::SocketAddress& address) {
  return address.ip.ToString() + " . " + std::to_string(address.port.value);
}

// "10.96.1.1 . 80 . 3" -> "10.96.1.1 . 80"
std::string PortOf(const std::string& key) { return key.substr(0, key.rfind(" . ")); }

struct Change {
  std::vector<std::string> removed;
  std::vector<std::string> added;
};

std::string Command(const char* verb, const std::string& map, const std::vector<std::string>& elements) {
  if (elements.empty()) return "";
  std::string out = std::string(verb) + " element inet plait_services " + map + " { ";
  for (std::size_t i = 0; i < elements.size(); ++i) out += (i == 0 ? "" : ", ") + elements[i];
  return out + " }\n";
}

}  // namespace

ServiceElements ElementsOf(const std::vector<ServicePort>& ports) {
  ServiceElements out;
  for (const ServicePort& port : ports) {
    if (port.endpoints.empty()) continue;
    const std::string map = MapOf(port);
    for (std::size_t slot = 0; slot < kSlots; ++slot)
      out[{map, KeyOf(port.at) + " . " + std::to_string(slot)}] = KeyOf(port.endpoints[slot % port.endpoints.size()]);
  }
  return out;
}

std::string ServiceTable(const std::vector<io::Cidr>& ranges) {
  std::string maps;
  std::string rules;
  for (const std::string ip : {"ip", "ip6"}) {
    for (const std::string protocol : {"tcp", "udp"}) {
      const std::string name = protocol + (ip == "ip" ? "4" : "6");
      const std::string to = Join({ip, "daddr .", protocol, "dport"}, " ");
      const std::string key = Join({to, ". numgen random mod", std::to_string(kSlots)}, " ");
      maps += Join({"  map", name, "{ typeof", key, ":", to + "; }\n"}, " ");
      rules += Join({"    dnat", ip, "to", key, "map", "@" + name + "\n"}, " ");
    }
  }
  std::string refused;
  for (const io::Cidr& range : ranges)
    for (const std::string what : {"tcp reject with tcp reset", "udp reject"})
      refused += Join({"    ct state new", range.base.is_v4() ? "ip" : "ip6", "daddr", range.ToString(), "meta l4proto",
                       what + "\n"},
                      " ");
  // After the rules of capture, whose translation is the only one then.
  return "table inet plait_services {\n" + maps +
         "  chain output { type nat hook output priority -90;\n    meta mark { 0x539, 0x53a } accept\n" + rules +
         "  }\n  chain refuse { type filter hook output priority 0;\n" + refused + "  }\n}\n";
}

std::vector<std::string> ServiceChanges(const ServiceElements& from, const ServiceElements& to) {
  std::map<std::pair<std::string, std::string>, Change> changes;  // by map and port
  for (const auto& [element, value] : from) {
    const auto kept = to.find(element);
    if (kept == to.end() || kept->second != value)
      changes[{element.first, PortOf(element.second)}].removed.push_back(element.second);
  }
  for (const auto& [element, value] : to) {
    const auto had = from.find(element);
    if (had == from.end() || had->second != value)
      changes[{element.first, PortOf(element.second)}].added.push_back(element.second + " : " + value);
  }
  std::vector<std::string> out;
  std::size_t size = kMostElements;
  for (const auto& [port, change] : changes) {
    const std::size_t more = change.removed.size() + change.added.size();
    if (size + more > kMostElements) {
      out.emplace_back();
      size = 0;
    }
    size += more;
    out.back() += Command("delete", port.first, change.removed) + Command("add", port.first, change.added);
  }
  return out;
}

}  // namespace plait::node
