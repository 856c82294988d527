#include "proxy/worker/upstream_tls.h"

#include "core/tls/stream.h"

namespace plait::proxy::worker {
namespace {

// One pool's or session's way into TLS: always with the newest context that can be made.
class SecureHost {
 public:
  SecureHost(Secrets& secrets, std::shared_ptr<const xds::Cluster> cluster, const xds::UpstreamTlsContext& config,
             tls::WrapOptions options, ContextPtr context)
      : secrets_(&secrets),
        cluster_(std::move(cluster)),
        config_(&config),
        options_(std::move(options)),
        context_(std::move(context)),
        version_(secrets.version()) {}

  std::unique_ptr<io::Stream> operator()(io::Loop& loop, std::unique_ptr<io::Stream> stream) {
    if (const std::uint64_t now = secrets_->version(); now != version_) {
      version_ = now;
      // A context that cannot be made now leaves the last one in force: it proves no less than before.
      if (auto fresh = secrets_->Client(*config_, !options_.expected_identity.empty())) context_ = std::move(*fresh);
    }
    return tls::Wrap(loop, std::move(stream), context_, options_);
  }

 private:
  Secrets* secrets_;
  std::shared_ptr<const xds::Cluster> cluster_;  // keeps `config_` alive
  const xds::UpstreamTlsContext* config_;
  tls::WrapOptions options_;
  ContextPtr context_;
  std::uint64_t version_;
};

}  // namespace

Result<upstream::Secure> UpstreamTls::SecureFor(const std::shared_ptr<const xds::Cluster>& cluster,
                                                const Request& request) {
  Outcome<ContextPtr> context = secrets_.Client(request.config, !request.identity.empty());
  if (!context)
    return Fail(Errc::kUnavailable, "TLS context is not ready: a certificate or roots are missing or broken");
  tls::WrapOptions options;
  options.sni = request.sni;
  options.alpn = request.alpn;
  options.expected_identity = request.identity;
  if (request.identity.empty()) options.expected_name = request.name;
  // Each connection makes a new handshake when no session may be kept.
  if (request.config.max_session_keys > 0)
    options.session_key = cluster->name + "|" + request.identity + "|" + request.sni;
  options.handshake_timeout = cluster->connect_timeout;
  return upstream::Secure(SecureHost(secrets_, cluster, request.config, std::move(options), *std::move(context)));
}

upstream::TlsContexts::Judge UpstreamTls::JudgeFor(const cluster::Cluster& cluster, const cluster::Host& host) {
  const xds::UpstreamTlsContext* config = cluster.TlsFor(host);
  if (config == nullptr) return nullptr;
  Outcome<ContextPtr> context = secrets_.Client(*config, !host.facts().identity.empty());
  if (!context) return nullptr;  // what is established proves no less than before
  return [context = *std::move(context), drain_time = drain_time_](const io::Stream& stream) -> Standing {
    if (stream.tls() == nullptr) return {};
    auto [why, root_gone] = tls::RefusalOf(stream, *context);
    Standing standing{.refusal = std::move(why), .is_under_other_root = tls::IsUnderOtherRoot(stream, *context)};
    if (root_gone) standing.last_requests = drain_time;
    return standing;
  };
}

}  // namespace plait::proxy::worker
