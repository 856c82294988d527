#pragma once
// TLS on a filter chain or towards a cluster. Mirrors Downstream-, Upstream- and CommonTlsContext (Envoy v3).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/xds/secret.h"

namespace plait::xds {

enum class TlsVersion : std::uint8_t { kAuto, kTls12, kTls13 };  // older ones are refused

struct CommonTlsContext {
  TlsVersion minimum = TlsVersion::kAuto;
  TlsVersion maximum = TlsVersion::kAuto;
  std::vector<std::string> cipher_suites;  // TLS 1.2 names; empty: our defaults
  std::vector<std::string> ecdh_curves;
  std::vector<std::string> alpn_protocols;
  std::vector<TlsCertificate> certificates;     // in place
  std::vector<SecretRef> certificate_secrets;   // by SDS; never together with `certificates`
  std::optional<ValidationContext> validation;  // in place, or the default part of a combined one
  std::optional<SecretRef> validation_secret;   // with `validation`: combined_validation_context
  friend bool operator==(const CommonTlsContext&, const CommonTlsContext&) = default;
};

struct DownstreamTlsContext {
  CommonTlsContext common;
  bool require_client_certificate = false;
  bool disable_stateless_session_resumption = false;
  bool disable_stateful_session_resumption = false;
  std::optional<Duration> session_timeout;
  friend bool operator==(const DownstreamTlsContext&, const DownstreamTlsContext&) = default;
};

struct UpstreamTlsContext {
  CommonTlsContext common;
  std::string sni;
  bool auto_host_sni = false;  // SNI from the host's name
  bool auto_sni_san_validation = false;
  bool allow_renegotiation = false;  // TLS 1.3 has none and we never renegotiate: false is enforced
  std::uint32_t max_session_keys = 1;
  friend bool operator==(const UpstreamTlsContext&, const UpstreamTlsContext&) = default;
};

}  // namespace plait::xds
