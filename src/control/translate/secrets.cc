#include "control/translate/secrets.h"

#include "control/model/gateway_credential.h"

namespace plait::control::translate {
namespace {

constexpr std::string_view kRoots = "-cacert";

// The name without its namespace; empty: it is of another one.
std::string_view InNamespace(std::string_view credential, std::string_view name_space) {
  const auto slash = credential.find('/');
  if (slash == std::string_view::npos) return credential;
  return credential.substr(0, slash) == name_space ? credential.substr(slash + 1) : std::string_view();
}

bool Names(const model::Gateway& gateway, std::string_view name_space, std::string_view credential) {
  for (const model::GatewayServer& server : gateway.servers) {
    const std::string_view named = InNamespace(server.tls.credential_name, name_space);
    if (named.empty() || !credential.starts_with(named)) continue;
    if (const std::string_view rest = credential.substr(named.size()); rest.empty() || rest == kRoots) return true;
  }
  return false;
}

// By the pods of the caller's identity as they are known here: that a node calls itself a gateway opens no key.
bool MayRead(const model::Proxy& proxy, const model::Snapshot& snapshot, std::string_view credential) {
  for (const model::Workload& pod : snapshot.workloads()) {
    if (!pod.gateway || pod.name_space != proxy.name_space || pod.service_account != proxy.service_account) continue;
    for (const model::Gateway* gateway : snapshot.GatewaysOf(pod.labels))
      if (Names(*gateway, proxy.name_space, credential)) return true;
  }
  return false;
}

}  // namespace

std::optional<xds::Secret> FindSecret(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                      std::string_view roots_pem, std::string_view name) {
  using Kind = xds::DataSource::Kind;
  xds::Secret out;
  out.name = name;
  if (name == "ROOTCA") {
    xds::ValidationContext roots;
    roots.trusted_ca = {Kind::kInline, std::string(roots_pem)};
    out.value = std::move(roots);
    return out;
  }
  constexpr std::string_view kPrefix = "kubernetes://";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view credential = InNamespace(name.substr(kPrefix.size()), proxy.name_space);
  if (credential.empty() || !MayRead(proxy, snapshot, credential)) return std::nullopt;
  if (credential.ends_with(kRoots)) {
    const model::Secret* secret = snapshot.FindSecret(proxy.name_space, credential);
    if (!secret)
      secret = snapshot.FindSecret(proxy.name_space, credential.substr(0, credential.size() - kRoots.size()));
    const std::string* roots = secret ? model::ClientRootsOf(*secret) : nullptr;
    if (!roots) return std::nullopt;
    xds::ValidationContext context;
    context.trusted_ca = {Kind::kInline, *roots};
    out.value = std::move(context);
    return out;
  }
  const model::Secret* secret = snapshot.FindSecret(proxy.name_space, credential);
  const std::string* chain = secret ? model::CertificateChainOf(*secret) : nullptr;
  const std::string* key = secret ? model::PrivateKeyOf(*secret) : nullptr;
  if (!chain || !key) return std::nullopt;
  out.value = xds::TlsCertificate{
      .certificate_chain = {Kind::kInline, *chain}, .private_key = {Kind::kInline, *key}, .password = {}};
  return out;
}

}  // namespace plait::control::translate
