#pragma once
// The server roles of plait-demo-app: bookinfo's four services and echo. Each answers whole requests on one loop.
// Settings come from flags and from the environment variables that upstream's bookinfo manifests and images set
// (samples/bookinfo/README.md lists them).
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "call.h"
#include "core/conn/http_server.h"

namespace plait::demo {

struct RoleOptions {
  std::string version = "v1";
  std::uint64_t fail_every = 0;  // ratings, echo: 503 to every Nth request; 0: never
  Duration delay{};              // echo: before each answer
  // details, when ENABLE_EXTERNAL_BOOK_SERVICE says so: HOST[:PORT], and who may have signed its certificate.
  std::string book_service = "www.googleapis.com";
  std::string roots = "/etc/ssl/certs/ca-certificates.crt";
};

class Role {
 public:
  virtual ~Role() = default;
  virtual void Handle(conn::Request request, conn::Responder responder) = 0;
};

std::unique_ptr<Role> NewProductPage(io::Loop& loop);
std::unique_ptr<Role> NewDetails(io::Loop& loop, const RoleOptions& options);
std::unique_ptr<Role> NewReviews(io::Loop& loop, const RoleOptions& options);
std::unique_ptr<Role> NewRatings(io::Loop& loop, const RoleOptions& options);
std::unique_ptr<Role> NewEcho(io::Loop& loop, const RoleOptions& options);

// Shared by the roles.
std::string Environment(const char* name, std::string otherwise = {});
// Where a service is: host and port by their variables, SERVICES_DOMAIN behind the host.
Url ServiceUrl(const char* host_variable, const char* port_variable, const char* name);
std::string PodName();                                      // $HOSTNAME, as Kubernetes sets it, or the host name
conn::Response JsonResponse(int status, std::string body);  // with x-app-pod: who answered
// "/details/0" with prefix "/details/" -> 0; nullopt when it is not prefix and number.
std::optional<int> IdOf(std::string_view target, std::string_view prefix);

}  // namespace plait::demo
