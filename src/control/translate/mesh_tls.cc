#include "control/translate/mesh_tls.h"

namespace plait::control::translate {
namespace {
using xds::SecretRef;

void UseMeshSecrets(const model::Snapshot& snapshot, xds::CommonTlsContext& tls) {
  // The proxy has both itself: its key never leaves it, its roots come with its certificate.
  tls.certificate_secrets.push_back({.name = "default", .source = SecretRef::Source::kLocal});
  tls.validation_secret = SecretRef{.name = "ROOTCA", .source = SecretRef::Source::kLocal};
  tls.minimum = snapshot.mesh().minimum_tls13 ? xds::TlsVersion::kTls13 : xds::TlsVersion::kTls12;
  tls.maximum = xds::TlsVersion::kTls13;  // without it Envoy, as a client, ends with 1.2
  tls.ecdh_curves = snapshot.mesh().ecdh_curves;
  if (tls.ecdh_curves.empty()) tls.ecdh_curves = {"X25519", "P-256"};
}
}  // namespace

xds::UpstreamTlsContext MeshUpstreamTls(const model::Snapshot& snapshot, std::string sni,
                                        const std::vector<std::string>& identities, bool http2) {
  xds::UpstreamTlsContext out;
  UseMeshSecrets(snapshot, out.common);
  out.sni = std::move(sni);
  out.common.alpn_protocols = http2 ? std::vector<std::string>{"istio", "h2"} : std::vector<std::string>{"istio"};
  out.common.validation.emplace();
  for (const std::string& identity : identities) {
    xds::SubjectAltNameMatcher matcher;
    matcher.type = identity.starts_with("spiffe://") ? xds::SubjectAltNameMatcher::Type::kUri
                                                     : xds::SubjectAltNameMatcher::Type::kDns;
    matcher.matcher = {.kind = xds::StringMatcher::Kind::kExact, .value = identity};
    out.common.validation->subject_alt_names.push_back(std::move(matcher));
  }
  return out;
}

xds::DownstreamTlsContext MeshDownstreamTls(const model::Snapshot& snapshot) {
  xds::DownstreamTlsContext out;
  UseMeshSecrets(snapshot, out.common);
  out.require_client_certificate = true;
  out.common.alpn_protocols = {"istio-h2", "istio-http/1.1", "istio", "h2", "http/1.1"};
  out.common.validation.emplace();
  std::vector<std::string> domains = snapshot.mesh().trust_domain_aliases;
  domains.insert(domains.begin(), snapshot.mesh().trust_domain);
  for (const std::string& domain : domains) {
    xds::SubjectAltNameMatcher matcher;
    matcher.type = xds::SubjectAltNameMatcher::Type::kUri;
    matcher.matcher = {.kind = xds::StringMatcher::Kind::kPrefix, .value = "spiffe://" + domain + "/"};
    out.common.validation->subject_alt_names.push_back(std::move(matcher));
  }
  return out;
}

xds::DownstreamTlsContext EnvoyDownstreamTls(const model::Snapshot& snapshot) {
  xds::DownstreamTlsContext out = MeshDownstreamTls(snapshot);
  out.common.alpn_protocols = {"h2", "http/1.1"};
  return out;
}

}  // namespace plait::control::translate
