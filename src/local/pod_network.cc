#include "local/pod_network.h"

#include <algorithm>

namespace plait::local {

std::vector<std::string> PodNetwork::IpTexts() const {
  std::vector<std::string> out;
  for (const io::IpAddress& ip : ips) out.push_back(ip.ToString());
  return out;
}

io::SocketAddress PodNetwork::Inside(Port port) const {
  constexpr std::uint16_t kProxyPorts[] = {15000, 15001, 15006, 15020, 15021, 15090};
  const bool of_proxy = std::find(std::begin(kProxyPorts), std::end(kProxyPorts), port.value) != std::end(kProxyPorts);
  return {.ip = of_proxy ? ips.front() : application, .port = port, .unix_path = {}};
}

}  // namespace plait::local
