#include "core/xds/address_codec.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/xds/common_codec.h"
#include "plait/proxy/v1/address_extensions.pb.h"
#include "workloadapi/workload.pb.h"

namespace plait::xds {
namespace {
namespace pb = istio::workload;
namespace own = ::plait::proxy::v1;
using At = DecodeContext::At;

io::IpAddress DecodeIp(const std::string& bytes, DecodeContext& context) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() == 4)
    return io::IpAddress::V4(std::uint32_t{data[0]} << 24 | std::uint32_t{data[1]} << 16 | std::uint32_t{data[2]} << 8 |
                             data[3]);
  std::array<std::uint8_t, 16> v6{};
  if (bytes.size() != v6.size())
    context.Reject("an address has " + std::to_string(bytes.size()) + " bytes, not 4 or 16");
  else
    std::memcpy(v6.data(), data, v6.size());
  return io::IpAddress::V6(v6);
}

AddressPort DecodeAddressPort(const pb::Port& in, DecodeContext& context) {
  context.Honours(in, {"service_port", "target_port", "app_protocol"});
  AddressPort out{.service_port = DecodePort(in.service_port(), context),
                  .target_port = DecodePort(in.target_port(), context)};
  switch (in.app_protocol()) {
    case pb::HTTP11: out.app_protocol = AppProtocol::kHttp11; break;
    case pb::HTTP2: out.app_protocol = AppProtocol::kHttp2; break;
    case pb::GRPC: out.app_protocol = AppProtocol::kGrpc; break;
    case pb::TCP: out.app_protocol = AppProtocol::kTcp; break;
    case pb::TLS: out.app_protocol = AppProtocol::kTls; break;
    default: break;
  }
  return out;
}

// The extension of this name; extensions of others are theirs and are passed over, as their API asks.
template <class Message>
bool FindExtension(const google::protobuf::RepeatedPtrField<pb::Extension>& all, std::string_view name,
                   Message& message, DecodeContext& context) {
  bool found = false;
  for (const auto& extension : all) {
    context.Honours(extension, {"name", "config"});
    if (extension.name() != name) continue;
    const At at(context, "extensions." + extension.name());
    if (TypeOf(extension.config()) != message.GetTypeName())
      context.Reject("type \"" + std::string(TypeOf(extension.config())) + "\" is not expected here");
    else
      found = Unpack(extension.config(), message, context);
  }
  return found;
}

TlsMode DecodeTlsMode(own::WorkloadExtension::TlsMode in) {
  return in == own::WorkloadExtension::ISTIO ? TlsMode::kIstio : TlsMode::kDisabled;
}

void DecodeWorkloadExtension(const pb::Workload& in, Workload& out, DecodeContext& context) {
  own::WorkloadExtension extension;
  if (!FindExtension(in.extensions(), "plait.workload", extension, context)) {
    // Written by another control plane: the tunnel protocol says whether mutual TLS is spoken.
    if (out.tunnel_protocol != TunnelProtocol::kNone) out.tls_mode = TlsMode::kIstio;
    return;
  }
  context.Honours(extension, {"labels", "kind", "tls_mode", "port_tls_modes", "hostname", "subdomain", "owner"});
  out.labels = {extension.labels().begin(), extension.labels().end()};
  out.kind = extension.kind();
  out.tls_mode = DecodeTlsMode(extension.tls_mode());
  for (const auto& [port, mode] : extension.port_tls_modes())
    out.port_tls_modes.emplace(DecodePort(port, context), DecodeTlsMode(mode));
  out.dns_hostname = extension.hostname();
  out.dns_subdomain = extension.subdomain();
  out.owner = extension.owner();
}

void DecodeKind(const pb::Workload& in, Workload& out) {
  switch (in.tunnel_protocol()) {
    case pb::HBONE: out.tunnel_protocol = TunnelProtocol::kHbone; break;
    case pb::LEGACY_ISTIO_MTLS: out.tunnel_protocol = TunnelProtocol::kLegacyIstioMtls; break;
    default: break;
  }
  switch (in.workload_type()) {
    case pb::CRONJOB: out.type = Workload::Type::kCronJob; break;
    case pb::POD: out.type = Workload::Type::kPod; break;
    case pb::JOB: out.type = Workload::Type::kJob; break;
    default: break;
  }
  out.healthy = in.status() == pb::HEALTHY;
  out.host_network = in.network_mode() == pb::HOST_NETWORK;
}

Workload DecodeWorkload(const pb::Workload& in, DecodeContext& context) {
  context.Honours(in, {"uid",
                       "name",
                       "namespace",
                       "addresses",
                       "hostname",
                       "network",
                       "tunnel_protocol",
                       "trust_domain",
                       "service_account",
                       "node",
                       "canonical_name",
                       "canonical_revision",
                       "workload_type",
                       "workload_name",
                       "services",
                       "status",
                       "cluster_id",
                       "locality",
                       "network_mode",
                       "extensions",
                       "capacity"});
  Workload out;
  out.uid = in.uid();
  out.name = in.name();
  out.name_space = in.namespace_();
  if (out.uid.empty()) context.Reject("uid is empty");
  for (const std::string& bytes : in.addresses()) out.addresses.push_back(DecodeIp(bytes, context));
  out.hostname = in.hostname();
  out.network = in.network();
  out.trust_domain = in.trust_domain();
  out.service_account = in.service_account();
  out.node = in.node();
  out.canonical_name = in.canonical_name();
  out.canonical_revision = in.canonical_revision();
  out.workload_name = in.workload_name();
  DecodeKind(in, out);
  for (const auto& [service, list] : in.services()) {
    const At at(context, "services." + service);
    context.Honours(list, {"ports"});
    auto& ports = out.services[service];
    for (const auto& port : list.ports()) ports.push_back(DecodeAddressPort(port, context));
  }
  out.cluster_id = in.cluster_id();
  context.Honours(in.locality(), {"region", "zone", "subzone"});
  out.locality = {.region = in.locality().region(), .zone = in.locality().zone(), .sub_zone = in.locality().subzone()};
  if (in.has_capacity()) out.capacity = in.capacity().value();
  DecodeWorkloadExtension(in, out, context);
  return out;
}

NetworkAddress DecodeNetworkAddress(const pb::NetworkAddress& in, DecodeContext& context) {
  context.Honours(in, {"network", "address", "length"});
  NetworkAddress out{.network = in.network(), .address = {.base = DecodeIp(in.address(), context)}};
  const auto whole = static_cast<std::uint32_t>(out.address.base.byte_count() * 8);
  const std::uint32_t length = in.has_length() ? in.length() : whole;
  if (length > whole) context.Reject("length " + std::to_string(length) + " is above " + std::to_string(whole));
  out.address.length = static_cast<std::uint8_t>(length);
  return out;
}

void DecodeServiceExtension(const pb::Service& in, Service& out, DecodeContext& context) {
  own::ServiceExtension extension;
  if (!FindExtension(in.extensions(), "plait.service", extension, context)) return;
  context.Honours(extension, {"ports", "headless", "external_name", "publish_not_ready"});
  for (const auto& port : extension.ports()) {
    context.Honours(port, {"port", "name", "declared"});
    const auto at = std::find_if(out.ports.begin(), out.ports.end(),
                                 [&](const ServicePort& p) { return p.port.service_port == port.port(); });
    if (at == out.ports.end()) {
      context.Reject("extensions.plait.service: port " + std::to_string(port.port()) + " is not a port of the service");
      return;
    }
    at->name = port.name();
    at->declared = static_cast<DeclaredProtocol>(port.declared());
  }
  out.headless = extension.headless();
  out.external_name = extension.external_name();
  out.publish_not_ready = extension.publish_not_ready();
}

Service DecodeService(const pb::Service& in, DecodeContext& context) {
  context.Honours(in, {"name", "namespace", "hostname", "addresses", "ports", "subject_alt_names", "ip_families",
                       "extensions", "canonical"});
  Service out;
  out.name = in.name();
  out.name_space = in.namespace_();
  out.hostname = in.hostname();
  if (out.hostname.empty() || out.name_space.empty()) context.Reject("hostname and namespace must be set");
  for (int i = 0; i < in.addresses_size(); ++i) {
    const At at(context, "addresses", i);
    out.addresses.push_back(DecodeNetworkAddress(in.addresses(i), context));
  }
  for (const auto& port : in.ports()) out.ports.push_back({.port = DecodeAddressPort(port, context), .name = {}});
  out.subject_alt_names = {in.subject_alt_names().begin(), in.subject_alt_names().end()};
  switch (in.ip_families()) {
    case pb::IPV4_ONLY: out.ip_families = Service::IpFamilies::kV4Only; break;
    case pb::IPV6_ONLY: out.ip_families = Service::IpFamilies::kV6Only; break;
    case pb::DUAL: out.ip_families = Service::IpFamilies::kDual; break;
    default: break;
  }
  out.canonical = in.canonical();
  DecodeServiceExtension(in, out, context);
  return out;
}
}  // namespace

Address DecodeAddressMessage(const pb::Address& in, DecodeContext& context) {
  context.Honours(in, {"workload", "service"});
  if (in.has_service()) return {.value = DecodeService(in.service(), context)};
  if (!in.has_workload()) context.Reject("neither workload nor service is set");
  return {.value = DecodeWorkload(in.workload(), context)};
}

}  // namespace plait::xds
