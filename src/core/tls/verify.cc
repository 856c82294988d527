#include "core/tls/verify.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/encoding.h"
#include "core/base/strings.h"

namespace plait::tls {
namespace {

constexpr std::string_view kSpiffe = "spiffe://";
// Chains a thread remembers as verified; a full cache starts anew (each entry is about 2 KB).
constexpr std::size_t kCachedChains = 1024;

struct ChainCache {
  std::unordered_map<std::string, std::shared_ptr<const PeerFacts>, StringHash, std::equal_to<>> entries;
};
thread_local ChainCache chain_cache;

std::string KeyOfChain(const std::string& trust_key, const STACK_OF(CRYPTO_BUFFER) * chain) {
  SHA256_CTX hash;
  SHA256_Init(&hash);
  SHA256_Update(&hash, trust_key.data(), trust_key.size());
  for (std::size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    const CRYPTO_BUFFER* certificate = sk_CRYPTO_BUFFER_value(chain, i);
    const std::size_t size = CRYPTO_BUFFER_len(certificate);
    SHA256_Update(&hash, &size, sizeof size);
    SHA256_Update(&hash, CRYPTO_BUFFER_data(certificate), size);
  }
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256_Final(reinterpret_cast<std::uint8_t*>(out.data()), &hash);
  return out;
}

std::shared_ptr<PeerFacts> FactsOf(const X509* leaf, const Certificate& certificate) {
  auto facts = std::make_shared<PeerFacts>();
  const bssl::UniquePtr<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  facts->uris = SansOf(names.get(), GEN_URI);
  facts->dns = SansOf(names.get(), GEN_DNS);
  facts->emails = SansOf(names.get(), GEN_EMAIL);
  for (const std::string& raw : SansOf(names.get(), GEN_IPADD)) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = raw.size() == 4 ? AF_INET : AF_INET6;
    if ((raw.size() == 4 || raw.size() == 16) && inet_ntop(family, raw.data(), text.data(), text.size()) != nullptr)
      facts->ips.emplace_back(text.data());
  }
  // An X.509-SVID has exactly one URI (SPIFFE X509-SVID 2); with more of them it is nobody.
  if (facts->uris.size() == 1 && facts->uris.front().starts_with(kSpiffe)) facts->identity = facts->uris.front();
  facts->subject = certificate.subject();
  facts->sha256 = certificate.sha256();
  facts->pem = certificate.ToPem();
  return facts;
}

std::string PemOf(X509* leaf, const STACK_OF(X509) * others) {
  std::string all;
  const auto append = [&](X509* certificate) {
    X509_up_ref(certificate);
    auto native = std::make_shared<Certificate::Native>();
    native->x509.reset(certificate);
    all += Certificate(std::move(native)).ToPem();
  };
  append(leaf);
  for (std::size_t i = 0; i < sk_X509_num(others); ++i) append(sk_X509_value(others, i));
  return all;
}

bool MatchesText(const SanMatcher& matcher, const re2::RE2* regex, std::string_view san) {
  std::string lower_san;
  std::string lower_value;
  std::string_view value = matcher.value;
  if (matcher.ignore_case) {
    lower_san = ToLower(san);
    lower_value = ToLower(value);
    san = lower_san;
    value = lower_value;
  }
  switch (matcher.match) {
    case SanMatcher::Match::kExact: return san == value;
    case SanMatcher::Match::kPrefix: return san.starts_with(value);
    case SanMatcher::Match::kSuffix: return san.ends_with(value);
    case SanMatcher::Match::kContains: return san.find(value) != std::string_view::npos;
    case SanMatcher::Match::kRegex:
      return regex != nullptr && re2::RE2::FullMatch(re2::StringPiece(san.data(), san.size()), *regex);
  }
  return false;
}

// RFC 6125 6.4: case does not count, "*" stands for exactly one left-most label.
bool MatchesDns(std::string_view pattern, std::string_view host) {
  if (EqualsIgnoreCase(pattern, host)) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && EqualsIgnoreCase(pattern.substr(1), host.substr(dot));
}

bssl::UniquePtr<X509_STORE> MakeStore(const ContextOptions& options, Diagnostic& error) {
  bssl::UniquePtr<X509_STORE> store(X509_STORE_new());
  if (!options.bundle_pem.empty()) {
    const auto bundle = ReadBundle(options.bundle_pem);
    if (!bundle) {
      error = bundle.error();
      error.message = "trust bundle: " + error.message;
      return nullptr;
    }
    for (const Certificate& root : *bundle) X509_STORE_add_cert(store.get(), root.native().x509.get());
  }
  if (options.crl_pem.empty()) return store;
  const bssl::UniquePtr<BIO> bio(
      BIO_new_mem_buf(options.crl_pem.data(), static_cast<ossl_ssize_t>(options.crl_pem.size())));
  std::size_t lists = 0;
  while (const bssl::UniquePtr<X509_CRL> crl{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_crl(store.get(), crl.get());
    ++lists;
  }
  ERR_clear_error();
  if (lists == 0) {
    error = {.code = Errc::kInvalidInput, .message = "revocation list: there is no PEM X509 CRL in it"};
    return nullptr;
  }
  X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return store;
}

// Of the certificates only: a revocation list must be of now in any case.
int LetPassTimes(int good, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID ? 1 : good;
}

}  // namespace

Verifier::~Verifier() = default;

Outcome<std::unique_ptr<Verifier>> Verifier::Make(const ContextOptions& options) {
  std::unique_ptr<Verifier> out(new Verifier);
  out->policy_ = options.peer;
  out->server_ = options.server;
  Diagnostic error;
  out->store_ = MakeStore(options, error);
  if (!out->store_) return std::unexpected(std::move(error));
  out->trust_key_ = Sha256(options.bundle_pem + '\0' + options.crl_pem + (options.server ? "s" : "c") +
                           (options.peer.any_chain ? "a" : "") + (options.peer.any_time ? "t" : ""));
  for (const SanMatcher& matcher : options.peer.sans) {
    out->regexes_.push_back(nullptr);
    if (matcher.match != SanMatcher::Match::kRegex) continue;
    re2::RE2::Options quiet;
    quiet.set_log_errors(false);
    auto regex = std::make_unique<re2::RE2>(matcher.value, quiet);
    if (!regex->ok())
      return Explain(Errc::kInvalidInput,
                     "subject alternative name: regular expression \"" + matcher.value + "\": " + regex->error());
    out->regexes_.back() = std::move(regex);
  }
  return out;
}

std::expected<std::shared_ptr<const PeerFacts>, std::string> Verifier::VerifyChain(const STACK_OF(CRYPTO_BUFFER) *
                                                                                       chain,
                                                                                   WallTime now) const {
  const bssl::UniquePtr<STACK_OF(X509)> others(sk_X509_new_null());
  bssl::UniquePtr<X509> leaf;
  WallTime first{};
  WallTime last = WallTime::max();
  for (std::size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    bssl::UniquePtr<X509> x509(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i)));
    if (!x509) return std::unexpected("certificate " + std::to_string(i + 1) + " of the peer cannot be parsed");
    first = std::max(first, ToWallTime(X509_get0_notBefore(x509.get())));
    last = std::min(last, ToWallTime(X509_get0_notAfter(x509.get())));
    if (i == 0)
      leaf = std::move(x509);
    else
      bssl::PushToStack(others.get(), std::move(x509));
  }
  if (!leaf) return std::unexpected("the peer sent no certificate");
  if (!policy_.any_chain) {
    const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
    if (X509_STORE_CTX_init(context.get(), store_.get(), leaf.get(), others.get()) != 1)
      return std::unexpected("cannot verify: " + LastReason());
    X509_STORE_CTX_set_time_posix(context.get(), 0,
                                  std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
    X509_STORE_CTX_set_default(context.get(), server_ ? "ssl_client" : "ssl_server");
    if (policy_.any_time) X509_STORE_CTX_set_verify_cb(context.get(), LetPassTimes);
    const bool trusted = X509_verify_cert(context.get()) == 1;
    ERR_clear_error();
    if (!trusted) return std::unexpected(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
    // Roots and intermediates that came from our own store narrow the time too.
    if (const STACK_OF(X509)* built = X509_STORE_CTX_get0_chain(context.get()); built != nullptr)
      for (std::size_t i = 0; i < sk_X509_num(built); ++i)
        last = std::min(last, ToWallTime(X509_get0_notAfter(sk_X509_value(built, i))));
  }
  X509_up_ref(leaf.get());
  auto native = std::make_shared<Certificate::Native>();
  native->x509.reset(leaf.get());
  const auto facts = FactsOf(leaf.get(), Certificate(std::move(native)));
  facts->chain_pem = std::make_shared<const std::string>(PemOf(leaf.get(), others.get()));
  facts->not_before = first;
  facts->not_after = last;
  return facts;
}

std::expected<std::shared_ptr<const PeerFacts>, std::string> Verifier::Judge(const STACK_OF(CRYPTO_BUFFER) * chain,
                                                                             const ExpectedPeer& expected,
                                                                             WallTime now) const {
  if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0) return std::unexpected("the peer sent no certificate");
  const std::string key = KeyOfChain(trust_key_, chain);
  std::shared_ptr<const PeerFacts> facts;
  if (const auto known = chain_cache.entries.find(key); known != chain_cache.entries.end()) facts = known->second;
  if (facts && !policy_.any_time && (now < facts->not_before || now >= facts->not_after)) {
    chain_cache.entries.erase(key);
    facts = nullptr;
  }
  if (!facts) {
    auto verified = VerifyChain(chain, now);
    if (!verified) return std::unexpected(std::move(verified.error()));
    facts = std::move(*verified);
    if (chain_cache.entries.size() >= kCachedChains) chain_cache.entries.clear();
    chain_cache.entries.emplace(key, facts);
  }
  if (std::string reason = JudgeNames(*facts, expected); !reason.empty()) return std::unexpected(std::move(reason));
  return facts;
}

bool Verifier::MatchesAny(const PeerFacts& facts) const {
  using Type = SanMatcher::Type;
  for (std::size_t i = 0; i < policy_.sans.size(); ++i) {
    const SanMatcher& matcher = policy_.sans[i];
    const auto any = [&](Type type, const std::vector<std::string>& sans) {
      if (matcher.type != Type::kAny && matcher.type != type) return false;
      return std::any_of(sans.begin(), sans.end(), [&](const std::string& san) {
        if (type == Type::kDns && matcher.match == SanMatcher::Match::kExact) return MatchesDns(san, matcher.value);
        return MatchesText(matcher, regexes_[i].get(), san);
      });
    };
    if (any(Type::kUri, facts.uris) || any(Type::kDns, facts.dns) || any(Type::kEmail, facts.emails) ||
        any(Type::kIp, facts.ips))
      return true;
  }
  return false;
}

std::string Verifier::JudgeNames(const PeerFacts& facts, const ExpectedPeer& expected) const {
  const auto named = [&] {
    return facts.identity.empty() ? "a peer without SPIFFE identity (" + facts.subject + ")" : facts.identity;
  };
  if (!expected.identity.empty() && facts.identity != expected.identity)
    return "the peer is " + named() + ", expected " + expected.identity;
  if (!policy_.trust_domains.empty()) {
    const std::string_view rest =
        facts.identity.empty() ? std::string_view{} : std::string_view(facts.identity).substr(kSpiffe.size());
    const std::string_view domain = rest.substr(0, rest.find('/'));
    if (std::find(policy_.trust_domains.begin(), policy_.trust_domains.end(), domain) == policy_.trust_domains.end())
      return named() + " is not of trust domain " + Join(policy_.trust_domains, ", ");
  }
  if (!policy_.certificate_sha256.empty() &&
      std::find(policy_.certificate_sha256.begin(), policy_.certificate_sha256.end(), facts.sha256) ==
          policy_.certificate_sha256.end())
    return "certificate " + facts.sha256 + " is none of the pinned ones";
  if (!expected.name.empty()) {
    const bool found = std::find(facts.ips.begin(), facts.ips.end(), expected.name) != facts.ips.end() ||
                       std::any_of(facts.dns.begin(), facts.dns.end(),
                                   [&](const std::string& san) { return MatchesDns(san, expected.name); });
    return found ? std::string() : "no subject alternative name of " + named() + " is " + expected.name;
  }
  if (!policy_.sans.empty() && !MatchesAny(facts)) return "no subject alternative name of " + named() + " matches";
  return {};
}

}  // namespace plait::tls
