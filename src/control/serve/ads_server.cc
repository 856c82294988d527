#include "control/serve/ads_server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/log.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

log::Component kLog("ads");
constexpr std::size_t kPushesARound = 16;  // the loop stays answerable with thousands of proxies

// Istio's short names, values of the label `type`.
std::string TypeLabel(std::string_view url) {
  using namespace xds::type_url;  // NOLINT: the names of types
  if (url == kCluster) return "cds";
  if (url == kEndpoint) return "eds";
  if (url == kListener) return "lds";
  if (url == kRoute) return "rds";
  if (url == kSecret) return "sds";
  if (url == kL4Routes) return "l4rds";
  if (url == kAddress) return "wads";
  return std::string(MessageName(url));
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

class AdsServer::Stream final : public grpc::CallHandler {
 public:
  Stream(AdsServer& server, grpc::ServerCall& call, identity::SpiffeId identity)
      : server_(server),
        call_(call),
        identity_(std::move(identity)),
        connected_at_(server.loop_.clock().Wall()),
        overdue_([this] { Overdue(); }) {
    server_.streams_.push_back(this);
    server_.metrics_.Set("pilot_xds", {{"version", "delta"}}, static_cast<double>(server_.streams_.size()));
  }
  ~Stream() override {
    if (orphaned_) return;
    std::erase(server_.streams_, this);
    std::erase(server_.to_push_, this);
    server_.metrics_.Set("pilot_xds", {{"version", "delta"}}, static_cast<double>(server_.streams_.size()));
    if (proxy_) kLog.Info("disconnected: " + proxy_->Key());
  }
  // The server goes first: nothing of it may be touched any more.
  void Orphan() {
    Finish({.code = grpc::Code::kUnavailable, .message = "the control plane ends", .details = {}});
    orphaned_ = true;
  }

  void ConfigChanged(const Touches& touches) {
    if (!proxy_) return;
    if (!changed_at_) changed_at_ = server_.loop_.Now();
    session_.OnConfigChanged([&](std::string_view url) { return !touches || touches(url, *proxy_); });
  }
  void Push();
  const std::optional<Proxy>& proxy() const noexcept { return proxy_; }
  const DeltaSession& session() const noexcept { return session_; }
  ClientStatus status() const {
    return {.proxy = &*proxy_,
            .remote = call_.context().remote.ToString(),
            .connected_at = connected_at_,
            .types = session_.status()};
  }

 private:
  void OnMessage(std::string message) override;
  void OnHalfClose() override { Finish({}); }
  void OnWritable() override { Push(); }
  void OnCancelled() override { over_ = true; }
  void Finish(grpc::Status status) {
    if (std::exchange(over_, true)) return;
    overdue_.Cancel();
    call_.Finish(std::move(status));
  }
  void Refuse(grpc::Code code, std::string why);
  void Count(const xds::DeltaRequest& request, DeltaSession::Reply reply);
  void Send(xds::DeltaResponse response);
  void Settle();
  void Overdue();

  AdsServer& server_;
  grpc::ServerCall& call_;
  const identity::SpiffeId identity_;
  const WallTime connected_at_;
  std::optional<Proxy> proxy_;  // once the first request was read
  bool over_ = false;
  bool orphaned_ = false;
  DeltaSession session_;
  std::optional<MonotonicTime> changed_at_;  // of the oldest change that the client has not acknowledged
  io::Timer overdue_;
};

void AdsServer::Stream::OnMessage(std::string message) {
  if (over_) return;
  const auto request = xds::DecodeDeltaRequest(message);
  if (!request) return Refuse(grpc::Code::kInvalidArgument, request.error().detail);
  if (!proxy_) {
    if (!request->node)
      return Refuse(grpc::Code::kInvalidArgument, "the first request of a stream must carry the node");
    auto proxy = ReadProxy(*request->node, identity_);
    if (!proxy) return Refuse(proxy.error().code, std::move(proxy.error().message));
    proxy_ = std::move(*proxy);
    kLog.Info("connected: " + proxy_->node.id + " as " + identity_.ToString());
  }
  if (!server_.provider_.Serves(request->type_url)) {
    return Refuse(grpc::Code::kInvalidArgument, "type " + request->type_url + " is not served");
  }
  const auto reply = session_.OnRequest(*request);
  if (!reply) return Refuse(grpc::Code::kResourceExhausted, reply.error().detail);
  Count(*request, *reply);
  Push();
  Settle();
}

void AdsServer::Stream::Refuse(grpc::Code code, std::string why) {
  server_.metrics_.Add("pilot_xds_streams_refused");
  kLog.Warn("stream of " + identity_.ToString() + " from " + call_.context().remote.ToString() + " ended: " + why);
  Finish({.code = code, .message = std::move(why), .details = {}});
}

void AdsServer::Stream::Count(const xds::DeltaRequest& request, DeltaSession::Reply reply) {
  if (reply == DeltaSession::Reply::kExpiredNonce)
    server_.metrics_.Add("pilot_xds_expired_nonce", {{"type", TypeLabel(request.type_url)}});
  if (reply != DeltaSession::Reply::kNack) return;
  server_.metrics_.Add("pilot_total_xds_rejects", {{"type", TypeLabel(request.type_url)}});
  kLog.Warn(proxy_->Key() + " rejected " + std::string(xds::type_url::MessageName(request.type_url)) + ": " +
            *request.error);
}

void AdsServer::Stream::Push() {
  if (over_ || !proxy_ || !server_.ready_) return;
  // A client that does not read gets nothing more until it does; then it gets the newest state.
  if (!call_.above_high_watermark()) {
    const MonotonicTime begun = server_.loop_.clock().Now();
    for (xds::DeltaResponse& response : session_.Take(server_.provider_, *proxy_)) Send(std::move(response));
    server_.metrics_.Observe("pilot_xds_push_time", {}, Seconds(server_.loop_.clock().Now() - begun));
  }
  if (call_.above_high_watermark() || session_.has_unacknowledged()) {
    if (!overdue_.armed()) overdue_.Start(server_.loop_.timers(), server_.options_.answer_timeout);
  }
}

void AdsServer::Stream::Send(xds::DeltaResponse response) {
  const std::string type = TypeLabel(response.type_url);
  response.control_plane = server_.options_.identifier;
  const std::string bytes = xds::EncodeDeltaResponse(response);
  server_.metrics_.Add("pilot_xds_pushes", {{"type", type}});
  server_.metrics_.Add("pilot_xds_resources_sent", {{"type", type}}, static_cast<double>(response.resources.size()));
  server_.metrics_.Observe("pilot_xds_config_size_bytes", {{"type", type}}, static_cast<double>(bytes.size()));
  call_.Send(bytes);
}

// Everything that was sent is answered: the proxy runs the configuration of now.
void AdsServer::Stream::Settle() {
  if (over_ || session_.has_unacknowledged()) return;
  overdue_.Cancel();
  if (!changed_at_ || !server_.ready_) return;
  server_.metrics_.Observe("pilot_proxy_convergence_time", {}, Seconds(server_.loop_.Now() - *changed_at_));
  changed_at_.reset();
}

void AdsServer::Stream::Overdue() {
  server_.metrics_.Add("pilot_xds_write_timeout");
  Refuse(grpc::Code::kUnavailable,
         "no answer for " + FormatDuration(server_.options_.answer_timeout) + "; connect again");
}

AdsServer::AdsServer(io::Loop& loop, grpc::Server& server, ResourceProvider& provider, const ca::TokenTable& tokens,
                     Metrics& metrics, AdsOptions options)
    : loop_(loop), provider_(provider), tokens_(tokens), metrics_(metrics), options_(std::move(options)) {
  server.AddStreaming(xds::kDeltaAdsMethod, [this](grpc::ServerCall& call) -> std::unique_ptr<grpc::CallHandler> {
    auto caller = ca::Authenticate(call.context(), tokens_, options_.trust_domain);
    if (!caller) {
      metrics_.Add("pilot_xds_streams_refused");
      kLog.Warn("stream from " + call.context().remote.ToString() + " refused: " + caller.error().message);
      call.Finish(caller.error());
      return nullptr;
    }
    return std::make_unique<Stream>(*this, call, std::move(*caller));
  });
}

AdsServer::~AdsServer() {
  for (Stream* stream : streams_) stream->Orphan();
}

void AdsServer::Ready() {
  if (std::exchange(ready_, true)) return;
  to_push_ = streams_;
  PlanPush();
}

void AdsServer::ConfigChanged(const Touches& touches) {
  for (Stream* stream : streams_) stream->ConfigChanged(touches);
  to_push_ = streams_;
  PlanPush();
}

void AdsServer::PlanPush() {
  if (std::exchange(push_planned_, true)) return;
  loop_.Defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    push_planned_ = false;
    PushSome();
  });
}

void AdsServer::PushSome() {
  for (std::size_t i = 0; i < kPushesARound && !to_push_.empty(); ++i) {
    Stream* const stream = to_push_.back();
    to_push_.pop_back();
    stream->Push();
  }
  if (!to_push_.empty()) PlanPush();
}

std::vector<ClientStatus> AdsServer::clients() const {
  std::vector<ClientStatus> out;
  for (const Stream* stream : streams_)
    if (stream->proxy()) out.push_back(stream->status());
  return out;
}

std::optional<std::vector<ResourceRef>> AdsServer::ResourcesOf(std::string_view key, std::string_view type_url) const {
  for (const Stream* stream : streams_) {
    if (!stream->proxy() || stream->proxy()->Key() != key) continue;
    std::vector<ResourceRef> out;
    for (const auto& [name, version] : stream->session().Held(type_url))
      if (ResourceRef resource = provider_.Find(*stream->proxy(), type_url, name)) out.push_back(std::move(resource));
    return out;
  }
  return std::nullopt;
}

}  // namespace plait::control::serve
