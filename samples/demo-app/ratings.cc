// The ratings role: what it holds itself, what a database stands behind (v2), and upstream's versions that misbehave.
#include <cstdio>
#include <map>

#include "bookinfo.h"
#include "call.h"
#include "core/base/strings.h"
#include "database.h"
#include "roles.h"

namespace plait::demo {
namespace {
using namespace std::chrono_literals;

constexpr Duration kDatabaseTimeout = 10s;
// Upstream's figures. 15 minutes: longer than Kubernetes remembers the restarts of a container.
constexpr Duration kDelay = 7s, kUnavailable = 1min, kUnhealthy = 15min;
// What clients post is held until the process ends: so many products, so many bytes of each.
constexpr std::size_t kMostPosted = 1000, kLongestPosted = 4096;

class RatingsRole final : public Role {
 public:
  RatingsRole(io::Loop& loop, const RoleOptions& options)
      : loop_(loop),
        fail_every_(options.fail_every),
        version_(Environment("SERVICE_VERSION", options.version)),
        begin_(loop.clock().Now()),
        calls_(loop) {
    if (version_ != "v2") return;
    auto database = DatabaseOfEnvironment();
    if (database)
      database_ = std::move(*database);
    else
      std::fprintf(stderr, "ratings: %s; every request is answered with 500\n", database.error().ToString().c_str());
  }

  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health") return responder.Send(Health());
    const auto id = IdOf(request.head.path, "/ratings/");
    if (!id) return responder.Send(JsonResponse(404, ErrorJson("no such path; try /ratings/0")));
    ++served_;
    const bool second = served_ % 2 == 0;
    const bool fails = fail_every_ != 0 && served_ % fail_every_ == 0;
    // As upstream: its versions misbehave to those who read.
    if (request.head.method == "POST" && !fails) return responder.Send(Post(*id, request.body));
    if (fails || (version_ == "v-faulty" && second) || Away())
      return responder.Send(JsonResponse(503, ErrorJson("Service unavailable")));
    if (version_ == "v2") return FromDatabase(*id, std::move(responder));
    if (version_ != "v-delayed" || !second) return responder.Send(JsonResponse(200, Held(*id)));
    calls_.Keep([&](Calls::Ended ended) {
      return loop_.After(kDelay,
                         [this, ended = std::move(ended), number = *id, respond = std::move(responder)]() mutable {
                           respond.Send(JsonResponse(200, Held(number)));
                           ended();
                         });
    });
  }

 private:
  // Well and away in turn, each for as long.
  bool Away() const {
    const Duration turn = version_ == "v-unavailable" ? kUnavailable
                          : version_ == "v-unhealthy" ? kUnhealthy
                                                      : Duration(0);
    return turn > Duration(0) && ((loop_.clock().Now() - begin_) / turn) % 2 == 1;
  }
  conn::Response Health() const {
    if (version_ == "v-unhealthy" && Away()) return JsonResponse(500, R"({"status":"Ratings is not healthy"})");
    return JsonResponse(200, R"({"status":"Ratings is healthy"})");
  }
  std::string Held(int id) const {
    const auto posted = posted_.find(id);
    return posted == posted_.end() ? RatingsJson(id) : posted->second;
  }
  conn::Response Post(int id, const std::string& body) {
    if (body.size() > kLongestPosted)
      return JsonResponse(413, ErrorJson("the ratings have more than " + std::to_string(kLongestPosted) + " bytes"));
    std::optional<std::string> ratings = PostedRatingsJson(id, body);
    if (!ratings) return JsonResponse(400, ErrorJson("please provide valid ratings JSON"));
    if (version_ == "v2") return JsonResponse(501, ErrorJson("Post not implemented for database backed ratings"));
    if (posted_.size() >= kMostPosted && !posted_.contains(id))
      return JsonResponse(507, ErrorJson(std::to_string(kMostPosted) +
                                         " products have posted ratings; post to one of them, or restart ratings"));
    return JsonResponse(200, posted_[id] = *std::move(ratings));
  }
  void FromDatabase(int id, conn::Responder responder) {
    const auto failed = [] { return JsonResponse(500, ErrorJson("could not connect to ratings database")); };
    if (!database_) return responder.Send(failed());
    calls_.Keep([&](Calls::Ended ended) {
      return Ask(loop_, *database_, kDatabaseTimeout,
                 [this, ended = std::move(ended), id, failed,
                  respond = std::move(responder)](const Outcome<Ratings>& ratings) mutable {
                   if (!ratings)
                     std::fprintf(stderr, "ratings: database %s port %u: %s\n", database_->host.c_str(),
                                  unsigned{database_->port}, ratings.error().ToString().c_str());
                   respond.Send(ratings ? JsonResponse(200, RatingsJson(id, *ratings)) : failed());
                   ended();
                 });
    });
  }

  io::Loop& loop_;
  const std::uint64_t fail_every_;
  const std::string
      version_;  // of what follows "v", upstream's SERVICE_VERSION knows 2, -faulty, -delayed, -unavailable, -unhealthy
  const MonotonicTime begin_;
  std::optional<Database> database_;
  std::uint64_t served_ = 0;
  std::map<int, std::string> posted_;  // the whole answer, by product
  Calls calls_;
};

}  // namespace

std::unique_ptr<Role> NewRatings(io::Loop& loop, const RoleOptions& options) {
  return std::make_unique<RatingsRole>(loop, options);
}

}  // namespace plait::demo
