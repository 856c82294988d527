#pragma once
// Services as they were written: Kubernetes' Service and Istio's ServiceEntry. What they mean together with the
// workloads is in the snapshot (service_view.h).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/model/meta.h"
#include "core/io/address.h"

namespace plait::control::model {

// What a port declares, by appProtocol, name prefix or number (istio-interfaces.md 1.9). kAuto: nothing; the bytes
// decide.
enum class Protocol : std::uint8_t { kAuto, kHttp, kHttp2, kGrpc, kHttps, kTls, kTcp, kUdp };
bool IsHttp(Protocol protocol) noexcept;  // http, http2, grpc
bool IsTls(Protocol protocol) noexcept;   // tls, https
// A Kubernetes port: `transport` is TCP, UDP or SCTP.
Protocol ProtocolOfPort(std::string_view transport, std::string_view name, std::string_view app_protocol,
                        std::uint16_t port) noexcept;
// Istio's own `protocol` field ("HTTP", "GRPC-WEB", "MONGO" ...); nullopt when unknown.
std::optional<Protocol> ParseIstioProtocol(std::string_view text) noexcept;

struct ServicePort {
  std::string name = {};
  std::uint16_t port = 0;
  std::uint16_t target_port = 0;  // 0 when `target_name` is set
  std::string target_name = {};   // a container port's name
  Place target_at = {};           // of that name
  Protocol protocol = Protocol::kAuto;
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

struct Service {
  Meta meta = {};
  std::vector<ServicePort> ports = {};
  Labels selector = {};                         // empty: no endpoints of its own
  std::vector<io::IpAddress> cluster_ips = {};  // as asked for; empty: chosen by name
  bool headless = false;
  std::string external_name = {};  // type ExternalName
  Place external_name_at = {};
  bool outside = false;  // type NodePort or LoadBalancer: its ports are also for who is outside the cluster
  bool publish_not_ready = false;
  bool want_v4 = true;
  bool want_v6 = true;
  std::vector<std::string> export_to = {};  // annotation; empty: the mesh's default
  friend bool operator==(const Service&, const Service&) = default;
};

// Endpoints of a Service without a selector: an EndpointSlice, or Endpoints with a group for each of its subsets.
struct EndpointSlice {
  struct Endpoint {
    io::IpAddress ip = {};
    bool ready = true;
    std::string hostname = {};  // its name in a headless Service
    std::string node = {};
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
  };
  struct Port {
    std::string name = {};  // of the Service's port
    std::uint16_t port = 0;
    friend bool operator==(const Port&, const Port&) = default;
  };
  struct Group {
    std::vector<Endpoint> endpoints = {};
    std::vector<Port> ports = {};
    friend bool operator==(const Group&, const Group&) = default;
  };
  Meta meta = {};
  std::string service = {};  // of the same namespace
  Place service_at = {};
  std::vector<Group> groups = {};
  friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

// An endpoint of a ServiceEntry.
struct StaticEndpoint {
  std::string address = {};  // an IP, a DNS name, or empty (then the host itself by DNS)
  std::map<std::string, std::uint16_t> ports = {};
  Labels labels = {};
  std::string network = {};
  std::string locality = {};  // "region/zone/subzone"
  std::uint32_t weight = 0;
  std::string service_account = {};
  friend bool operator==(const StaticEndpoint&, const StaticEndpoint&) = default;
};

struct ServiceEntry {
  enum class Resolution : std::uint8_t { kNone, kStatic, kDns, kDnsRoundRobin };
  Meta meta = {};
  std::vector<std::string> hosts = {};
  std::vector<io::Cidr> addresses = {};
  std::vector<ServicePort> ports = {};
  bool mesh_internal = false;
  Resolution resolution = Resolution::kNone;
  std::vector<StaticEndpoint> endpoints = {};
  std::optional<Labels> workload_selector = {};
  Place selector_at = {};
  std::vector<std::string> export_to = {};
  std::vector<std::string> subject_alt_names = {};
  friend bool operator==(const ServiceEntry&, const ServiceEntry&) = default;
};

}  // namespace plait::control::model
