#pragma once
// What TLS established about a connection (owned by the stream, stable after OnOpen) and what a ClientHello says.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace plait::io {
struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_128_GCM_SHA256"
  std::string alpn;     // selected; empty when none
  std::string sni;      // requested server name
  bool resumed = false;
  bool peer_certificate = false;
  // From the verified leaf of the peer; empty without a certificate.
  std::string peer_identity;  // the SPIFFE URI
  std::vector<std::string> peer_uri_sans;
  std::vector<std::string> peer_dns_sans;
  std::string peer_subject;             // RFC 2253
  std::string peer_certificate_sha256;  // hex
  std::string peer_certificate_pem;     // URL-encoded form is made by who needs it (x-forwarded-client-cert)
  std::shared_ptr<const std::string> peer_chain_pem;  // the certificates that the peer sent, leaf first
  WallTime peer_not_after{};
  std::string local_identity;  // our own SPIFFE URI in this connection
};
}  // namespace plait::io
