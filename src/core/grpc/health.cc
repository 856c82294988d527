#include "core/grpc/health.h"

#include "core/grpc/health_codec.h"

namespace plait::grpc {

// One Watch call; told at each change of its service.
class Server::Health::Watcher final : public CallHandler {
 public:
  Watcher(Health& health, ServerCall& call) : health_(health), call_(call) { health_.watchers_.insert(this); }
  ~Watcher() override { health_.watchers_.erase(this); }
  void Tell(const std::string& service) {
    if (!asked_ || service != service_) return;
    bool known = false;
    call_.Send(health_.Answer(service_, known));
  }

 private:
  void OnMessage(std::string message) override {
    const auto service = DecodeHealthRequest(message);
    if (!service || asked_)
      return call_.Finish(
          {.code = Code::kInvalidArgument, .message = "one HealthCheckRequest is expected", .details = {}});
    asked_ = true;
    service_ = *service;
    Tell(service_);
  }
  void OnHalfClose() override {}
  void OnCancelled() override { asked_ = false; }

  Health& health_;
  ServerCall& call_;
  std::string service_;
  bool asked_ = false;
};

Server::Health::Health(Server& server) {
  server.AddUnary(
      "/grpc.health.v1.Health/Check", [this](const CallContext&, const std::string& message, UnaryReply reply) {
        const auto service = DecodeHealthRequest(message);
        if (!service)
          return reply.Fail({.code = Code::kInvalidArgument, .message = service.error().detail, .details = {}});
        bool known = false;
        const std::string answer = Answer(*service, known);
        if (!known)
          return reply.Fail({.code = Code::kNotFound, .message = "unknown service " + *service, .details = {}});
        reply.Send(answer);
      });
  server.AddStreaming("/grpc.health.v1.Health/Watch",
                      [this](ServerCall& call) { return std::make_unique<Watcher>(*this, call); });
}

std::string Server::Health::Answer(const std::string& service, bool& known) const {
  const auto at = serving_.find(service);
  known = at != serving_.end();
  return EncodeHealthResponse(!known       ? HealthStatus::kServiceUnknown
                              : at->second ? HealthStatus::kServing
                                           : HealthStatus::kNotServing);
}

void Server::Health::Set(const std::string& service, bool serving) {
  const auto [at, added] = serving_.try_emplace(service, serving);
  if (!added && at->second == serving) return;
  at->second = serving;
  for (Watcher* watcher : watchers_) watcher->Tell(service);
}

}  // namespace plait::grpc
