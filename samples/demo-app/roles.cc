#include "roles.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/base/port.h"
#include "core/base/strings.h"

namespace plait::demo {

std::string Environment(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::string(value) : std::move(otherwise);
}

Url ServiceUrl(const char* host_variable, const char* port_variable, const char* name) {
  Url url{.host = Environment(host_variable, name), .port = 9080, .target = {}};
  if (const std::string domain = Environment("SERVICES_DOMAIN"); !domain.empty()) url.host += "." + domain;
  if (const auto port = ParsePort(Environment(port_variable, "9080"))) url.port = port->value;
  return url;
}

std::string PodName() {
  if (std::string name = Environment("HOSTNAME"); !name.empty()) return name;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

conn::Response JsonResponse(int status, std::string body) {
  conn::Response response = conn::TextResponse(static_cast<std::uint16_t>(status), std::move(body), "application/json");
  response.headers.Add("x-app-pod", PodName());
  return response;
}

std::optional<int> IdOf(std::string_view target, std::string_view prefix) {
  const std::string_view path = http::PathOnly(target);
  if (!path.starts_with(prefix)) return std::nullopt;
  const auto id = ParseUint(path.substr(prefix.size()));
  return id && *id < 1'000'000 ? std::optional(static_cast<int>(*id)) : std::nullopt;
}

namespace {

class Echo final : public Role {
 public:
  Echo(io::Loop& loop, const RoleOptions& options) : loop_(loop), options_(options), calls_(loop) {}

  void Handle(conn::Request request, conn::Responder responder) override {
    ++served_;
    const bool fails = options_.fail_every != 0 && served_ % options_.fail_every == 0;
    conn::Response response = conn::TextResponse(fails ? 503 : 200, Report(request), "text/plain; charset=UTF-8");
    response.headers.Add("x-app-version", options_.version);
    response.headers.Add("x-app-pod", PodName());
    if (options_.delay <= Duration(0)) return responder.Send(std::move(response));
    calls_.Keep([&](Calls::Ended ended) {
      return loop_.After(options_.delay, [ended = std::move(ended), answer = std::move(response),
                                          respond = std::move(responder)]() mutable {
        respond.Send(std::move(answer));
        ended();
      });
    });
  }

 private:
  // The request as it came: a line each for what a test wants to see.
  std::string Report(const conn::Request& request) const {
    std::string out =
        "version: " + options_.version + "\npod: " + PodName() + "\nremote: " + request.remote.ToString() + "\n";
    out += request.head.method + " " + request.head.path + " " + std::string(http::VersionText(request.head.version)) +
           "\n";
    out += "Host: " + request.head.authority + "\n";
    for (const http::HeaderView field : request.head.headers)
      out.append(field.name).append(": ").append(field.value).append("\n");
    return out + "\n" + request.body;
  }

  io::Loop& loop_;
  const RoleOptions options_;
  std::uint64_t served_ = 0;
  Calls calls_;
};

}  // namespace

std::unique_ptr<Role> NewEcho(io::Loop& loop, const RoleOptions& options) {
  return std::make_unique<Echo>(loop, options);
}

}  // namespace plait::demo
