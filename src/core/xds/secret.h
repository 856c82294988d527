#pragma once
// Keys and certificates, in place or by SDS name. Mirrors envoy.extensions.transport_sockets.tls.v3 (secret, common).
// Where a decoded resource names a file, its content is read when the TLS context is built, not when it is decoded.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/xds/matcher.h"

namespace plait::xds {

struct DataSource {
  enum class Kind : std::uint8_t { kNone, kInline, kFile, kEnvironment };
  Kind kind = Kind::kNone;
  std::string value;  // the bytes, the path, or the variable's name
  friend bool operator==(const DataSource&, const DataSource&) = default;
};

struct TlsCertificate {
  DataSource certificate_chain;  // PEM
  DataSource private_key;        // PEM; redacted in config_dump
  DataSource password;           // of an encrypted private key
  friend bool operator==(const TlsCertificate&, const TlsCertificate&) = default;
};

struct SubjectAltNameMatcher {
  enum class Type : std::uint8_t {
    kAny,
    kEmail,
    kDns,
    kUri,
    kIpAddress
  };  // kAny: match_subject_alt_names (deprecated)
  Type type = Type::kUri;
  StringMatcher matcher;
  friend bool operator==(const SubjectAltNameMatcher&, const SubjectAltNameMatcher&) = default;
};

// SPIFFE roots by trust domain: custom validator envoy.tls.cert_validator.spiffe.
struct TrustDomain {
  std::string name;
  DataSource bundle;  // PEM
  friend bool operator==(const TrustDomain&, const TrustDomain&) = default;
};

struct ValidationContext {
  DataSource trusted_ca;  // PEM bundle; kNone: no roots here (combined: they come by SDS)
  std::vector<SubjectAltNameMatcher> subject_alt_names;  // any of them; empty: not checked
  std::vector<std::string> certificate_spki;             // base64 SHA-256
  std::vector<std::string> certificate_hashes;           // hex SHA-256
  DataSource crl;
  bool allow_expired_certificate = false;
  bool accept_untrusted = false;  // trust_chain_verification: ACCEPT_UNTRUSTED
  std::vector<TrustDomain> trust_domains;
  friend bool operator==(const ValidationContext&, const ValidationContext&) = default;
};

// The resource of SDS (envoy.extensions.transport_sockets.tls.v3.Secret).
struct Secret {
  std::string name;  // "default", "ROOTCA", "kubernetes://ns/name" ...
  std::variant<TlsCertificate, ValidationContext> value;
  friend bool operator==(const Secret&, const Secret&) = default;
};

// A secret by name. `default` and `ROOTCA` are answered inside plait-proxy once it has its identity.
struct SecretRef {
  enum class Source : std::uint8_t {
    kAds,    // SDS over the ADS stream
    kLocal,  // the proxy's own store: Istio's cluster `sds-grpc`, and references without sds_config (static secrets)
  };
  std::string name;
  Source source = Source::kAds;
  std::optional<Duration> fetch_timeout = {};  // kAds: what waits for it waits so long; 0 = for ever; none: as usual
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

}  // namespace plait::xds
