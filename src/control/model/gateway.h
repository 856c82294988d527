#pragma once
// Istio's Gateway: what a gateway proxy listens to.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/meta.h"
#include "core/yaml/node.h"

namespace plait::control::model {

// Whom the ingress gateway that Plait makes, in the root namespace, runs as.
inline constexpr std::string_view kIngressGatewayAccount = "istio-ingressgateway-service-account";

struct GatewayTls {
  // kIstioMutual: with the gateway's own identity, for clients of the mesh. kAutoPassthrough: mutual TLS between
  // workloads is passed on by its server name, without a rule (translate/auto_passthrough.h).
  enum class Mode : std::uint8_t { kPassthrough, kAutoPassthrough, kSimple, kMutual, kOptionalMutual, kIstioMutual };
  Mode mode = Mode::kSimple;
  std::string credential_name = {};  // a Secret in the gateway's namespace
  Place credential_at = {};
  std::string certificate = {};  // or files of the gateway
  std::string private_key = {};
  std::string ca_certificates = {};
  std::vector<std::string> subject_alt_names = {};
  bool minimum_tls13 = false;
  bool maximum_tls12 = false;
  std::vector<std::string> cipher_suites = {};  // of TLS 1.2, by their OpenSSL names; empty: the defaults
  bool https_redirect = false;                  // on a plain HTTP server
  friend bool operator==(const GatewayTls&, const GatewayTls&) = default;
  // The gateway does not end the client's TLS.
  bool PassesOn() const noexcept { return mode == Mode::kPassthrough || mode == Mode::kAutoPassthrough; }
};

struct GatewayServer {
  enum class Protocol : std::uint8_t { kHttp, kHttps, kTcp, kTls };
  std::uint16_t port = 0;
  std::string port_name = {};
  Protocol protocol = Protocol::kHttp;
  std::string bind = {};
  std::vector<std::string> hosts = {};  // "namespace/host" as written, or "host"
  GatewayTls tls = {};
  bool has_tls = false;  // `tls` is written, whatever stands in it
  std::string name = {};
  yaml::Mark at = {};
  friend bool operator==(const GatewayServer&, const GatewayServer&) = default;
  // Clients begin with TLS, which is terminated or passed on. On HTTP the block only says httpsRedirect; a TCP server
  // without it is opaque.
  bool IsTls() const noexcept { return has_tls && protocol != Protocol::kHttp; }
};

struct Gateway {
  Meta meta = {};
  Labels selector = {};
  Place selector_at = {};
  std::vector<GatewayServer> servers = {};
  friend bool operator==(const Gateway&, const Gateway&) = default;
};

}  // namespace plait::control::model
