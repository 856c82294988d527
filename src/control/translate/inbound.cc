#include "control/translate/inbound.h"

#include <map>

#include "core/base/strings.h"

namespace plait::control::translate {

const model::Workload* WorkloadOf(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  for (const io::IpAddress& ip : proxy.ips)
    if (const model::Workload* workload = snapshot.FindWorkload(ip);
        workload && workload->name_space == proxy.name_space)
      return workload;
  return nullptr;
}

bool IsAppTls(const model::Workload* workload, std::uint16_t port) {
  if (!workload) return false;
  const auto ports = workload->annotations.find("plait.dev/app-tls-ports");
  if (ports == workload->annotations.end()) return false;
  for (std::string_view text : Split(ports->second, ','))
    if (ParseUint(Trim(text)) == port) return true;
  return false;
}

std::vector<InboundPortView> InboundPortsOf(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  const model::Workload* workload = WorkloadOf(proxy, snapshot);
  model::Workload by_labels;
  if (!workload) {
    by_labels.name_space = proxy.name_space;
    by_labels.labels = proxy.labels;
    workload = &by_labels;
  }
  std::map<std::uint16_t, InboundPortView> ports;
  for (const auto& service : snapshot.services()) {
    if (!service->Selects(*workload)) continue;
    for (const model::ServicePort& from : service->ports) {
      if (from.protocol == model::Protocol::kUdp) continue;
      std::uint16_t target = from.target_port;
      for (const model::ContainerPort& named : workload->ports)
        if (!from.target_name.empty() && named.name == from.target_name) target = named.port;
      if (target == 0) continue;
      InboundPortView& port = ports[target];
      port.port = target;
      // Of services that disagree the first that declares something counts.
      if (port.protocol == model::Protocol::kAuto) port.protocol = from.protocol;
      if (port.services.empty()) port.service_port = from.port;
      port.services.push_back(service.get());
    }
  }
  for (const model::ContainerPort& port : workload->ports)
    if (port.protocol == "TCP") ports[port.port].port = port.port;
  std::vector<InboundPortView> out;
  for (auto& [number, port] : ports) out.push_back(std::move(port));
  return out;
}

}  // namespace plait::control::translate
