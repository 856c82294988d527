#include "control/serve/ads_server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/log.h"
#include "core/base/strings.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {
log::Component kLog("ads");

// Clusters before their endpoints, listeners before their routes: what is used comes first.
constexpr std::array<std::string_view, 7> kOrder = {xds::type_url::kCluster, xds::type_url::kEndpoint, xds::type_url::kListener, xds::type_url::kRoute,
                                                    xds::type_url::kL4Routes, xds::type_url::kAddress, xds::type_url::kSecret};

// "sidecar~<ip>~<pod>.<ns>~<ns>.svc.cluster.local" -> "<pod>.<ns>"; empty when it is not of that form.
std::string ProxyNameOf(const std::string& node_id) {
  const auto parts = Split(node_id, '~');
  return parts.size() == 4 ? std::string(parts[2]) : std::string();
}

// Why this node may not speak for this identity; empty when it may (semantics.md 4).
std::string NodeProblem(const xds::Node& node, const identity::SpiffeId& caller) {
  const std::string name = ProxyNameOf(node.id);
  if (name.empty()) return "node id \"" + node.id + "\" is not <type>~<ip>~<pod>.<namespace>~<domain>";
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || std::string_view(name).substr(dot + 1) != caller.name_space)
    return "node id \"" + node.id + "\" is not of namespace " + caller.name_space;
  const auto says = [&](const char* key, const std::string& expected) {
    const auto at = node.metadata.find(key);
    return at == node.metadata.end() || at->second == expected;
  };
  if (!says("NAMESPACE", caller.name_space)) return "metadata NAMESPACE is not " + caller.name_space;
  if (!says("SERVICE_ACCOUNT", caller.service_account)) return "metadata SERVICE_ACCOUNT is not " + caller.service_account;
  return {};
}
}  // namespace

class AdsServer::Stream final : public grpc::CallHandler {
 public:
  Stream(AdsServer& server, grpc::ServerCall& call, identity::SpiffeId identity)
      : server_(server), call_(call), connected_at_(server.loop_.clock().Wall()), overdue_([this] { Overdue(); }) {
    proxy_.identity = std::move(identity);
    server_.streams_.push_back(this);
  }
  ~Stream() override {
    if (!orphaned_) std::erase(server_.streams_, this);
  }
  // The server goes first; nothing of it may be touched any more.
  void Orphan() {
    orphaned_ = over_ = true;
    overdue_.Cancel();
  }

  void Push() {
    if (over_ || !has_node_) return;
    for (const std::string_view url : kOrder)
      if (const auto at = types_.find(url); at != types_.end()) PushType(at->second);
  }
  ClientStatus status() const;

 private:
  struct Type {
    explicit Type(std::string url) : subscription(std::move(url)) {}
    Subscription subscription;
    WallTime last_sent{}, last_answered{};
    MonotonicTime sent_at{};
  };

  void OnMessage(std::string message) override;
  void OnHalfClose() override { Finish({}); }
  void OnWritable() override { Push(); }
  void OnCancelled() override { over_ = true; }
  void Finish(grpc::Status status) {
    if (std::exchange(over_, true)) return;
    call_.Finish(std::move(status));
  }
  void Refuse(grpc::Code code, std::string why) {
    ++server_.counts_.streams_refused;
    kLog.Warn("stream of " + proxy_.identity.ToString() + " refused: " + why);
    Finish({.code = code, .message = std::move(why), .details = {}});
  }
  void NoteAnswer(Type& type);
  void PushType(Type& type);
  void Overdue();
  ClientStatus::Type StatusOf(const Type& type) const;

  AdsServer& server_;
  grpc::ServerCall& call_;
  Proxy proxy_;
  WallTime connected_at_;
  bool has_node_ = false;
  bool over_ = false;
  bool orphaned_ = false;
  std::map<std::string, Type, std::less<>> types_;
  io::Timer overdue_;
};

void AdsServer::Stream::OnMessage(std::string message) {
  if (over_) return;
  const auto request = xds::DecodeDeltaRequest(message);
  if (!request) return Refuse(grpc::Code::kInvalidArgument, request.error().detail);
  if (request->node && !has_node_) {
    proxy_.node = *request->node;
    if (std::string problem = NodeProblem(proxy_.node, proxy_.identity); !problem.empty()) return Refuse(grpc::Code::kPermissionDenied, std::move(problem));
    has_node_ = true;
    kLog.Info("connected: " + proxy_.node.id + " as " + proxy_.identity.ToString());
  }
  if (!has_node_) return Refuse(grpc::Code::kInvalidArgument, "the first request of a stream must carry the node");
  if (!server_.provider_.Serves(request->type_url)) return Refuse(grpc::Code::kInvalidArgument, "type " + request->type_url + " is not served");
  Type& type = types_.try_emplace(request->type_url, request->type_url).first->second;
  if (type.subscription.names().size() + request->subscribe.size() > server_.options_.max_names)
    return Refuse(grpc::Code::kResourceExhausted, "more than " + std::to_string(server_.options_.max_names) + " names of " + request->type_url);
  const bool awaited = type.subscription.awaiting_answer();
  type.subscription.Apply(*request);
  if (awaited && !type.subscription.awaiting_answer()) NoteAnswer(type);
  PushType(type);
}

void AdsServer::Stream::NoteAnswer(Type& type) {
  type.last_answered = server_.loop_.clock().Wall();
  if (!type.subscription.last_error().empty()) {
    ++server_.counts_.rejections[type.subscription.type_url()];
    kLog.Warn(ProxyNameOf(proxy_.node.id) + " rejected " + std::string(xds::type_url::MessageName(type.subscription.type_url())) + ": " + type.subscription.last_error());
  }
  if (server_.on_answer_) server_.on_answer_(StatusOf(type), server_.loop_.Now() - type.sent_at);
  if (std::none_of(types_.begin(), types_.end(), [](const auto& t) { return t.second.subscription.awaiting_answer(); })) overdue_.Cancel();
}

void AdsServer::Stream::PushType(Type& type) {
  // A client that does not read gets nothing more until it does; then it gets the newest state.
  if (over_ || call_.above_high_watermark()) return;
  auto response = type.subscription.Next(proxy_, server_.provider_);
  if (!response) return;
  response->control_plane = server_.options_.identifier;
  type.last_sent = server_.loop_.clock().Wall();
  type.sent_at = server_.loop_.Now();
  ++server_.counts_.pushes[response->type_url];
  call_.Send(xds::EncodeDeltaResponse(*response));
  if (!overdue_.armed()) overdue_.Start(server_.loop_.timers(), server_.options_.answer_timeout);
}

void AdsServer::Stream::Overdue() {
  kLog.Warn(ProxyNameOf(proxy_.node.id) + " did not answer for " + FormatDuration(server_.options_.answer_timeout) + "; dropped, it will resynchronise");
  Finish({.code = grpc::Code::kUnavailable, .message = "no answer to a response; connect again", .details = {}});
}

ClientStatus::Type AdsServer::Stream::StatusOf(const Type& type) const {
  const Subscription& s = type.subscription;
  return {.type_url = s.type_url(),
          .synced = !s.awaiting_answer() && s.last_error().empty(),
          .stale = s.awaiting_answer(),
          .error = s.last_error(),
          .sent = s.sent(),
          .resources_sent = s.resources_sent(),
          .rejections = s.rejections(),
          .resources = s.held().size(),
          .last_sent = type.last_sent,
          .last_answered = type.last_answered};
}

ClientStatus AdsServer::Stream::status() const {
  ClientStatus out{.proxy = ProxyNameOf(proxy_.node.id),
                   .node_id = proxy_.node.id,
                   .identity = proxy_.identity.ToString(),
                   .version = proxy_.node.user_agent_version,
                   .remote = call_.context().remote.ToString(),
                   .connected_at = connected_at_,
                   .types = {}};
  for (const auto& [url, type] : types_) out.types.push_back(StatusOf(type));
  return out;
}

AdsServer::AdsServer(io::Loop& loop, grpc::Server& server, ResourceProvider& provider, const ca::TokenTable& tokens, AdsOptions options)
    : loop_(loop), provider_(provider), tokens_(tokens), options_(std::move(options)) {
  server.AddStreaming(xds::kDeltaAdsMethod, [this](grpc::ServerCall& call) -> std::unique_ptr<grpc::CallHandler> {
    auto caller = ca::Authenticate(call.context(), tokens_, options_.trust_domain);
    if (!caller) {
      ++counts_.streams_refused;
      kLog.Warn("stream from " + call.context().remote.ToString() + " refused: " + caller.error().message);
      call.Finish(caller.error());
      return nullptr;
    }
    ++counts_.streams_opened;
    return std::make_unique<Stream>(*this, call, std::move(*caller));
  });
}

AdsServer::~AdsServer() {
  for (Stream* stream : streams_) stream->Orphan();
}

void AdsServer::ConfigChanged() {
  if (std::exchange(push_planned_, true)) return;
  loop_.Defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    push_planned_ = false;
    const std::vector<Stream*> streams = streams_;  // a push may end a stream
    for (Stream* stream : streams)
      if (std::find(streams_.begin(), streams_.end(), stream) != streams_.end()) stream->Push();
  });
}

std::vector<ClientStatus> AdsServer::clients() const {
  std::vector<ClientStatus> out;
  for (const Stream* stream : streams_) out.push_back(stream->status());
  return out;
}

}  // namespace plait::control::serve
