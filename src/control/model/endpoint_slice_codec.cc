// EndpointSlice and Endpoints: endpoints of a Service without a selector.
#include <k8s.io/api/core/v1/generated.pb.h>
#include <k8s.io/api/discovery/v1/generated.pb.h>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/protobuf_reading.h"

namespace plait::control::model {
namespace {
namespace core = k8s::io::api::core::v1;
namespace discovery = k8s::io::api::discovery::v1;

// Written by Kubernetes itself, e.g. in the dump of a cluster. Here pods are found by the selector.
bool IsGenerated(const Meta& meta) {
  const auto label = meta.labels.find("endpointslice.kubernetes.io/managed-by");
  if (label != meta.labels.end() && label->second == "endpointslice-controller.k8s.io") return true;
  return meta.annotations.contains("endpoints.kubernetes.io/last-change-trigger-time");
}

bool ReadIp(ObjectReader& reader, const std::string& path, const std::string& text, io::IpAddress& to) {
  const auto ip = io::IpAddress::Parse(text);
  if (!ip) {
    reader.Error(path, "\"" + text + "\" is not an IP address", "for a name use a ServiceEntry with resolution: DNS");
    return false;
  }
  if (ip->is_loopback() || ip->is_unspecified()) {
    reader.Error(path, "the address " + text + " cannot be an endpoint", "name an address that other hosts reach");
    return false;
  }
  to = *ip;
  return true;
}

// These tell what is wrong and go on: whoever mends a slice wants to know of all of it. One with an error is not kept.
void ReadHostname(ObjectReader& reader, const std::string& path, const std::string& text, std::string& to) {
  to = text;
  if (!text.empty() && !IsDnsLabel(text))
    reader.Error(path, "\"" + text + "\" is not a host name", "letters, digits and -");
}

template <class From>
void ReadPort(ObjectReader& reader, const std::string& path, const From& from, EndpointSlice::Group& to) {
  if (!from.has_port()) return reader.Error(path, "port is missing", "write the number on which the endpoints listen");
  if (CheckPort(reader, path + ".port", static_cast<std::uint32_t>(from.port())))
    to.ports.push_back({from.name(), static_cast<std::uint16_t>(from.port())});
}

void ReadEndpoint(ObjectReader& reader, const std::string& path, const discovery::Endpoint& from, bool v4,
                  EndpointSlice::Group& to) {
  EndpointSlice::Endpoint out;
  if (from.addresses_size() == 0) reader.Error(path, "addresses is missing", "name one IP address");
  // As consumers of the API do: all addresses are the same endpoint, the first one is used.
  for (int i = 0; i < from.addresses_size(); ++i) {
    const std::string address = Indexed(path + ".addresses", static_cast<std::size_t>(i));
    io::IpAddress ip;
    if (ReadIp(reader, address, from.addresses(i), ip) && ip.is_v4() != v4)
      reader.Error(address, from.addresses(i) + " is not of the slice's addressType " + (v4 ? "IPv4" : "IPv6"),
                   "make a slice for each family");
    if (i == 0) out.ip = ip;
  }
  ReadHostname(reader, path + ".hostname", from.hostname(), out.hostname);
  out.ready = !from.conditions().has_ready() || from.conditions().ready();
  out.node = from.nodename();
  to.endpoints.push_back(std::move(out));
}

void ReadAddress(ObjectReader& reader, const std::string& path, const core::EndpointAddress& from, bool ready,
                 EndpointSlice::Group& to) {
  EndpointSlice::Endpoint out{.ready = ready, .node = from.nodename()};
  ReadIp(reader, path + ".ip", from.ip(), out.ip);
  ReadHostname(reader, path + ".hostname", from.hostname(), out.hostname);
  to.endpoints.push_back(std::move(out));
}

void ReadSubset(ObjectReader& reader, const std::string& path, const core::EndpointSubset& from,
                EndpointSlice::Group& to) {
  for (int i = 0; i < from.addresses_size(); ++i)
    ReadAddress(reader, Indexed(path + ".addresses", static_cast<std::size_t>(i)), from.addresses(i), true, to);
  for (int i = 0; i < from.notreadyaddresses_size(); ++i)
    ReadAddress(reader, Indexed(path + ".notReadyAddresses", static_cast<std::size_t>(i)), from.notreadyaddresses(i),
                false, to);
  for (int i = 0; i < from.ports_size(); ++i)
    ReadPort(reader, Indexed(path + ".ports", static_cast<std::size_t>(i)), from.ports(i), to);
}
}  // namespace

void DecodeEndpointSlice(ObjectReader& reader, Decoded& out) {
  discovery::EndpointSlice message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson()) || IsGenerated(reader.meta())) return;
  EndpointSlice slice{.meta = reader.meta(), .groups = {{}}};
  const auto service = slice.meta.labels.find("kubernetes.io/service-name");
  if (service == slice.meta.labels.end() || service->second.empty())
    return reader.Error("metadata.labels", "the label kubernetes.io/service-name is missing",
                        "it names the Service whose endpoints these are");
  slice.service = service->second;
  slice.service_at = {reader.At("metadata.labels[\"kubernetes.io/service-name\"]")};
  const bool v4 = message.addresstype() == "IPv4";
  if (!v4 && message.addresstype() != "IPv6")
    return reader.Error("addressType", "the addressType \"" + message.addresstype() + "\" is not honoured",
                        "IPv4 or IPv6; for names use a ServiceEntry with resolution: DNS");
  for (int i = 0; i < message.endpoints_size(); ++i)
    ReadEndpoint(reader, Indexed("endpoints", static_cast<std::size_t>(i)), message.endpoints(i), v4, slice.groups[0]);
  for (int i = 0; i < message.ports_size(); ++i)
    ReadPort(reader, Indexed("ports", static_cast<std::size_t>(i)), message.ports(i), slice.groups[0]);
  if (reader.errors() == 0) Keep(out, std::move(slice));
}

void DecodeEndpoints(ObjectReader& reader, Decoded& out) {
  core::Endpoints message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson()) || IsGenerated(reader.meta())) return;
  EndpointSlice slice{.meta = reader.meta(), .service = reader.meta().name()};
  for (int i = 0; i < message.subsets_size(); ++i)
    ReadSubset(reader, Indexed("subsets", static_cast<std::size_t>(i)), message.subsets(i),
               slice.groups.emplace_back());
  if (reader.errors() == 0) Keep(out, std::move(slice));
}

}  // namespace plait::control::model
