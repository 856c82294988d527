#include "control/serve/registry_pages.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::ordered_json;
using model::EndpointView;
using model::Protocol;
using model::ServiceView;
using model::Snapshot;

// protocol.Instance.
std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kHttp: return "HTTP";
    case Protocol::kHttp2: return "HTTP2";
    case Protocol::kGrpc: return "GRPC";
    case Protocol::kHttps: return "HTTPS";
    case Protocol::kTls: return "TLS";
    case Protocol::kTcp: return "TCP";
    case Protocol::kUdp: return "UDP";
    case Protocol::kAuto: break;
  }
  return "UnsupportedProtocol";
}

// model.Resolution.
int ResolutionNumber(const ServiceView& service) {
  switch (service.resolution) {
    case ServiceView::Resolution::kEndpoints: return service.headless ? 2 : 0;
    case ServiceView::Resolution::kDns: return service.service != nullptr ? 4 : 1;  // an ExternalName is an alias
    case ServiceView::Resolution::kPassthrough: return 2;
    case ServiceView::Resolution::kDnsRoundRobin: return 3;
  }
  return 0;
}

std::string AddressText(const io::Cidr& cidr) {
  return cidr.length == (cidr.base.is_v4() ? 32 : 128) ? cidr.base.ToString() : cidr.ToString();
}

Json PortJson(const model::ServicePort& port) {
  return {{"name", port.name}, {"port", port.port}, {"protocol", ProtocolName(port.protocol)}};
}

Json ServiceJson(const Snapshot& mesh, const ServiceView& service) {
  Json ports = Json::array();
  for (const model::ServicePort& port : service.ports) ports.push_back(PortJson(port));
  Json vips = Json::array();
  for (const io::Cidr& vip : service.vips) vips.push_back(AddressText(vip));
  Json attributes = {{"ServiceRegistry", service.service != nullptr ? "Kubernetes" : "External"},
                     {"Name", service.service != nullptr ? service.name : service.hostname},
                     {"Namespace", service.name_space},
                     {"Labels", service.meta().labels}};
  if (!service.export_to.empty()) attributes["ExportTo"] = service.export_to;
  if (service.service != nullptr) attributes["LabelSelectors"] = service.service->selector;
  Json out = {{"Attributes", std::move(attributes)},
              {"ports", std::move(ports)},
              {"creationTime", FormatRfc3339(service.meta().created)},
              {"hostname", service.hostname}};
  if (!vips.empty()) {
    out["defaultAddress"] = vips[0];
    out["clusterVIPs"] = {{"Addresses", {{mesh.options().cluster_id, std::move(vips)}}}};
  }
  out["Resolution"] = ResolutionNumber(service);
  out["MeshExternal"] = service.mesh_external;
  return out;
}

Json AddressesOf(const EndpointView& endpoint) {
  Json out = Json::array();
  for (const io::IpAddress& ip : endpoint.ips) out.push_back(ip.ToString());
  if (!endpoint.dns_name.empty()) out.push_back(endpoint.dns_name);
  return out;
}

Json EndpointJson(const Snapshot& mesh, const ServiceView& service, const model::ServicePort& port,
                  const EndpointView& endpoint) {
  Json out = {{"Labels", endpoint.labels},
              {"Addresses", AddressesOf(endpoint)},
              {"ServicePortName", port.name},
              {"ServiceAccount", endpoint.identity},
              {"Network", mesh.options().network},
              {"Locality", {{"Label", endpoint.locality}, {"ClusterID", mesh.options().cluster_id}}},
              {"EndpointPort", endpoint.port},
              {"LbWeight", endpoint.weight},
              {"TLSMode", endpoint.mtls ? "istio" : "disabled"},
              {"Namespace", service.name_space},
              {"HealthStatus", endpoint.ready ? 1 : 2}};
  if (const model::Workload* workload = endpoint.workload) {
    out["WorkloadName"] = workload->workload_name();
    out["HostName"] = workload->hostname;
    out["SubDomain"] = workload->subdomain;
  }
  return out;
}

// Calls `use` for each port that endpoints can have.
template <class Use>
void ForEachPort(const Snapshot& mesh, Use use) {
  for (const auto& service : mesh.services())
    for (const model::ServicePort& port : service->ports) use(*service, port, service->EndpointsOf(port));
}

// The table's entry for a name. A host of a ServiceEntry has no short name.
Json NameJson(const ServiceView& service, Json ips) {
  if (service.service == nullptr) return {{"ips", std::move(ips)}, {"registry", "External"}};
  return {{"ips", std::move(ips)},
          {"registry", "Kubernetes"},
          {"shortname", service.name},
          {"namespace", service.name_space}};
}

void AddNames(const ServiceView& service, Json& table) {
  Json ips = Json::array();
  if (!service.headless) {
    for (const io::Cidr& vip : service.vips)
      if (vip.length == (vip.base.is_v4() ? 32 : 128)) ips.push_back(vip.base.ToString());
  } else if (!service.endpoints.empty()) {
    for (const EndpointView& endpoint : service.endpoints[0]) {
      if (!endpoint.ready) continue;
      const Json own = AddressesOf(endpoint);
      ips.insert(ips.end(), own.begin(), own.end());
      const model::Workload* pod = endpoint.workload;
      if (pod != nullptr && !pod->hostname.empty() && pod->subdomain == service.name)
        table[pod->hostname + "." + service.hostname] = NameJson(service, own);
    }
  }
  if (!ips.empty()) table[service.hostname] = NameJson(service, std::move(ips));
}

}  // namespace

std::string ServicesJson(const Snapshot& mesh) {
  Json out = Json::array();
  for (const auto& service : mesh.services()) out.push_back(ServiceJson(mesh, *service));
  return JsonText(out, 2);
}

std::string EndpointsJson(const Snapshot& mesh) {
  Json out = Json::array();
  ForEachPort(mesh, [&](const ServiceView& service, const model::ServicePort& port, const auto& endpoints) {
    Json list = Json::array();
    for (const EndpointView& endpoint : endpoints)
      list.push_back({{"service", ServiceJson(mesh, service)},
                      {"servicePort", PortJson(port)},
                      {"endpoint", EndpointJson(mesh, service, port, endpoint)}});
    out.push_back({{"svc", service.hostname + ":" + port.name}, {"ep", std::move(list)}});
  });
  return JsonText(out, 2);
}

std::string EndpointsText(const Snapshot& mesh) {
  std::string out;
  ForEachPort(mesh, [&](const ServiceView& service, const model::ServicePort& port, const auto& endpoints) {
    for (const EndpointView& endpoint : endpoints) {
      out += service.hostname + ":" + port.name + " ";
      out += (endpoint.ips.empty() ? endpoint.dns_name : endpoint.ips[0].ToString()) + ":" +
             std::to_string(endpoint.port) + " ";
      std::string labels;
      for (const auto& [label, value] : endpoint.labels)
        labels.append(labels.empty() ? "" : ",").append(label).append("=").append(value);
      out += labels + " " + endpoint.identity + "\n";
    }
  });
  return out;
}

std::string NamesJson(const Snapshot& mesh, std::string_view name_space) {
  Json table = Json::object();
  for (const ServiceView* service : mesh.VisibleServices(name_space)) AddNames(*service, table);
  return JsonText(Json{{"table", std::move(table)}}, 2);
}

}  // namespace plait::control::serve
