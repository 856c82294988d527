#include "control/serve/ads_server.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "control/serve/delta_session.h"
#include "control/serve/service_descriptors.h"
#include "control/serve/sotw_session.h"
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

template <class Request>
Result<Request> Decode(std::string_view bytes) {
  if constexpr (std::is_same_v<Request, xds::DeltaRequest>) {
    return xds::DecodeDeltaRequest(bytes);
  } else {
    return xds::DecodeDiscoveryRequest(bytes);
  }
}
std::string Encode(const xds::SharedDeltaResponse& response) { return xds::EncodeDeltaResponse(response); }
std::string Encode(const xds::DiscoveryResponse& response) { return xds::EncodeDiscoveryResponse(response); }

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

// One connected client, whichever form of the protocol it speaks.
class AdsServer::Stream : public grpc::CallHandler {
 public:
  Stream(AdsServer& server, grpc::ServerCall& call, identity::SpiffeId identity, std::string_view form)
      : server_(server),
        call_(call),
        identity_(std::move(identity)),
        form_(form),
        number_(++server.streams_so_far_),
        connected_at_(server.loop_.clock().Wall()),
        overdue_([this] { Overdue(); }) {
    server_.streams_.push_back(this);
    server_.CountStreams(form_);
  }
  // The server goes first: nothing of it may be touched any more.
  void Orphan() {
    Finish({.code = grpc::Code::kUnavailable, .message = "the control plane ends", .details = {}});
    orphaned_ = true;
  }

  void ConfigChanged(const Difference& difference) {
    if (!proxy_) return;
    if (!changed_at_) changed_at_ = server_.loop_.Now();
    MarkStale(difference, *proxy_);
  }
  // After a change; a proxy that need not hear of it has nothing to acknowledge.
  void PushChange() {
    Push();
    if (!has_unacknowledged() && !call_.above_high_watermark()) changed_at_.reset();
  }
  void Push();
  // Nothing is on its way to the client, and nothing waits to be.
  bool caught_up() const noexcept {
    return over_ || !proxy_ || (!changed_at_ && !has_unacknowledged() && !call_.above_high_watermark());
  }
  std::string_view form() const noexcept { return form_; }
  const std::optional<Proxy>& proxy() const noexcept { return proxy_; }
  bool over() const noexcept { return over_; }
  virtual std::map<std::string, std::string> Held(std::string_view type_url) const = 0;
  virtual std::vector<std::string> Names(std::string_view type_url) const = 0;
  ClientStatus status() const {
    return {.number = number_,
            .proxy = &*proxy_,
            .remote = call_.context().remote.ToString(),
            .connected_at = connected_at_,
            .form = form_,
            .types = Types(),
            .times = times_};
  }

 protected:
  // Whether a request with this node and type may go on to the session; if not, the stream has ended.
  bool Admit(const std::optional<xds::Node>& node, const std::string& type_url);
  // The session has read the request. `refused`: ErrorOf the type before that.
  void Answered(const std::string& type_url, const Result<Reply>& reply, const std::string& refused);
  // The stream ends. `refuses`: the client still refused something of what it was sent.
  void Leave(bool refuses);
  void Refuse(grpc::Code code, std::string why);
  void Send(const std::string& type_url, std::size_t resources, const std::string& bytes);
  AdsServer& server() noexcept { return server_; }

 private:
  virtual void MarkStale(const Difference& difference, const Proxy& proxy) = 0;
  virtual void SendNew(ResourceProvider& provider) = 0;
  virtual bool has_unacknowledged() const noexcept = 0;
  virtual std::string ErrorOf(const std::string& type_url) const = 0;
  virtual std::map<std::string, SentStatus> Types() const = 0;

  void OnHalfClose() override { Finish({}); }
  void OnWritable() override { Push(); }
  void OnCancelled() override { over_ = true; }
  void Finish(grpc::Status status) {
    if (std::exchange(over_, true)) return;
    overdue_.Cancel();
    call_.Finish(std::move(status));
  }
  void Settle();
  void Overdue();

  AdsServer& server_;
  grpc::ServerCall& call_;
  const identity::SpiffeId identity_;
  const std::string_view form_;
  const std::uint64_t number_;
  const WallTime connected_at_;
  std::map<std::string, ClientStatus::Times> times_;
  std::optional<Proxy> proxy_;  // once the first request was read
  bool over_ = false;
  bool orphaned_ = false;
  std::optional<MonotonicTime> changed_at_;  // of the oldest change that the client has not acknowledged
  io::Timer overdue_;
};

// `Session` is DeltaSession or SotwSession: what is said differs, when it is said does not.
template <class Session>
class AdsServer::StreamOf final : public Stream {
 public:
  using Stream::Stream;
  ~StreamOf() override {
    Leave(std::ranges::any_of(session_.status(), [](const auto& type) { return !type.second.last_error.empty(); }));
  }

 private:
  void OnMessage(std::string message) override {
    if (over()) return;
    const Result<typename Session::Request> request = Decode<typename Session::Request>(message);
    if (!request) {
      server().metrics_.Add("pilot_total_xds_internal_errors");
      return Refuse(grpc::Code::kInvalidArgument, request.error().detail);
    }
    if (!Admit(request->node, request->type_url)) return;
    const std::string refused = session_.error(request->type_url);
    Answered(request->type_url, session_.OnRequest(*request), refused);
  }
  void MarkStale(const Difference& difference, const Proxy& proxy) override {
    session_.OnConfigChanged(difference, proxy);
  }
  void SendNew(ResourceProvider& provider) override {
    for (typename Session::Response& response : session_.Take(provider, *proxy())) {
      response.control_plane = server().options_.identifier;
      Send(response.type_url, response.resources.size(), Encode(response));
    }
  }
  bool has_unacknowledged() const noexcept override { return session_.has_unacknowledged(); }
  std::string ErrorOf(const std::string& type_url) const override { return session_.error(type_url); }
  std::map<std::string, SentStatus> Types() const override { return session_.status(); }
  std::vector<std::string> Names(std::string_view type_url) const override { return session_.Names(type_url); }
  std::map<std::string, std::string> Held(std::string_view type_url) const override { return session_.Held(type_url); }

  Session session_;
};

bool AdsServer::Stream::Admit(const std::optional<xds::Node>& node, const std::string& type_url) {
  if (!proxy_) {
    if (!node) {
      Refuse(grpc::Code::kInvalidArgument, "the first request of a stream must carry the node");
      return false;
    }
    auto proxy = ReadProxy(*node, identity_);
    if (!proxy) {
      Refuse(proxy.error().code, std::move(proxy.error().message));
      return false;
    }
    proxy_ = std::move(*proxy);
    kLog.Info("connected: " + proxy_->node.id + " as " + identity_.ToString());
  }
  if (server_.provider_.Serves(type_url)) return true;
  Refuse(grpc::Code::kInvalidArgument, "type " + Cut(type_url, kMostShown) + " is not served");
  return false;
}

void AdsServer::Stream::Refuse(grpc::Code code, std::string why) {
  server_.metrics_.Add("pilot_xds_streams_refused");
  kLog.Warn("stream of " + identity_.ToString() + " from " + call_.context().remote.ToString() + " ended: " + why);
  Finish({.code = code, .message = std::move(why), .details = {}});
}

void AdsServer::Stream::Leave(bool refuses) {
  if (orphaned_) return;
  std::erase(server_.streams_, this);
  std::erase(server_.to_push_, this);
  server_.CountStreams(form_);
  if (proxy_) kLog.Info("disconnected: " + proxy_->Key());
  if (refuses && server_.on_refusals_) server_.on_refusals_();
}

void AdsServer::Stream::Answered(const std::string& type_url, const Result<Reply>& reply, const std::string& refused) {
  if (!reply) return Refuse(grpc::Code::kResourceExhausted, reply.error().detail);
  if (*reply == Reply::kExpiredNonce) server_.metrics_.Add("pilot_xds_expired_nonce", {{"type", TypeLabel(type_url)}});
  if (*reply == Reply::kNack) {
    server_.metrics_.Add("pilot_total_xds_rejects", {{"type", TypeLabel(type_url)}});
    kLog.Warn(proxy_->Key() + " rejected " + std::string(xds::type_url::MessageName(type_url)) + ": " +
              ErrorOf(type_url));
  }
  // Who answers is not overdue, even when the next change is on its way to it already.
  if (*reply == Reply::kAck || *reply == Reply::kNack) {
    overdue_.Cancel();
    times_[type_url].answered = server_.loop_.clock().Wall();
  }
  if (ErrorOf(type_url) != refused && server_.on_refusals_) server_.on_refusals_();
  Push();
  Settle();
}

void AdsServer::Stream::Push() {
  if (over_ || !proxy_ || !server_.ready_) return;
  // A client that does not read gets nothing more until it does; then it gets the newest state.
  if (!call_.above_high_watermark()) {
    const MonotonicTime begun = server_.loop_.clock().Now();
    SendNew(server_.provider_);
    server_.metrics_.Observe("pilot_xds_push_time", {}, Seconds(server_.loop_.clock().Now() - begun));
  }
  if ((call_.above_high_watermark() || has_unacknowledged()) && !overdue_.armed())
    overdue_.Start(server_.loop_.timers(), server_.options_.answer_timeout);
}

void AdsServer::Stream::Send(const std::string& type_url, std::size_t resources, const std::string& bytes) {
  const std::string type = TypeLabel(type_url);
  server_.metrics_.Add("pilot_xds_pushes", {{"type", type}});
  server_.metrics_.Add("pilot_xds_resources_sent", {{"type", type}}, static_cast<double>(resources));
  server_.metrics_.Observe("pilot_xds_config_size_bytes", {{"type", type}}, static_cast<double>(bytes.size()));
  times_[type_url].sent = server_.loop_.clock().Wall();
  call_.Send(bytes);
}

// Everything that was sent is answered: the proxy runs the configuration of now.
void AdsServer::Stream::Settle() {
  if (over_ || has_unacknowledged()) return;
  overdue_.Cancel();
  if (!server_.ready_) return;
  if (changed_at_) {
    server_.metrics_.Observe("pilot_proxy_convergence_time", {}, Seconds(server_.loop_.Now() - *changed_at_));
    changed_at_.reset();
  }
  if (server_.on_caught_up_ && server_.CaughtUp()) server_.on_caught_up_();
}

void AdsServer::Stream::Overdue() {
  server_.metrics_.Add("pilot_xds_write_timeout");
  Refuse(grpc::Code::kUnavailable,
         "no answer for " + FormatDuration(server_.options_.answer_timeout) + "; connect again");
}

AdsServer::AdsServer(io::Loop& loop, grpc::Server& server, ResourceProvider& provider, const ca::TokenTable& tokens,
                     Metrics& metrics, AdsOptions options)
    : loop_(loop), provider_(provider), tokens_(tokens), metrics_(metrics), options_(std::move(options)) {
  KeepServiceDescriptors();
  constexpr std::size_t kMaxMessage = 16 * 1024 * 1024;  // a reconnecting proxy names all that it has
  server.AddStreaming(
      xds::kDeltaAdsMethod, [this](grpc::ServerCall& call) { return Open<StreamOf<DeltaSession>>(call, "delta"); },
      kMaxMessage);
  server.AddStreaming(
      xds::kAdsMethod, [this](grpc::ServerCall& call) { return Open<StreamOf<SotwSession>>(call, "sotw"); },
      kMaxMessage);
}

template <class Kind>
std::unique_ptr<grpc::CallHandler> AdsServer::Open(grpc::ServerCall& call, std::string_view form) {
  auto caller = ca::Authenticate(call.context(), tokens_, options_.trust_domain);
  if (!caller) {
    metrics_.Add("pilot_xds_streams_refused");
    kLog.Warn("stream from " + call.context().remote.ToString() + " refused: " + caller.error().message);
    call.Finish(caller.error());
    return nullptr;
  }
  return std::make_unique<Kind>(*this, call, std::move(*caller), form);
}

void AdsServer::CountStreams(std::string_view form) {
  const auto count =
      std::count_if(streams_.begin(), streams_.end(), [&](const Stream* s) { return s->form() == form; });
  metrics_.Set("pilot_xds", {{"version", form}}, static_cast<double>(count));
}

AdsServer::~AdsServer() {
  for (Stream* stream : streams_) stream->Orphan();
}

void AdsServer::Ready() {
  if (std::exchange(ready_, true)) return;
  to_push_ = streams_;
  PlanPush();
}

void AdsServer::ConfigChanged(const Difference& difference) {
  for (Stream* stream : streams_) stream->ConfigChanged(difference);
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
    stream->PushChange();
  }
  if (!to_push_.empty()) return PlanPush();
  if (on_caught_up_ && CaughtUp()) on_caught_up_();
}

bool AdsServer::CaughtUp() const {
  return ready_ && !push_planned_ && to_push_.empty() &&
         std::all_of(streams_.begin(), streams_.end(), [](const Stream* stream) { return stream->caught_up(); });
}

std::set<std::string> AdsServer::Connected() const {
  std::set<std::string> keys;
  for (const Stream* stream : streams_)
    if (stream->proxy() && !stream->over()) keys.insert(stream->proxy()->Key());
  return keys;
}

std::vector<ClientStatus> AdsServer::clients() const {
  std::vector<ClientStatus> out;
  for (const Stream* stream : streams_)
    if (stream->proxy()) out.push_back(stream->status());
  return out;
}

std::vector<std::string> AdsServer::SubscribedBy(const Proxy& proxy, std::string_view type_url) const {
  for (const Stream* stream : streams_)
    if (stream->proxy() && &*stream->proxy() == &proxy) return stream->Names(type_url);
  return {};
}

std::optional<std::vector<ResourceRef>> AdsServer::ResourcesOf(std::string_view key, std::string_view type_url) const {
  for (const Stream* stream : streams_) {
    if (!stream->proxy() || stream->proxy()->Key() != key) continue;
    std::vector<ResourceRef> out;
    for (const auto& [name, version] : stream->Held(type_url))
      if (ResourceRef resource = provider_.Find(*stream->proxy(), type_url, name)) out.push_back(std::move(resource));
    return out;
  }
  return std::nullopt;
}

}  // namespace plait::control::serve
