#pragma once
// grpc.health.v1.Health: Check, List and Watch. Part of Server.
#include <map>
#include <set>
#include <string>

#include "core/grpc/health_codec.h"
#include "core/grpc/server.h"

namespace plait::grpc {

class Server::Health {
 public:
  explicit Health(Server& server);
  void Set(const std::string& service, bool serving);

 private:
  class Watcher;
  // Of a registered service that was not set: the whole server's.
  HealthStatus StatusOf(const std::string& service) const;
  std::string List() const;

  const Server& server_;
  std::map<std::string, bool> serving_{{"", true}};
  std::set<Watcher*> watchers_;
};

}  // namespace plait::grpc
