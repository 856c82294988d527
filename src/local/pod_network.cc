#include "local/pod_network.h"

#include "core/base/proxy_ports.h"

namespace plait::local {

std::vector<std::string> PodNetwork::IpTexts() const {
  std::vector<std::string> out;
  for (const io::IpAddress& ip : ips) out.push_back(ip.ToString());
  return out;
}

io::SocketAddress PodNetwork::Inside(Port port) const {
  using namespace proxy_ports;  // NOLINT: their names are said once
  const bool of_proxy = port == kAdmin || Has(kCapture, port) || Has(kOpen, port);
  return {.ip = of_proxy ? ips.front() : application, .port = port, .unix_path = {}};
}

}  // namespace plait::local
