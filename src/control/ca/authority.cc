#include "control/ca/authority.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/log.h"
#include "core/io/bounded_file.h"
#include "core/io/unique_fd.h"
#include "core/tls/root_certificate.h"

namespace plait::control::ca {
namespace {
log::Component kLog("ca");

std::unexpected<Diagnostic> FileProblem(const std::filesystem::path& file, std::string why, std::string hint) {
  return std::unexpected(Diagnostic{.code = Errc::kInvalidInput,
                                    .message = std::move(why),
                                    .object = {},
                                    .at = {.file = file.string()},
                                    .hint = std::move(hint)});
}

constexpr std::size_t kMaxFile = std::size_t{4} << 20;

Outcome<std::string> ReadFile(const std::filesystem::path& file) {
  Outcome<std::string> text = io::ReadBounded(file.string(), kMaxFile, io::Pipes::kRefused);
  if (!text && text.error().code == Errc::kLimit)
    text.error().hint = "that is no PEM file of certificates or of a key: restore it from a backup";
  return text;
}

// Durable and all or nothing: written beside, synchronised, renamed.
Outcome<> WriteFile(const std::filesystem::path& file, std::string_view text) {
  const std::filesystem::path temporary = file.string() + ".new";
  const auto fail = [&](const char* what) {
    const std::string why = std::strerror(errno);
    ::unlink(temporary.c_str());
    return FileProblem(file, std::string("cannot ") + what + ": " + why,
                       "is the disk full or the directory read-only?");
  };
  const io::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail("be made");
  while (!text.empty()) {
    const ssize_t n = ::write(fd.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail("be written");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd.get()) != 0) return fail("be synchronised");
  if (::rename(temporary.c_str(), file.c_str()) != 0) return fail("be renamed into place");
  const io::UniqueFd directory(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
  return {};
}

struct Pair {
  tls::Certificate certificate;
  tls::PrivateKey key;
};

Outcome<Pair> LoadPair(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) {
  constexpr const char* kHint =
      "restore it from a backup; removing certificate and key makes a new root that running workloads do not trust";
  const auto certificate_text = ReadFile(certificate_file);
  if (!certificate_text) return std::unexpected(certificate_text.error());
  const auto key_text = ReadFile(key_file);
  if (!key_text) return std::unexpected(key_text.error());
  auto certificate = tls::Certificate::FromPem(*certificate_text);
  if (!certificate) return FileProblem(certificate_file, certificate.error().message, kHint);
  auto key = tls::PrivateKey::FromPem(*key_text);
  if (!key) return FileProblem(key_file, key.error().message, kHint);
  if (!key->Matches(*certificate))
    return FileProblem(key_file, "the key does not belong to " + certificate_file.string(), kHint);
  if (!certificate->is_ca())
    return FileProblem(certificate_file, "the certificate may not sign others (basic constraints CA is false)",
                       "use a CA certificate");
  if (certificate->not_after() <= SystemClock().Wall())
    return FileProblem(certificate_file, "the certificate ended on " + FormatRfc3339(certificate->not_after()),
                       "replace certificate and key");
  return Pair{.certificate = std::move(*certificate), .key = std::move(*key)};
}

}  // namespace

Authority::Authority(Material material, std::filesystem::path folder, bool plugged, AuthorityOptions options)
    : material_(std::move(material)), folder_(std::move(folder)), plugged_(plugged), options_(std::move(options)) {}

Outcome<bool> Authority::Reload() {
  auto read = plugged_ ? ReadPlugged(folder_) : ReadOwn(folder_);
  if (!read) return std::unexpected(std::move(read.error()));
  const bool same = read->bundle_pem == material_.bundle_pem && read->chain_pem == material_.chain_pem &&
                    read->certificate.ToPem() == material_.certificate.ToPem();
  if (!same) material_ = std::move(*read);
  return !same;
}

Outcome<Authority::Material> Authority::ReadOwn(const std::filesystem::path& folder) {
  auto pair = LoadPair(folder / "root-cert.pem", folder / "root-key.pem");
  if (!pair) return std::unexpected(std::move(pair.error()));
  std::string bundle = pair->certificate.ToPem();
  const std::filesystem::path others = folder / "trusted-roots.pem";
  std::error_code ignored;
  if (std::filesystem::exists(others, ignored)) {
    const auto text = ReadFile(others);
    if (!text) return std::unexpected(text.error());
    const auto roots = tls::ReadBundle(*text);
    if (!roots)
      return FileProblem(others, roots.error().message, "give the PEM certificates of further roots, or remove it");
    for (const tls::Certificate& root : *roots)
      if (const std::string pem = root.ToPem(); bundle.find(pem) == std::string::npos) bundle += pem;
  }
  return Material{std::move(pair->certificate), std::move(pair->key), {}, std::move(bundle)};
}

Outcome<Authority::Material> Authority::ReadPlugged(const std::filesystem::path& folder) {
  auto pair = LoadPair(folder / "ca-cert.pem", folder / "ca-key.pem");
  if (!pair) return std::unexpected(std::move(pair.error()));
  auto roots = ReadFile(folder / "root-cert.pem");
  if (!roots) return std::unexpected(std::move(roots.error()));
  auto chain = ReadFile(folder / "cert-chain.pem");
  if (!chain) return std::unexpected(std::move(chain.error()));
  for (const auto& [name, text] : {std::pair{"root-cert.pem", &*roots}, std::pair{"cert-chain.pem", &*chain}})
    if (const auto parsed = tls::ReadBundle(*text); !parsed)
      return FileProblem(folder / name, parsed.error().message, "give PEM certificates");
  return Material{std::move(pair->certificate), std::move(pair->key), std::move(*chain), std::move(*roots)};
}

Outcome<std::unique_ptr<Authority>> Authority::LoadOrCreate(const std::filesystem::path& directory,
                                                            AuthorityOptions options) {
  const auto certificate_file = directory / "root-cert.pem";
  const auto key_file = directory / "root-key.pem";
  std::error_code ignored;
  const bool has_certificate = std::filesystem::exists(certificate_file, ignored);
  const bool has_key = std::filesystem::exists(key_file, ignored);
  if (!has_certificate && !has_key) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return FileProblem(directory, "cannot be made: " + error.message(), "choose another --state-dir");
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, ignored);
    const tls::PrivateKey key = tls::PrivateKey::Generate();
    const auto root = tls::MakeRoot(options.trust_domain, key);
    if (!root) return std::unexpected(root.error());
    // The key first: a key without certificate is told apart below, a certificate without key could never sign.
    if (auto written = WriteFile(key_file, key.ToPem()); !written) return std::unexpected(std::move(written.error()));
    if (auto written = WriteFile(certificate_file, root->ToPem()); !written) {
      std::filesystem::remove(key_file, ignored);  // nobody has seen it: the next start begins anew
      return std::unexpected(std::move(written.error()));
    }
    kLog.Info("made a root certificate for " + options.trust_domain + " in " + directory.string());
  } else if (has_key && !has_certificate) {
    return FileProblem(certificate_file, "is missing beside root-key.pem",
                       "restore it, or remove root-key.pem too to begin with a new root");
  }
  auto read = ReadOwn(directory);
  if (!read) return std::unexpected(std::move(read.error()));
  return std::unique_ptr<Authority>(new Authority(std::move(*read), directory, false, std::move(options)));
}

Outcome<std::unique_ptr<Authority>> Authority::LoadPlugged(const std::filesystem::path& cacerts,
                                                           AuthorityOptions options) {
  auto read = ReadPlugged(cacerts);
  if (!read) return std::unexpected(std::move(read.error()));
  return std::unique_ptr<Authority>(new Authority(std::move(*read), cacerts, true, std::move(options)));
}

Outcome<std::string> Authority::Sign(tls::CertificateTemplate what, const tls::Csr* request, const tls::PrivateKey* key,
                                     Duration ttl) const {
  if (ttl <= Duration(0)) ttl = options_.default_ttl;
  const WallTime now = SystemClock().Wall();
  what.not_before = now - tls::kClockSkew;
  what.not_after = now + std::min(ttl, options_.max_ttl);
  const tls::Issuer issuer{material_.certificate, material_.key};
  const auto leaf =
      request != nullptr ? tls::SignCertificate(what, *request, issuer) : tls::SignCertificate(what, *key, issuer);
  if (!leaf) return std::unexpected(leaf.error());
  return leaf->ToPem() + material_.chain_pem;
}

Outcome<std::string> Authority::SignWorkload(const tls::Csr& request, const identity::SpiffeId& authenticated,
                                             Duration ttl) const {
  if (authenticated.trust_domain != options_.trust_domain)
    return Explain(Errc::kDenied, authenticated.ToString() + " is not of trust domain " + options_.trust_domain);
  return Sign({.subject_organization = {}, .common_name = {}, .uri_sans = {authenticated.ToString()}, .dns_sans = {}},
              &request, nullptr, ttl);
}

Outcome<tls::Identity> Authority::IssueServer(const std::vector<std::string>& dns_names, const identity::SpiffeId& id,
                                              Duration ttl) const {
  const tls::PrivateKey key = tls::PrivateKey::Generate();
  auto chain = Sign({.subject_organization = {}, .common_name = {}, .uri_sans = {id.ToString()}, .dns_sans = dns_names},
                    nullptr, &key, ttl);
  if (!chain) return std::unexpected(std::move(chain.error()));
  return tls::Identity{.chain_pem = std::move(*chain), .key_pem = key.ToPem()};
}

}  // namespace plait::control::ca
