#include "core/tls/context.h"

#include <algorithm>
#include <atomic>

#include "core/base/strings.h"
#include "core/tls/context_native.h"
#include "core/tls/key_exchange.h"
#include "core/tls/ticket_keys.h"

namespace plait::tls {
namespace {

// One pool for the process: the mesh's root and intermediates are kept once, not once a connection.
CRYPTO_BUFFER_POOL* BufferPool() {
  static CRYPTO_BUFFER_POOL* pool = CRYPTO_BUFFER_POOL_new();
  return pool;
}

constexpr const char* kTls12Ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-"
    "SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kTls13Ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr std::uint32_t kSessionSeconds = std::chrono::duration_cast<std::chrono::seconds>(kSessionLife).count();

Outcome<LoadedIdentity> Load(const Identity& identity, Context::Native& native) {
  const auto chain = ReadBundle(identity.chain_pem);
  if (!chain) return std::unexpected(chain.error());
  auto key = PrivateKey::FromPem(identity.key_pem);
  if (!key) return std::unexpected(key.error());
  if (!key->Matches(chain->front()))
    return Explain(Errc::kInvalidInput, "the private key does not belong to certificate " + chain->front().subject());
  LoadedIdentity out{.chain = {}, .key = std::move(*key), .dns_sans = chain->front().dns_sans(), .spiffe = {}};
  const bool first = native.identities.empty();
  for (const Certificate& certificate : *chain) {
    const std::string der = certificate.ToDer();
    out.chain.emplace_back(
        CRYPTO_BUFFER_new(reinterpret_cast<const std::uint8_t*>(der.data()), der.size(), BufferPool()));
    if (first) native.own_not_after = std::min(native.own_not_after, certificate.not_after());
  }
  out.spiffe = SpiffeIdentity(chain->front().uri_sans());
  if (first) native.own_identity = out.spiffe;
  return out;
}

bool FitsName(const LoadedIdentity& identity, std::string_view sni) {
  return std::ranges::any_of(identity.dns_sans, [&](const std::string& san) { return MatchesDns(san, sni); });
}

std::vector<CRYPTO_BUFFER*> PointersOf(const LoadedIdentity& identity) {
  std::vector<CRYPTO_BUFFER*> chain;
  for (const auto& certificate : identity.chain) chain.push_back(certificate.get());
  return chain;
}

const Context::Native& NativeOf(SSL_CTX* ctx) {
  return *static_cast<const Context::Native*>(SSL_CTX_get_ex_data(ctx, 0));
}

ssl_select_cert_result_t ChooseIdentity(const SSL_CLIENT_HELLO* hello) {
  const Context::Native& native = NativeOf(SSL_get_SSL_CTX(hello->ssl));
  const char* sni = SSL_get_servername(hello->ssl, TLSEXT_NAMETYPE_host_name);
  if (sni == nullptr) return ssl_select_cert_success;
  for (const LoadedIdentity& identity : native.identities)
    if (FitsName(identity, sni))
      return UseIdentity(hello->ssl, identity) ? ssl_select_cert_success : ssl_select_cert_error;
  return ssl_select_cert_success;
}

// Our order of preference decides (RFC 7301 3.2); without a common name the handshake goes on without ALPN, as Envoy
// does.
int ChooseAlpn(SSL* ssl, const std::uint8_t** out, std::uint8_t* out_size, const std::uint8_t* offered,
               unsigned offered_size, void* /*unused*/) {
  const std::string& ours = NativeOf(SSL_get_SSL_CTX(ssl)).alpn_wire;
  std::uint8_t* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const std::uint8_t*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// What an own certificate stands for: a renewed one of the same identity goes on with the sessions of the old one. One
// without SPIFFE identity stands for itself.
std::string NameOf(const LoadedIdentity& identity) {
  const CRYPTO_BUFFER* leaf = identity.chain.front().get();
  const std::string_view der(reinterpret_cast<const char*>(CRYPTO_BUFFER_data(leaf)), CRYPTO_BUFFER_len(leaf));
  return identity.spiffe.empty() ? Sha256(der) : identity.spiffe;
}

std::string RootOf(const Context::Native& native) {
  if (native.server || native.identities.empty()) return {};
  const bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> chain(sk_CRYPTO_BUFFER_new_null());
  for (const auto& certificate : native.identities.front().chain)
    bssl::PushToStack(chain.get(), bssl::UpRef(certificate.get()));
  return native.verifier->RootOf(chain.get());
}

Outcome<> SetUp(SSL_CTX* ctx, const ContextOptions& options, const Context::Native& native) {
  SSL_CTX_set_ex_data(ctx, 0, const_cast<Context::Native*>(&native));
  SSL_CTX_set0_buffer_pool(ctx, BufferPool());
  SSL_CTX_set_min_proto_version(ctx, options.tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(ctx, options.tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  const std::string ciphers = options.tls12_ciphers.empty() ? kTls12Ciphers : Join(options.tls12_ciphers, ":");
  if (SSL_CTX_set_strict_cipher_list(ctx, ciphers.c_str()) != 1)
    return Explain(Errc::kInvalidInput, "unknown cipher suite in " + ciphers);
  if (SSL_CTX_set_ciphersuites(ctx, kTls13Ciphers) != 1) return Explain(Errc::kInternal, "TLS 1.3 cipher suites");
  if (SSL_CTX_set1_groups_list(ctx, options.groups.c_str()) != 1)
    return Explain(Errc::kInvalidInput, "unknown key exchange group in " + options.groups, kSomeGroups);
  int mode = SSL_VERIFY_NONE;
  if (!options.server || options.peer.certificate != PeerPolicy::Certificate::kNone) mode = SSL_VERIFY_PEER;
  if (options.server && options.peer.certificate == PeerPolicy::Certificate::kRequired)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_custom_verify(ctx, mode, VerifyPeer);
  SSL_CTX_set_early_data_enabled(ctx, 0);
  SSL_CTX_set_timeout(ctx, kSessionSeconds);
  SSL_CTX_set_session_psk_dhe_timeout(ctx, kSessionSeconds);
  if (options.server) {
    // Sessions are taken up under the same own identity and the same trust only; ticket keys are the process's.
    std::string names;
    for (const LoadedIdentity& identity : native.identities) names += NameOf(identity) + '\n';
    const std::string scope = Sha256(names + native.verifier->scope());
    SSL_CTX_set_ticket_aead_method(ctx, &kTickets);
    SSL_CTX_set_session_id_context(ctx, reinterpret_cast<const std::uint8_t*>(scope.data()), scope.size());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_select_certificate_cb(ctx, ChooseIdentity);
    if (!native.alpn_wire.empty()) SSL_CTX_set_alpn_select_cb(ctx, ChooseAlpn, nullptr);
  } else {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, KeepSession);
  }
  if (!options.tickets) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  return {};
}

}  // namespace

std::string AlpnWire(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) continue;
    out += static_cast<char>(name.size());
    out += name;
  }
  return out;
}

bool UseIdentity(SSL* ssl, const LoadedIdentity& identity) {
  const std::vector<CRYPTO_BUFFER*> chain = PointersOf(identity);
  return SSL_set_chain_and_key(ssl, chain.data(), chain.size(), identity.key.native().key.get(), nullptr) == 1;
}

Context::Context(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Context::~Context() = default;
bool Context::server() const noexcept { return native_->server; }
const std::string& Context::own_identity() const noexcept { return native_->own_identity; }
WallTime Context::own_not_after() const noexcept { return native_->own_not_after; }

Outcome<std::shared_ptr<const Context>> Context::Make(const ContextOptions& options) {
  static std::atomic<std::uint64_t> last_id = 0;
  auto native = std::make_unique<Native>();
  native->server = options.server;
  native->id = ++last_id;
  native->alpn_wire = AlpnWire(options.alpn);
  for (const Identity& identity : options.identities) {
    auto loaded = Load(identity, *native);
    if (!loaded) {
      loaded.error().message =
          "certificate chain " + std::to_string(native->identities.size() + 1) + ": " + loaded.error().message;
      return std::unexpected(std::move(loaded.error()));
    }
    native->identities.push_back(std::move(*loaded));
  }
  if (options.server && native->identities.empty())
    return Explain(Errc::kInvalidInput, "a TLS server needs a certificate");
  auto verifier = Verifier::Make(options);
  if (!verifier) return std::unexpected(std::move(verifier.error()));
  native->verifier = std::move(*verifier);
  native->own_root = RootOf(*native);
  native->ctx.reset(SSL_CTX_new(TLS_with_buffers_method()));
  if (!native->ctx) return Explain(Errc::kInternal, "cannot make a TLS context: " + LastReason());
  if (auto set_up = SetUp(native->ctx.get(), options, *native); !set_up)
    return std::unexpected(std::move(set_up.error()));
  if (!native->identities.empty()) {
    const LoadedIdentity& first = native->identities.front();
    const std::vector<CRYPTO_BUFFER*> chain = PointersOf(first);
    if (SSL_CTX_set_chain_and_key(native->ctx.get(), chain.data(), chain.size(), first.key.native().key.get(),
                                  nullptr) != 1)
      return Explain(Errc::kInvalidInput, "certificate chain 1: " + LastReason());
  }
  return std::shared_ptr<const Context>(new Context(std::move(native)));
}

}  // namespace plait::tls
