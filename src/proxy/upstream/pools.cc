#include "proxy/upstream/pools.h"

#include <algorithm>

namespace plait::proxy::upstream {
namespace {

conn::ConnectionOptions ConnectionOptionsFor(const xds::Cluster& config, const cluster::Cluster& cluster,
                                             const cluster::Host& host, Application application) {
  const xds::UpstreamHttpOptions& http = config.http;
  conn::ConnectionOptions options;
  options.codec.max_header_count = http.common.max_headers_count.value_or(100);
  options.codec.max_header_bytes = http.common.max_response_headers_kb.value_or(60) * std::size_t{1024};
  options.codec.enable_trailers = http.http1.enable_trailers;
  options.codec.high_watermark = config.per_connection_buffer_limit / 4;
  if (http.http2.initial_stream_window_size) options.codec.stream_window = *http.http2.initial_stream_window_size;
  if (http.http2.initial_connection_window_size) {
    options.codec.connection_window = *http.http2.initial_connection_window_size;
  }
  options.idle_timeout = http.common.idle_timeout.value_or(std::chrono::hours(1));
  options.protocol = application == Application::kHttp2 ? conn::Protocol::kHttp2 : conn::Protocol::kHttp1;
  const bool by_alpn = http.protocol == xds::UpstreamHttpOptions::Protocol::kAutoByAlpn;
  if (by_alpn) options.protocol = cluster.TlsFor(host) != nullptr ? conn::Protocol::kDetect : conn::Protocol::kHttp1;
  return options;
}

}  // namespace

std::size_t Pools::KeyHash::operator()(const Key& key) const noexcept {
  const std::size_t host = std::hash<const void*>{}(key.host);
  const std::size_t config = std::hash<const void*>{}(key.config);
  const std::size_t small = static_cast<std::size_t>(key.application) * 2 + static_cast<std::size_t>(key.priority);
  return (host * 31 + config) * 31 + small + (key.sni.empty() ? 0 : std::hash<std::string>{}(key.sni));
}

void Pools::Retire(std::unique_ptr<HttpPool> pool) {
  HttpPool* retired = pool.get();
  draining_.push_back(std::move(pool));
  retired->OnEmpty([this, retired] {
    const auto place =
        std::find_if(draining_.begin(), draining_.end(), [&](const auto& p) { return p.get() == retired; });
    if (place == draining_.end()) return;
    loop_.DeleteLater(std::move(*place));
    draining_.erase(place);
  });
  retired->Drain();
}

template <class Gone>
void Pools::RetireIf(Gone gone) {
  for (auto pool = pools_.begin(); pool != pools_.end();) {
    if (!gone(pool->first, *pool->second)) {
      ++pool;
      continue;
    }
    Retire(std::move(pool->second));
    pool = pools_.erase(pool);
  }
}

Result<HttpPool*> Pools::For(const cluster::ClusterPtr& cluster, const cluster::HostPtr& host, Application application,
                             xds::RoutingPriority priority, std::string_view server_name) {
  const xds::Cluster& config = *cluster->config;
  Key key{host.get(), &config, application, priority, {}};
  if (config.http.auto_sni && cluster->TlsFor(*host) != nullptr) key.sni = server_name;
  if (const auto found = pools_.find(key); found != pools_.end()) return found->second.get();

  Result<Dial> dial =
      MakeDial(contexts_, {.cluster = *cluster, .host = *host, .application = application, .server_name = server_name});
  if (!dial) return std::unexpected(dial.error());
  HttpPoolOptions options;
  options.connector = &connector_;
  options.dial = std::move(*dial);
  options.connection = ConnectionOptionsFor(config, *cluster, *host, application);
  options.max_requests_per_connection = config.http.common.max_requests_per_connection.value_or(0);
  options.max_concurrent_streams = config.http.http2.max_concurrent_streams.value_or(0);
  options.max_connection_duration = config.http.common.max_connection_duration.value_or(Duration(0));
  options.cluster = cluster;
  options.host = host;
  options.priority = priority;
  options.server_name = key.sni;
  // Pools of earlier configurations of the cluster.
  RetireIf([&](const Key& of, const HttpPool& pool) {
    return of.host == host.get() && of.config != &config && pool.options().cluster->name() == config.name;
  });
  auto pool = std::make_unique<HttpPool>(loop_, std::move(options));
  HttpPool* made = pool.get();
  pools_.emplace(std::move(key), std::move(pool));
  return made;
}

void Pools::DrainHost(const cluster::Host& host) {
  RetireIf([&](const Key& key, const HttpPool&) { return key.host == &host; });
}

void Pools::JudgeAgain() {
  for (const auto& [key, pool] : pools_) pool->JudgeAgain(contexts_);
  for (const auto& pool : draining_) pool->JudgeAgain(contexts_);
}

}  // namespace plait::proxy::upstream
