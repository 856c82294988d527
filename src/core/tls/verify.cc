#include "core/tls/verify.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <algorithm>
#include <initializer_list>
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
  facts->identity = SpiffeIdentity(facts->uris);
  facts->subject = certificate.subject();
  facts->sha256 = certificate.sha256();
  facts->pem = certificate.ToPem();
  return facts;
}

// It shares the object.
Certificate CertificateOf(X509* x509) {
  X509_up_ref(x509);
  auto native = std::make_shared<Certificate::Native>();
  native->x509.reset(x509);
  return Certificate(std::move(native));
}

std::string PemOf(X509* leaf, const STACK_OF(X509) * others) {
  std::string all = CertificateOf(leaf).ToPem();
  for (std::size_t i = 0; i < sk_X509_num(others); ++i) all += CertificateOf(sk_X509_value(others, i)).ToPem();
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

// Roots and revocation lists.
struct Store {
  bssl::UniquePtr<X509_STORE> native;
  WallTime lists_until = WallTime::max();
};

Outcome<> AddLists(const std::string& pem, Store& store) {
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<ossl_ssize_t>(pem.size())));
  std::size_t lists = 0;
  ERR_clear_error();
  while (const bssl::UniquePtr<X509_CRL> crl{PEM_read_bio_X509_CRL(bio.get(), nullptr, NoPassword, nullptr)}) {
    X509_STORE_add_crl(store.native.get(), crl.get());
    ++lists;
    if (const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get()); next != nullptr)
      store.lists_until = std::min(store.lists_until, ToWallTime(next));
  }
  const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = LastReason();
  if (!end)
    return Explain(Errc::kInvalidInput, "revocation list: list " + std::to_string(lists + 1) + " is broken: " + reason);
  if (lists == 0) return Explain(Errc::kInvalidInput, "revocation list: there is no PEM X509 CRL in it");
  X509_STORE_set_flags(store.native.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

Outcome<Store> MakeStore(const ContextOptions& options) {
  Store store{.native = bssl::UniquePtr<X509_STORE>(X509_STORE_new())};
  if (!options.bundle_pem.empty()) {
    auto bundle = ReadBundle(options.bundle_pem);
    if (!bundle) {
      bundle.error().message = "trust bundle: " + bundle.error().message;
      return std::unexpected(std::move(bundle.error()));
    }
    for (const Certificate& root : *bundle) X509_STORE_add_cert(store.native.get(), root.native().x509.get());
  }
  if (!options.crl_pem.empty())
    if (auto added = AddLists(options.crl_pem, store); !added) return std::unexpected(std::move(added.error()));
  return store;
}

// Texts one after the other that no other sequence has the same bytes as.
std::string Joined(std::initializer_list<std::string> texts) {
  std::string out;
  for (const std::string& text : texts) out += std::to_string(text.size()) + ':' + text;
  return out;
}

// All that decides about a peer beside the trust in its chain.
std::string TextOf(const PeerPolicy& policy) {
  std::string out(1, static_cast<char>(policy.certificate));
  for (const SanMatcher& san : policy.sans)
    out += Joined({"san", std::to_string(static_cast<int>(san.type)), std::to_string(static_cast<int>(san.match)),
                   san.value, san.ignore_case ? "i" : ""});
  for (const std::string& domain : policy.trust_domains) out += Joined({"domain", domain});
  for (const std::string& hash : policy.certificate_sha256) out += Joined({"hash", hash});
  return out;
}

struct ParsedChain {
  bssl::UniquePtr<X509> leaf;
  bssl::UniquePtr<STACK_OF(X509)> others{sk_X509_new_null()};
  WallTime first{}, last = WallTime::max();  // the narrowest of them
};

std::expected<ParsedChain, std::string> Parse(const STACK_OF(CRYPTO_BUFFER) * chain) {
  ParsedChain out;
  for (std::size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    bssl::UniquePtr<X509> x509(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i)));
    if (!x509) return std::unexpected("certificate " + std::to_string(i + 1) + " of the peer cannot be parsed");
    out.first = std::max(out.first, ToWallTime(X509_get0_notBefore(x509.get())));
    out.last = std::min(out.last, ToWallTime(X509_get0_notAfter(x509.get())));
    if (i == 0)
      out.leaf = std::move(x509);
    else
      bssl::PushToStack(out.others.get(), std::move(x509));
  }
  if (!out.leaf) return std::unexpected("the peer sent no certificate");
  return out;
}

// Of the certificates only: a revocation list must be of now in any case.
int LetPassTimes(int good, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID ? 1 : good;
}

}  // namespace

std::string SpiffeIdentity(const std::vector<std::string>& uris) {
  return uris.size() == 1 && uris.front().starts_with(kSpiffe) ? uris.front() : std::string();
}

bool MatchesDns(std::string_view san, std::string_view host) {
  if (EqualsIgnoreCase(san, host)) return true;
  if (!san.starts_with("*.")) return false;
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && EqualsIgnoreCase(san.substr(1), host.substr(dot));
}

Verifier::~Verifier() = default;

Outcome<std::unique_ptr<Verifier>> Verifier::Make(const ContextOptions& options) {
  std::unique_ptr<Verifier> out(new Verifier);
  out->policy_ = options.peer;
  out->server_ = options.server;
  auto store = MakeStore(options);
  if (!store) return std::unexpected(std::move(store.error()));
  out->store_ = std::move(store->native);
  out->lists_until_ = store->lists_until;
  out->trust_key_ = Sha256(Joined({options.bundle_pem, options.crl_pem, options.server ? "server" : "client",
                                   options.peer.any_chain ? "any" : ""}));
  out->scope_ = Sha256(out->trust_key_ + (options.peer.any_time ? "t" : "c") + TextOf(options.peer));
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

JudgedPeer Verifier::VerifyChain(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, WallTime now) const {
  auto parsed = Parse(chain);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  X509* leaf = parsed->leaf.get();
  WallTime last = parsed->last;
  if (!policy_.any_chain) {
    const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
    if (X509_STORE_CTX_init(context.get(), store_.get(), leaf, parsed->others.get()) != 1)
      return std::unexpected("cannot verify: " + LastReason());
    X509_STORE_CTX_set_time_posix(context.get(), 0,
                                  std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
    X509_STORE_CTX_set_default(context.get(), server_ ? "ssl_client" : "ssl_server");
    if (times == Times::kIgnored) X509_STORE_CTX_set_verify_cb(context.get(), LetPassTimes);
    const bool trusted = X509_verify_cert(context.get()) == 1;
    ERR_clear_error();
    if (!trusted) return std::unexpected(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
    // Roots and intermediates that came from our own store narrow the time too.
    if (const STACK_OF(X509)* built = X509_STORE_CTX_get0_chain(context.get()); built != nullptr)
      for (std::size_t i = 0; i < sk_X509_num(built); ++i)
        last = std::min(last, ToWallTime(X509_get0_notAfter(sk_X509_value(built, i))));
  }
  auto facts = FactsOf(leaf, CertificateOf(leaf));
  facts->chain_pem = std::make_shared<const std::string>(PemOf(leaf, parsed->others.get()));
  facts->not_after = last;
  facts->valid_from = times == Times::kCount ? parsed->first : WallTime::min();
  facts->valid_until = times == Times::kCount ? std::min(last, lists_until_) : lists_until_;
  return facts;
}

JudgedPeer Verifier::Find(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, WallTime now) const {
  if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0) return std::unexpected("the peer sent no certificate");
  const std::string key = KeyOfChain(trust_key_ + (times == Times::kCount ? "c" : "t"), chain);
  if (const auto known = chain_cache.entries.find(key); known != chain_cache.entries.end()) {
    if (now >= known->second->valid_from && now < known->second->valid_until) return known->second;
    chain_cache.entries.erase(known);
  }
  auto verified = VerifyChain(times, chain, now);
  if (!verified) return verified;
  if (chain_cache.entries.size() >= kCachedChains) chain_cache.entries.clear();
  chain_cache.entries.emplace(key, *verified);
  return verified;
}

JudgedPeer Verifier::Judge(Times times, const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected,
                           WallTime now) const {
  auto facts = Find(times, chain, now);
  if (!facts) return facts;
  if (std::string reason = JudgeNames(**facts, expected); !reason.empty()) return std::unexpected(std::move(reason));
  return facts;
}

JudgedPeer Verifier::Judge(const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected, WallTime now) const {
  return Judge(policy_.any_time ? Times::kIgnored : Times::kCount, chain, expected, now);
}

JudgedPeer Verifier::JudgeTrust(const STACK_OF(CRYPTO_BUFFER) * chain, const ExpectedPeer& expected,
                                WallTime now) const {
  return Judge(Times::kIgnored, chain, expected, now);
}

std::string Verifier::RootOf(const STACK_OF(CRYPTO_BUFFER) * chain) const {
  const auto parsed = Parse(chain);
  if (!parsed) return {};
  const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store_.get(), parsed->leaf.get(), parsed->others.get()) != 1) return {};
  X509_STORE_CTX_set_verify_cb(context.get(), LetPassTimes);
  X509_VERIFY_PARAM_clear_flags(X509_STORE_CTX_get0_param(context.get()),
                                X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  const bool trusted = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  const STACK_OF(X509)* built = X509_STORE_CTX_get0_chain(context.get());
  if (!trusted || built == nullptr || sk_X509_num(built) == 0) return {};
  return CertificateOf(sk_X509_value(built, sk_X509_num(built) - 1)).sha256();
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
    if (!facts.identity.empty()) return facts.identity;
    const std::vector<std::string>& names = facts.dns.empty() ? facts.ips : facts.dns;
    return "a peer without SPIFFE identity (" + (names.empty() ? facts.subject : Join(names, ", ")) + ")";
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
