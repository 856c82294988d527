#pragma once
// The server roles of plait-demo-app: bookinfo's four services and echo. Each answers whole requests on one loop.
// Settings come from flags and from the environment variables that upstream's bookinfo manifests set.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/conn/http_server.h"

namespace plait::demo {

struct RoleOptions {
  std::string version = "v1";
  std::uint64_t fail_every = 0;  // ratings, echo: 503 to every Nth request; 0: never
  Duration delay{};              // echo: before each answer
};

class Role {
 public:
  virtual ~Role() = default;
  virtual void Handle(conn::Request request, conn::Responder responder) = 0;
};

std::unique_ptr<Role> NewProductPage(io::Loop& loop);
std::unique_ptr<Role> NewDetails();
std::unique_ptr<Role> NewReviews(io::Loop& loop, const RoleOptions& options);
std::unique_ptr<Role> NewRatings(const RoleOptions& options);
std::unique_ptr<Role> NewEcho(io::Loop& loop, const RoleOptions& options);

// Shared by the roles.
std::string Environment(const char* name, std::string otherwise = {});
std::string PodName();  // $HOSTNAME, as Kubernetes sets it, or the host name
conn::Response JsonResponse(int status, std::string body);  // with x-app-pod: who answered
// "/details/0" with prefix "/details/" -> 0; nullopt when it is not prefix and number.
std::optional<int> IdOf(std::string_view target, std::string_view prefix);

}  // namespace plait::demo
