#include "control/serve/secure_server.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/tls/stream.h"

namespace plait::control::serve {
namespace {

log::Component kLog("secure-server");
// Whoever reaches the port may begin calls before it is known who they are: what they make us keep is small.
constexpr std::size_t kMaxMessage = 64 * 1024;
constexpr std::uint32_t kMaxStreams = 64;
constexpr Duration kRetry = std::chrono::minutes(1);
constexpr Duration kIdle = std::chrono::seconds(30);  // a connection without a call, of whomever
// A stream of a proxy may be silent for hours: a host that vanished is noticed after a minute.
constexpr io::KeepAlive kKeepAlive{.idle = std::chrono::seconds(30), .interval = std::chrono::seconds(10), .probes = 3};

}  // namespace

SecureServer::SecureServer(io::Loop& loop, const ca::Authority& authority, SecureServerOptions options)
    : loop_(loop),
      authority_(authority),
      options_(std::move(options)),
      renewal_(loop,
               [this] {
                 if (const Outcome<> renewed = Renew(); !renewed)
                   kLog.Error("the own certificate was not renewed: " + renewed.error().ToString());
               }),
      grpc_(loop, {.max_message = kMaxMessage}),
      http_(loop, {.connection = {.codec = {.max_concurrent_streams = kMaxStreams}, .idle_timeout = kIdle}}, grpc_) {
  grpc_.AddHealthService();
  grpc_.AddReflectionService();
}

SecureServer::~SecureServer() = default;

Outcome<> SecureServer::Renew() {
  Outcome<> renewed = RenewOnce();
  // Half of its life is left when the next is made: time enough to try again.
  renewal_.Start(renewed ? options_.certificate_ttl / 2 : std::min(kRetry, options_.certificate_ttl / 10));
  return renewed;
}

Outcome<> SecureServer::RenewOnce() {
  auto identity = authority_.IssueServer(options_.dns_names,
                                         {.trust_domain = authority_.trust_domain(),
                                          .name_space = options_.name_space,
                                          .service_account = options_.service_account},
                                         options_.certificate_ttl);
  if (!identity) return std::unexpected(identity.error());
  tls::ContextOptions context;
  context.server = true;
  context.identities = {std::move(*identity)};
  context.bundle_pem = authority_.bundle_pem();
  context.peer.certificate = tls::PeerPolicy::Certificate::kOptional;
  context.peer.trust_domains = options_.trust_domain_aliases;
  context.peer.trust_domains.push_back(authority_.trust_domain());
  context.alpn = {"h2"};
  auto made = tls::Context::Make(context);
  if (!made) return std::unexpected(made.error());
  context_ = std::move(*made);
  return {};
}

std::unique_ptr<io::Stream> SecureServer::Accept(io::UniqueFd socket) {
  return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(socket), kKeepAlive), context_);
}

Outcome<io::SocketAddress> SecureServer::Listen(const io::SocketAddress& address) {
  if (!context_)
    if (Outcome<> first = Renew(); !first) return std::unexpected(first.error());
  return http_.ListenOn(address, [this](io::UniqueFd socket) { return Accept(std::move(socket)); });
}

Outcome<> SecureServer::Adopt(io::UniqueFd listener) {
  if (!context_)
    if (Outcome<> first = Renew(); !first) return first;
  http_.Listen(std::move(listener), [this](io::UniqueFd socket) { return Accept(std::move(socket)); });
  return {};
}

}  // namespace plait::control::serve
