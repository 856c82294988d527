#include "core/grpc/server.h"

#include <algorithm>
#include <set>

#include "core/base/check.h"
#include "core/grpc/health.h"
#include "core/grpc/reflection.h"
#include "core/grpc/server_call.h"

namespace plait::grpc {

// What a UnaryReply answers to; outlives the call when the reply does.
struct UnaryReply::Target {
  ServerCall* call = nullptr;  // null: answered, or the client has gone
};

UnaryReply& UnaryReply::operator=(UnaryReply&& other) noexcept {
  if (this != &other) {
    UnaryReply dropped(std::move(*this));
    target_ = std::move(other.target_);
  }
  return *this;
}

UnaryReply::~UnaryReply() {
  if (alive()) Fail({.code = Code::kUnknown, .message = "the service gave no answer", .details = {}});
}

bool UnaryReply::alive() const noexcept { return target_ && target_->call != nullptr; }

void UnaryReply::Send(std::string_view message, Metadata trailers) {
  if (!alive()) return;
  ServerCall* call = std::exchange(target_->call, nullptr);
  call->Send(message);
  call->Finish({}, std::move(trailers));
}

void UnaryReply::Fail(Status status, Metadata trailers) {
  if (!alive()) return;
  std::exchange(target_->call, nullptr)->Finish(std::move(status), std::move(trailers));
}

// Gathers the one request message of a unary call.
class Server::UnaryHandler final : public CallHandler {
 public:
  UnaryHandler(ServerCall& call, UnaryMethod& method) : call_(call), method_(method) {}
  ~UnaryHandler() override {
    if (target_) target_->call = nullptr;
  }

 private:
  void OnMessage(std::string message) override {
    if (message_)
      return call_.Finish({.code = Code::kUnimplemented, .message = "more than one request message", .details = {}});
    message_ = std::move(message);
  }
  void OnHalfClose() override {
    if (!message_) return call_.Finish({.code = Code::kUnimplemented, .message = "no request message", .details = {}});
    target_ = std::make_shared<UnaryReply::Target>(UnaryReply::Target{&call_});
    method_(call_.context(), std::move(*message_), UnaryReply(target_));
  }
  void OnCancelled() override {
    if (target_) target_->call = nullptr;
  }

  ServerCall& call_;
  UnaryMethod& method_;
  std::optional<std::string> message_;
  std::shared_ptr<UnaryReply::Target> target_;
};

Server::Server(io::Loop& loop, ServerOptions options)
    : loop_(loop), options_(options), dying_(std::make_shared<Dying>()) {}
// Handlers refer to what the server and its services own.
Server::~Server() { dying_->Bury(); }

void Server::Add(std::string method, Method how) {
  if (how.max_message == 0) how.max_message = options_.max_message;
  how.max_message = std::min(how.max_message, ServerOptions::kLargestMessage);
  const bool added = methods_.emplace(std::move(method), std::move(how)).second;
  PLAIT_CHECK(added);
}

void Server::AddStreaming(std::string method, StreamingMethod call, std::size_t max_message) {
  Add(std::move(method), {.streaming = std::move(call), .max_message = max_message});
}

void Server::AddUnary(std::string method, UnaryMethod call) {
  auto kept = std::make_unique<UnaryMethod>(std::move(call));
  StreamingMethod gather = [kept = std::move(kept)](ServerCall& running) {
    return std::make_unique<UnaryHandler>(running, *kept);
  };
  Add(std::move(method), {.streaming = std::move(gather), .unary = true});
}

Server::Method* Server::Find(std::string_view path) {
  const auto at = methods_.find(path);
  return at == methods_.end() ? nullptr : &at->second;
}

std::vector<std::string> Server::services() const {
  std::set<std::string> out;
  for (const auto& [path, method] : methods_) {
    const std::size_t end = path.rfind('/');
    if (end != std::string::npos && end > 1) out.insert(path.substr(1, end - 1));
  }
  return {out.begin(), out.end()};
}

void Server::AddHealthService() {
  if (health_) return;
  health_ = std::make_unique<Health>(*this);
}

void Server::SetServing(const std::string& service, bool serving) {
  AddHealthService();
  health_->Set(service, serving);
}

void Server::AddReflectionService(std::string file_descriptor_set) {
  if (reflection_) return;
  reflection_ = std::make_unique<Reflection>(*this, std::move(file_descriptor_set));
}

http::ServerStreamEvents& Server::OnNewStream(http::ServerStream& stream, const conn::Peer& peer) {
  auto call = std::make_shared<Call>(*this, stream, peer);
  call->Hold(call);
  return *call;
}

}  // namespace plait::grpc
