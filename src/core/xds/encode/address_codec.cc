// The destination index: istio.workload.Address with Plait's extensions.
#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "plait/proxy/v1/address_extensions.pb.h"
#include "workloadapi/workload.pb.h"

namespace plait::xds {
namespace encode {
namespace {
namespace pb = istio::workload;
namespace own = ::plait::proxy::v1;

// 4 or 16 bytes in network order.
std::string IpBytes(const io::IpAddress& ip) {
  return {reinterpret_cast<const char*>(ip.bytes().data()), ip.byte_count()};
}

void FillPort(const AddressPort& in, pb::Port& out) {
  constexpr pb::AppProtocol kProtocols[] = {pb::AppProtocol::UNKNOWN, pb::AppProtocol::HTTP11, pb::AppProtocol::HTTP2,
                                            pb::AppProtocol::GRPC,    pb::AppProtocol::TCP,    pb::AppProtocol::TLS};
  out.set_service_port(in.service_port);
  out.set_target_port(in.target_port);
  out.set_app_protocol(kProtocols[static_cast<std::size_t>(in.app_protocol)]);
}

own::WorkloadExtension::TlsMode TlsModeOf(TlsMode mode) {
  return mode == TlsMode::kIstio ? own::WorkloadExtension::ISTIO : own::WorkloadExtension::DISABLED;
}

void AddExtension(const char* name, const google::protobuf::Message& message,
                  google::protobuf::RepeatedPtrField<pb::Extension>& out) {
  pb::Extension& extension = *out.Add();
  extension.set_name(name);
  Pack(message, *extension.mutable_config());
}

void FillWorkload(const Workload& in, pb::Workload& out) {
  constexpr pb::TunnelProtocol kTunnels[] = {pb::TunnelProtocol::NONE, pb::TunnelProtocol::HBONE,
                                             pb::TunnelProtocol::LEGACY_ISTIO_MTLS};
  constexpr pb::WorkloadType kTypes[] = {pb::WorkloadType::DEPLOYMENT, pb::WorkloadType::CRONJOB, pb::WorkloadType::POD,
                                         pb::WorkloadType::JOB};
  out.set_uid(in.uid);
  out.set_name(in.name);
  out.set_namespace_(in.name_space);
  for (const io::IpAddress& ip : in.addresses) out.add_addresses(IpBytes(ip));
  out.set_hostname(in.hostname);
  out.set_network(in.network);
  out.set_tunnel_protocol(kTunnels[static_cast<std::size_t>(in.tunnel_protocol)]);
  if (in.trust_domain != "cluster.local") out.set_trust_domain(in.trust_domain);
  out.set_service_account(in.service_account);
  out.set_node(in.node);
  out.set_canonical_name(in.canonical_name);
  out.set_canonical_revision(in.canonical_revision);
  out.set_workload_type(kTypes[static_cast<std::size_t>(in.type)]);
  out.set_workload_name(in.workload_name);
  for (const auto& [service, ports] : in.services) {
    pb::PortList& list = (*out.mutable_services())[service];
    for (const AddressPort& port : ports) FillPort(port, *list.add_ports());
  }
  out.set_status(in.healthy ? pb::WorkloadStatus::HEALTHY : pb::WorkloadStatus::UNHEALTHY);
  if (in.host_network) out.set_network_mode(pb::NetworkMode::HOST_NETWORK);
  out.set_cluster_id(in.cluster_id);
  if (in.locality != Locality{}) {
    out.mutable_locality()->set_region(in.locality.region);
    out.mutable_locality()->set_zone(in.locality.zone);
    out.mutable_locality()->set_subzone(in.locality.sub_zone);
  }
  if (in.capacity) out.mutable_capacity()->set_value(*in.capacity);

  own::WorkloadExtension extension;
  for (const auto& [label, value] : in.labels) (*extension.mutable_labels())[label] = value;
  extension.set_kind(in.kind);
  extension.set_tls_mode(TlsModeOf(in.tls_mode));
  for (const auto& [port, mode] : in.port_tls_modes) (*extension.mutable_port_tls_modes())[port] = TlsModeOf(mode);
  extension.set_hostname(in.dns_hostname);
  extension.set_subdomain(in.dns_subdomain);
  extension.set_owner(in.owner);
  AddExtension("plait.workload", extension, *out.mutable_extensions());
}

void FillService(const Service& in, pb::Service& out) {
  constexpr pb::IPFamilies kFamilies[] = {pb::IPFamilies::AUTOMATIC, pb::IPFamilies::IPV4_ONLY,
                                          pb::IPFamilies::IPV6_ONLY, pb::IPFamilies::DUAL};
  constexpr own::ServiceExtension::Protocol kDeclared[] = {own::ServiceExtension::NONE, own::ServiceExtension::HTTP,
                                                           own::ServiceExtension::TCP, own::ServiceExtension::TLS};
  out.set_name(in.name);
  out.set_namespace_(in.name_space);
  out.set_hostname(in.hostname);
  for (const NetworkAddress& address : in.addresses) {
    pb::NetworkAddress& to = *out.add_addresses();
    to.set_network(address.network);
    to.set_address(IpBytes(address.address.base));
    const std::size_t whole = address.address.base.byte_count() * 8;
    if (address.address.length != whole) to.set_length(address.address.length);
  }
  own::ServiceExtension extension;
  for (const ServicePort& port : in.ports) {
    FillPort(port.port, *out.add_ports());
    if (port.name.empty() && port.declared == DeclaredProtocol::kNone) continue;
    auto& declared = *extension.add_ports();
    declared.set_port(port.port.service_port);
    declared.set_name(port.name);
    declared.set_declared(kDeclared[static_cast<std::size_t>(port.declared)]);
  }
  for (const std::string& name : in.subject_alt_names) out.add_subject_alt_names(name);
  out.set_ip_families(kFamilies[static_cast<std::size_t>(in.ip_families)]);
  out.set_canonical(in.canonical);
  extension.set_headless(in.headless);
  extension.set_external_name(in.external_name);
  extension.set_publish_not_ready(in.publish_not_ready);
  AddExtension("plait.service", extension, *out.mutable_extensions());
}

}  // namespace
}  // namespace encode

std::string Encode(const Address& address) {
  encode::pb::Address out;
  if (const auto* workload = std::get_if<Workload>(&address.value)) {
    encode::FillWorkload(*workload, *out.mutable_workload());
  } else {
    encode::FillService(std::get<Service>(address.value), *out.mutable_service());
  }
  return encode::Bytes(out);
}

}  // namespace plait::xds
