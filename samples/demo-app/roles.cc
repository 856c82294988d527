#include "roles.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>

#include "bookinfo.h"
#include "call.h"
#include "core/base/strings.h"

namespace plait::demo {

std::string Environment(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::string(value) : std::move(otherwise);
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

constexpr Duration kCallTimeout = std::chrono::seconds(10);

class DetailsRole final : public Role {
 public:
  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health") return responder.Send(JsonResponse(200, R"({"status":"Details is healthy"})"));
    if (const auto id = IdOf(request.head.path, "/details/")) return responder.Send(JsonResponse(200, DetailsJson(*id)));
    if (request.head.path.starts_with("/details/")) return responder.Send(JsonResponse(400, ErrorJson("please provide numeric product id")));
    responder.Send(JsonResponse(404, ErrorJson("no such path; try /details/0")));
  }
};

class RatingsRole final : public Role {
 public:
  explicit RatingsRole(const RoleOptions& options) : fail_every_(options.fail_every), mood_(Environment("SERVICE_VERSION")) {}

  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health") return responder.Send(JsonResponse(200, R"({"status":"Ratings is healthy"})"));
    const auto id = IdOf(request.head.path, "/ratings/");
    if (!id) return responder.Send(JsonResponse(404, ErrorJson("no such path; try /ratings/0")));
    ++served_;
    if ((fail_every_ != 0 && served_ % fail_every_ == 0) || mood_ == "v-unavailable" || (mood_ == "v-faulty" && served_ % 2 == 0))
      return responder.Send(JsonResponse(503, ErrorJson("Service unavailable")));
    responder.Send(JsonResponse(200, RatingsJson(*id)));
  }

 private:
  const std::uint64_t fail_every_;
  const std::string mood_;  // upstream's SERVICE_VERSION: v-unavailable, v-faulty
  std::uint64_t served_ = 0;
};

// What a role still waits for. Freed through the loop's next round: an answer must not destroy its own Pending.
class Calls {
 public:
  explicit Calls(io::Loop& loop) : loop_(loop) {}
  void Start(const Url& url, http::Headers headers, std::move_only_function<void(Answer)> done) {
    const std::uint64_t id = ++last_;
    running_[id] = Get(loop_, url, std::move(headers), kCallTimeout, [this, id, call = std::move(done)](Answer answer) mutable {
      call(std::move(answer));
      loop_.Defer([this, id] { running_.erase(id); });
    });
  }

 private:
  io::Loop& loop_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Pending> running_;
};

class ReviewsRole final : public Role {
 public:
  ReviewsRole(io::Loop& loop, const RoleOptions& options)
      : calls_(loop), color_(StarColor(options)), ratings_{.host = Environment("RATINGS_HOSTNAME", "ratings"), .port = 9080, .target = {}} {
    if (const std::string domain = Environment("SERVICES_DOMAIN"); !domain.empty()) ratings_.host += "." + domain;
    if (const auto port = ParsePort(Environment("RATINGS_SERVICE_PORT", "9080"))) ratings_.port = port->value;
  }

  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health") return responder.Send(JsonResponse(200, R"({"status": "Reviews is healthy"})"));
    const auto id = IdOf(request.head.path, "/reviews/");
    if (!id) return responder.Send(JsonResponse(404, ErrorJson("no such path; try /reviews/0")));
    ReviewsAnswer answer{.id = *id, .pod = PodName(), .cluster = Environment("CLUSTER_NAME"), .color = color_, .ratings = {}};
    if (color_.empty()) return responder.Send(JsonResponse(200, ReviewsJson(answer)));
    Url url = ratings_;
    url.target = "/ratings/" + std::to_string(*id);
    calls_.Start(url, HandOn(request.head.headers), [answer, respond = std::move(responder)](Answer got) mutable {
      if (got.status == 200) answer.ratings = ReadRatings(got.body);
      respond.Send(JsonResponse(200, ReviewsJson(answer)));
    });
  }

 private:
  // v1 has no stars; ENABLE_RATINGS and STAR_COLOR of upstream's images are honoured where they are set.
  static std::string StarColor(const RoleOptions& options) {
    const std::string enabled = Environment("ENABLE_RATINGS");
    if (enabled == "false" || (enabled.empty() && options.version == "v1")) return {};
    return Environment("STAR_COLOR", options.version == "v3" ? "red" : "black");
  }

  Calls calls_;
  const std::string color_;
  Url ratings_;
};

class Echo final : public Role {
 public:
  Echo(io::Loop& loop, const RoleOptions& options) : loop_(loop), options_(options) {}

  void Handle(conn::Request request, conn::Responder responder) override {
    ++served_;
    const bool fails = options_.fail_every != 0 && served_ % options_.fail_every == 0;
    conn::Response response = conn::TextResponse(fails ? 503 : 200, Report(request), "text/plain; charset=UTF-8");
    response.headers.Add("x-app-version", options_.version);
    response.headers.Add("x-app-pod", PodName());
    if (options_.delay <= Duration(0)) return responder.Send(std::move(response));
    const std::uint64_t id = served_;
    late_[id] = loop_.After(options_.delay, [this, id, answer = std::move(response), respond = std::move(responder)]() mutable {
      respond.Send(std::move(answer));
      loop_.Defer([this, id] { late_.erase(id); });
    });
  }

 private:
  // The request as it came: a line each for what a test wants to see.
  std::string Report(const conn::Request& request) const {
    std::string out = "version: " + options_.version + "\npod: " + PodName() + "\nremote: " + request.remote.ToString() + "\n";
    out += request.head.method + " " + request.head.path + " " + std::string(http::VersionText(request.head.version)) + "\n";
    out += "Host: " + request.head.authority + "\n";
    for (const http::HeaderView field : request.head.headers) out.append(field.name).append(": ").append(field.value).append("\n");
    return out + "\n" + request.body;
  }

  io::Loop& loop_;
  const RoleOptions options_;
  std::uint64_t served_ = 0;
  std::map<std::uint64_t, Pending> late_;
};

}  // namespace

std::unique_ptr<Role> NewDetails() { return std::make_unique<DetailsRole>(); }
std::unique_ptr<Role> NewRatings(const RoleOptions& options) { return std::make_unique<RatingsRole>(options); }
std::unique_ptr<Role> NewReviews(io::Loop& loop, const RoleOptions& options) { return std::make_unique<ReviewsRole>(loop, options); }
std::unique_ptr<Role> NewEcho(io::Loop& loop, const RoleOptions& options) { return std::make_unique<Echo>(loop, options); }

}  // namespace plait::demo
