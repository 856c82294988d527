#include "proxy/session/mirror.h"

#include <utility>

#include "core/http/path.h"

namespace plait::proxy::session {
namespace {

// What waits for a connection, or for a slow one. A mirror that falls behind further is given up.
constexpr std::size_t kMostHeld = 1024 * 1024;

// "a.test:80" -> "a.test-shadow:80", so that the other side can tell copies from requests.
std::string ShadowAuthority(const std::string& authority) {
  const std::string_view host = http::HostOnly(authority);
  return std::string(host) + "-shadow" + authority.substr(host.size());
}

}  // namespace

Mirror::Mirror(Context& context, const xds::MirrorPolicy& policy, const http::RequestHead& head, Duration timeout)
    : context_(context), cluster_(policy.cluster), head_(head) {
  if (!policy.disable_shadow_host_suffix_append) head_.authority = ShadowAuthority(head_.authority);
  head_.headers.Set("x-envoy-internal", "true");  // the copy comes from this proxy
  if (timeout <= Duration(0)) return;
  head_.headers.Set("x-envoy-expected-rq-timeout-ms",
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count()));
  timer_.SetCallback([this] { Finish(); });
  timer_.Start(context.loop.timers(), timeout);
}

Mirror::~Mirror() { Attempt::Abandon(std::exchange(attempt_, nullptr), http::ResetReason::kCancel); }

void Mirror::LetGo(std::unique_ptr<Mirror> mirror) {
  if (mirror->over_) return;
  mirror->kept_ = true;
  Orphans& orphans = mirror->context_.orphans;
  orphans.Keep(std::move(mirror));
}

void Mirror::Start(bool end_stream) {
  head_only_ = ended_ = end_stream;
  if (context_.clusters.Find(cluster_) != nullptr) return Begin();
  if (context_.static_only) return Finish();
  waiting_ = context_.on_demand.NeedCluster(cluster_, context_.warming_limit, [this](bool ready) {
    if (!ready || context_.clusters.Find(cluster_) == nullptr) return Finish();
    Begin();
  });
}

void Mirror::Begin() {
  cluster::WorkerCluster& worker_cluster = *context_.clusters.Find(cluster_);
  const cluster::ClusterPtr cluster = worker_cluster.cluster();
  const cluster::Picked picked = worker_cluster.Pick({});
  if (picked.host == nullptr) return Finish();
  const upstream::Application application = upstream::ApplicationFor(*cluster->config, head_.version);
  const Result<upstream::HttpPool*> pool =
      context_.pools.For(cluster, picked.host, application, xds::RoutingPriority::kDefault,
                         upstream::ServerNameOf(*cluster->config, head_));
  if (!pool) return Finish();
  AttemptEvents& events = *this;
  attempt_ = std::make_unique<Attempt>(context_.orphans, events, cluster, picked.host, xds::RoutingPriority::kDefault,
                                       /*meter=*/nullptr);
  if (!attempt_->Start(**pool)) return Finish();
  if (attempt_->open()) Send();
}

void Mirror::Send() {
  attempt_->SendHead(head_, head_only_);
  if (!head_only_) Flush();
}

void Mirror::Flush() {
  if (over_ || attempt_ == nullptr || !attempt_->open() || !attempt_->head_sent()) return;
  if (attempt_->above_high_watermark()) {
    if (body_.size() > kMostHeld) Finish();
    return;
  }
  const bool last = ended_ && !trailers_;
  if (!body_.empty() || last) attempt_->SendData(body_, last);
  if (trailers_) attempt_->SendTrailers(*std::exchange(trailers_, std::nullopt));
}

void Mirror::SendData(Buffer& data, bool end_stream) {
  if (over_) return data.Clear();
  ended_ = end_stream;
  body_.MoveFrom(data);
  if (body_.size() > kMostHeld) return Finish();
  Flush();
}

void Mirror::SendTrailers(const http::Headers& trailers) {
  if (over_) return;
  ended_ = true;
  trailers_ = trailers;
  Flush();
}

void Mirror::OnAttemptHead(http::ResponseHead head, bool end_stream) {
  attempt_->cluster()->state->CountResponse(head.status);
  if (end_stream) Finish();
}

void Mirror::OnAttemptData(Buffer& data, bool end_stream) {
  data.Clear();
  if (end_stream) Finish();
}

void Mirror::OnAttemptTrailers(http::Headers /*trailers*/) { Finish(); }

void Mirror::OnAttemptFailed(Failure /*failure*/, const std::string& /*transport*/) { Finish(); }

void Mirror::Finish() {
  if (std::exchange(over_, true)) return;
  timer_.Cancel();
  body_.Clear();
  Attempt::Abandon(std::exchange(attempt_, nullptr), http::ResetReason::kCancel);
  if (kept_) context_.orphans.Release(*this);
}

}  // namespace plait::proxy::session
