#pragma once
// The destination index: workloads and services by address and by hostname, and what DNS answers.
// Mirrors istio.workload.Address with Plait's extensions plait.workload and plait.service (design.md).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/io/address.h"
#include "core/xds/endpoint.h"
#include "core/xds/plait_forms.h"

namespace plait::xds {

enum class AppProtocol : std::uint8_t { kUnknown, kHttp11, kHttp2, kGrpc, kTcp, kTls };
enum class TunnelProtocol : std::uint8_t { kNone, kHbone, kLegacyIstioMtls };
enum class TlsMode : std::uint8_t { kDisabled, kIstio };  // label security.istio.io/tlsMode

struct AddressPort {
  std::uint16_t service_port = 0;
  std::uint16_t target_port = 0;
  AppProtocol app_protocol = AppProtocol::kUnknown;
  friend bool operator==(const AddressPort&, const AddressPort&) = default;
};

struct Workload {
  enum class Type : std::uint8_t { kDeployment, kCronJob, kPod, kJob };
  std::string uid;  // the resource name: "<cluster>//Pod/<ns>/<name>"
  std::string name;
  std::string name_space;
  std::vector<io::IpAddress> addresses;
  std::string hostname;  // a name instead of addresses (ServiceEntry)
  std::string network;
  TunnelProtocol tunnel_protocol = TunnelProtocol::kNone;
  std::string trust_domain;  // empty: cluster.local
  std::string service_account;
  std::string node;
  std::string canonical_name;
  std::string canonical_revision;
  Type type = Type::kDeployment;
  std::string workload_name;
  std::map<std::string, std::vector<AddressPort>> services;  // "<namespace>/<hostname>"
  bool healthy = true;        // whether DNS may answer with it; told of members of headless services only
  bool host_network = false;  // never found by IP
  std::string cluster_id;
  Locality locality;
  std::optional<std::uint32_t> capacity;
  // Extension plait.workload.
  std::map<std::string, std::string> labels;  // those that telemetry uses
  std::string kind;                           // of the owner: "Deployment", "StatefulSet" ...
  TlsMode tls_mode = TlsMode::kDisabled;
  std::map<std::uint16_t, TlsMode> port_tls_modes;
  std::string dns_hostname;  // spec.hostname and spec.subdomain: pod records of headless services
  std::string dns_subdomain;
  std::string owner;  // "reviews-v1"
  friend bool operator==(const Workload&, const Workload&) = default;

  // "spiffe://<trust domain>/ns/<ns>/sa/<sa>"; empty without a service account.
  std::string Identity() const;
};

struct NetworkAddress {
  std::string network;
  io::Cidr address;  // a VIP; may be a range
  friend bool operator==(const NetworkAddress&, const NetworkAddress&) = default;
};

struct ServicePort {
  AddressPort port;
  std::string name;
  DeclaredProtocol declared = DeclaredProtocol::kNone;  // extension plait.service
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

struct Service {
  enum class IpFamilies : std::uint8_t { kAutomatic, kV4Only, kV6Only, kDual };
  std::string name;
  std::string name_space;
  std::string hostname;  // the resource name is "<namespace>/<hostname>"
  std::vector<NetworkAddress> addresses;
  std::vector<ServicePort> ports;
  std::vector<std::string> subject_alt_names;
  IpFamilies ip_families = IpFamilies::kAutomatic;
  bool canonical = false;
  // Extension plait.service.
  bool headless = false;
  std::string external_name;  // ExternalName: a CNAME
  bool publish_not_ready = false;
  friend bool operator==(const Service&, const Service&) = default;

  std::string Key() const { return name_space + "/" + hostname; }
};

struct Address {
  std::variant<Workload, Service> value;
  friend bool operator==(const Address&, const Address&) = default;
};

// "<network>/<ip>": a key of the index.
std::string AddressKey(std::string_view network, const io::IpAddress& ip);

}  // namespace plait::xds
