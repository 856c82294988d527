#include "proxy/worker/secrets.h"

#include <algorithm>
#include <utility>

#include "core/tls/certificate.h"
#include "core/xds/data_source.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {
namespace {
tls::SanMatcher ToMatcher(const xds::SubjectAltNameMatcher& from) {
  tls::SanMatcher to;
  switch (from.type) {
    case xds::SubjectAltNameMatcher::Type::kAny: to.type = tls::SanMatcher::Type::kAny; break;
    case xds::SubjectAltNameMatcher::Type::kEmail: to.type = tls::SanMatcher::Type::kEmail; break;
    case xds::SubjectAltNameMatcher::Type::kDns: to.type = tls::SanMatcher::Type::kDns; break;
    case xds::SubjectAltNameMatcher::Type::kUri: to.type = tls::SanMatcher::Type::kUri; break;
    case xds::SubjectAltNameMatcher::Type::kIpAddress: to.type = tls::SanMatcher::Type::kIp; break;
  }
  switch (from.matcher.kind) {
    case xds::StringMatcher::Kind::kExact: to.match = tls::SanMatcher::Match::kExact; break;
    case xds::StringMatcher::Kind::kPrefix: to.match = tls::SanMatcher::Match::kPrefix; break;
    case xds::StringMatcher::Kind::kSuffix: to.match = tls::SanMatcher::Match::kSuffix; break;
    case xds::StringMatcher::Kind::kContains: to.match = tls::SanMatcher::Match::kContains; break;
    case xds::StringMatcher::Kind::kRegex: to.match = tls::SanMatcher::Match::kRegex; break;
  }
  to.value = from.matcher.value;
  to.ignore_case = from.matcher.ignore_case;
  return to;
}

std::string JoinWith(const std::vector<std::string>& parts, char separator) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += separator;
    joined += part;
  }
  return joined;
}

Outcome<tls::Identity> ReadIdentity(const xds::TlsCertificate& certificate) {
  auto chain = ReadSource(certificate.certificate_chain);
  if (!chain) return std::unexpected(chain.error());
  auto key = ReadSource(certificate.private_key);
  if (!key) return std::unexpected(key.error());
  auto password = ReadSource(certificate.password);
  if (!password) return std::unexpected(password.error());
  if (!password->empty()) {
    const auto opened = tls::PrivateKey::FromPem(*key, *password);
    if (!opened) return std::unexpected(opened.error());
    *key = opened->ToPem();
  }
  return tls::Identity{std::move(*chain), std::move(*key)};
}

// What one validation context adds; a combined one is its default part and then the secret's.
Outcome<> AddValidation(const xds::ValidationContext& validation, tls::ContextOptions& options) {
  if (!validation.certificate_spki.empty()) {
    return Explain(Errc::kInvalidInput, "verify_certificate_spki is not supported", "use verify_certificate_hash");
  }
  auto roots = ReadSource(validation.trusted_ca);
  if (!roots) return std::unexpected(roots.error());
  if (!roots->empty()) options.bundle_pem = std::move(*roots);
  auto crl = ReadSource(validation.crl);
  if (!crl) return std::unexpected(crl.error());
  if (!crl->empty()) options.crl_pem = std::move(*crl);
  for (const xds::SubjectAltNameMatcher& name : validation.subject_alt_names)
    options.peer.sans.push_back(ToMatcher(name));
  for (const std::string& hash : validation.certificate_hashes) options.peer.certificate_sha256.push_back(hash);
  options.peer.any_chain = options.peer.any_chain || validation.accept_untrusted;
  options.peer.any_time = options.peer.any_time || validation.allow_expired_certificate;
  for (const xds::TrustDomain& domain : validation.trust_domains) {
    auto bundle = ReadSource(domain.bundle);
    if (!bundle) return std::unexpected(bundle.error());
    if (!options.bundle_pem.empty() && options.bundle_pem != *bundle) {
      // One set of roots for all domains: with different ones, a root could sign for another domain.
      return Explain(Errc::kInvalidInput,
                     "trust domain " + domain.name + " has roots of its own, which is not supported");
    }
    options.bundle_pem = std::move(*bundle);
    options.peer.trust_domains.push_back(domain.name);
  }
  return {};
}

const xds::CommonTlsContext& CommonOf(const std::variant<xds::DownstreamTlsContext, xds::UpstreamTlsContext>& config) {
  if (const auto* downstream = std::get_if<xds::DownstreamTlsContext>(&config)) return downstream->common;
  return std::get<xds::UpstreamTlsContext>(config).common;
}

}  // namespace

std::vector<std::string> SecretsOf(const xds::CommonTlsContext& common) {
  std::vector<std::string> names;
  for (const xds::SecretRef& ref : common.certificate_secrets) names.push_back(ref.name);
  if (common.validation_secret) names.push_back(common.validation_secret->name);
  return names;
}

std::vector<std::string> SecretsOf(const xds::Cluster& cluster) {
  std::vector<std::string> names;
  for (const xds::UpstreamTlsContext* tls : cluster::TlsOf(cluster))
    std::ranges::move(SecretsOf(tls->common), std::back_inserter(names));
  return names;
}

void Secrets::Put(std::shared_ptr<const xds::Secret> secret) {
  {
    const std::lock_guard lock(mutex_);
    Forget(secret->name);
    const std::string name = secret->name;
    by_name_.insert_or_assign(name, std::move(secret));
    version_.fetch_add(1, std::memory_order_release);
  }
  if (observer_) observer_();
}

void Secrets::Remove(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    Forget(name);
    by_name_.erase(name);
    version_.fetch_add(1, std::memory_order_release);
  }
  if (observer_) observer_();
}

void Secrets::Forget(const std::string& name) {
  std::erase_if(made_, [&](const Made& made) {
    return std::find(made.secrets.begin(), made.secrets.end(), name) != made.secrets.end();
  });
}

bool Secrets::Has(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return by_name_.contains(name);
}

std::shared_ptr<const xds::Secret> Secrets::Get(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

bool Secrets::HasAll(const std::vector<std::string>& names) const {
  const std::lock_guard lock(mutex_);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return by_name_.contains(name); });
}

bool Secrets::IsForUpstream(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return for_upstream_.contains(name);
}

std::vector<std::shared_ptr<const xds::Secret>> Secrets::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const xds::Secret>> all;
  for (const auto& [name, secret] : by_name_) all.push_back(secret);
  return all;
}

Outcome<ContextPtr> Secrets::Server(const xds::DownstreamTlsContext& config) { return Find(config); }

Outcome<ContextPtr> Secrets::Client(const xds::UpstreamTlsContext& config, bool exact_identity) {
  // Server name and ALPN are each connection's; without them far fewer contexts are different.
  xds::UpstreamTlsContext shared = config;
  shared.sni.clear();
  shared.common.alpn_protocols.clear();
  if (exact_identity && shared.common.validation) shared.common.validation->subject_alt_names.clear();
  return Find(std::move(shared));
}

Outcome<ContextPtr> Secrets::Find(const Config& config) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(made_.begin(), made_.end(), [&](const Made& made) { return made.config == config; });
  if (found != made_.end()) return found->context;
  std::vector<std::string> names = SecretsOf(CommonOf(config));
  if (std::holds_alternative<xds::UpstreamTlsContext>(config)) for_upstream_.insert(names.begin(), names.end());
  Outcome<ContextPtr> made = Make(config);
  if (made) made_.push_back({config, std::move(names), *made});
  return made;
}

Outcome<ContextPtr> Secrets::Make(const Config& config) const {
  tls::ContextOptions options;
  const xds::CommonTlsContext& common = CommonOf(config);
  const bool validates = common.validation || common.validation_secret;
  if (const auto* downstream = std::get_if<xds::DownstreamTlsContext>(&config)) {
    using Certificate = tls::PeerPolicy::Certificate;
    options.server = true;
    // As Envoy: who is asked for names has to show a certificate that can have them.
    const bool names = common.validation && !common.validation->subject_alt_names.empty();
    options.peer.certificate = downstream->require_client_certificate || names ? Certificate::kRequired
                               : validates                                     ? Certificate::kOptional
                                                                               : Certificate::kNone;
    options.tickets = !downstream->disable_stateless_session_resumption;
  } else {
    options.peer.any_chain = !validates;  // as Envoy: without a validation context nothing is verified
  }
  if (auto done = FillCommon(common, options); !done) return std::unexpected(done.error());
  return tls::Context::Make(options);
}

Outcome<> Secrets::FillCommon(const xds::CommonTlsContext& common, tls::ContextOptions& options) const {
  options.alpn = common.alpn_protocols;
  options.tls13 = common.maximum != xds::TlsVersion::kTls12;
  options.tls12 = common.minimum != xds::TlsVersion::kTls13;
  options.tls12_ciphers = common.cipher_suites;
  if (!common.ecdh_curves.empty()) options.groups = JoinWith(common.ecdh_curves, ':');
  std::vector<xds::TlsCertificate> certificates = common.certificates;
  for (const xds::SecretRef& ref : common.certificate_secrets) {
    auto secret = Need(ref);
    if (!secret) return std::unexpected(secret.error());
    const auto* certificate = std::get_if<xds::TlsCertificate>(&(*secret)->value);
    if (certificate == nullptr) return Explain(Errc::kInvalidInput, "secret " + ref.name + " is not a certificate");
    certificates.push_back(*certificate);
  }
  for (const xds::TlsCertificate& certificate : certificates) {
    auto identity = ReadIdentity(certificate);
    if (!identity) return std::unexpected(identity.error());
    options.identities.push_back(std::move(*identity));
  }
  return FillValidation(common, options);
}

Outcome<> Secrets::FillValidation(const xds::CommonTlsContext& common, tls::ContextOptions& options) const {
  if (common.validation) {
    if (auto done = AddValidation(*common.validation, options); !done) return done;
  }
  if (common.validation_secret) {
    auto secret = Need(*common.validation_secret);
    if (!secret) return std::unexpected(secret.error());
    const auto* validation = std::get_if<xds::ValidationContext>(&(*secret)->value);
    if (validation == nullptr) {
      return Explain(Errc::kInvalidInput, "secret " + common.validation_secret->name + " is not a validation context");
    }
    if (auto done = AddValidation(*validation, options); !done) return done;
  }
  const bool validates = common.validation || common.validation_secret;
  if (validates && options.bundle_pem.empty() && !options.peer.any_chain) {
    // Envoy then trusts every chain; here a validation without roots never accepts by accident.
    if (options.peer.certificate_sha256.empty()) {
      return Explain(Errc::kInvalidInput, "validation context without trusted_ca",
                     "name the roots, or ACCEPT_UNTRUSTED");
    }
    options.peer.any_chain = true;  // pinned by hash
  }
  return {};
}

Outcome<std::shared_ptr<const xds::Secret>> Secrets::Need(const xds::SecretRef& ref) const {
  const auto found = by_name_.find(ref.name);
  if (found == by_name_.end()) return Explain(Errc::kUnavailable, "secret " + ref.name + " is not there yet");
  return found->second;
}

}  // namespace plait::proxy::worker
