#include "control/translate/secrets.h"

#include "control/model/gateway_credential.h"

namespace plait::control::translate {
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
  if (proxy.type != model::Proxy::Type::kRouter || !name.starts_with(kPrefix)) return std::nullopt;
  std::string_view credential = name.substr(kPrefix.size());
  // "namespace/name" is allowed for the own namespace only.
  if (const auto slash = credential.find('/'); slash != std::string_view::npos) {
    if (credential.substr(0, slash) != proxy.name_space) return std::nullopt;
    credential.remove_prefix(slash + 1);
  }
  constexpr std::string_view kRoots = "-cacert";
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
