#include "core/grpc/health.h"

#include <algorithm>

namespace plait::grpc {

// One Watch call; told at each change of its service.
class Server::Health::Watcher final : public CallHandler {
 public:
  Watcher(Health& health, ServerCall& call) : health_(health), call_(call) { health_.watchers_.insert(this); }
  ~Watcher() override { health_.watchers_.erase(this); }
  void Tell(const std::string& service) {
    if (!asked_ || service != service_) return;
    call_.Send(EncodeHealthResponse(health_.StatusOf(service_)));
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

Server::Health::Health(Server& server) : server_(server) {
  server.AddUnary(
      "/grpc.health.v1.Health/Check", [this](const CallContext&, const std::string& message, UnaryReply reply) {
        const auto service = DecodeHealthRequest(message);
        if (!service)
          return reply.Fail({.code = Code::kInvalidArgument, .message = service.error().detail, .details = {}});
        const HealthStatus status = StatusOf(*service);
        if (status == HealthStatus::kServiceUnknown)
          return reply.Fail({.code = Code::kNotFound, .message = "unknown service " + *service, .details = {}});
        reply.Send(EncodeHealthResponse(status));
      });
  server.AddUnary("/grpc.health.v1.Health/List",
                  [this](const CallContext&, const std::string&, UnaryReply reply) { reply.Send(List()); });
  server.AddStreaming("/grpc.health.v1.Health/Watch",
                      [this](ServerCall& call) { return std::make_unique<Watcher>(*this, call); });
}

HealthStatus Server::Health::StatusOf(const std::string& service) const {
  auto at = serving_.find(service);
  if (at == serving_.end()) {
    const std::vector<std::string> registered = server_.services();
    if (!std::ranges::binary_search(registered, service)) return HealthStatus::kServiceUnknown;
    at = serving_.find("");
  }
  return at->second ? HealthStatus::kServing : HealthStatus::kNotServing;
}

std::string Server::Health::List() const {
  std::map<std::string, HealthStatus> all;
  for (const std::string& service : server_.services()) all.emplace(service, StatusOf(service));
  for (const auto& [service, serving] : serving_) all.emplace(service, StatusOf(service));
  return EncodeHealthList(all);
}

void Server::Health::Set(const std::string& service, bool serving) {
  const auto [at, added] = serving_.try_emplace(service, serving);
  if (!added && at->second == serving) return;
  at->second = serving;
  for (Watcher* watcher : watchers_) watcher->Tell(service);
}

}  // namespace plait::grpc
