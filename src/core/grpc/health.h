#pragma once
// grpc.health.v1.Health: Check and Watch. Part of Server.
#include <map>
#include <set>
#include <string>

#include "core/grpc/server.h"

namespace plait::grpc {

class Server::Health {
 public:
  explicit Health(Server& server);
  void Set(const std::string& service, bool serving);

 private:
  class Watcher;
  std::string Answer(const std::string& service, bool& known) const;
  std::map<std::string, bool> serving_{{"", true}};
  std::set<Watcher*> watchers_;
};

}  // namespace plait::grpc
