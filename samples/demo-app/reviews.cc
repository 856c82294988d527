// The reviews role: asks ratings unless its version shows no stars.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "bookinfo.h"
#include "call.h"
#include "core/base/strings.h"
#include "roles.h"

namespace plait::demo {
namespace {

// What goes wrong, a line each: in $LOG_DIR/messages.log, where the original's server writes, else on standard output.
class Messages {
 public:
  Messages() {
    const std::filesystem::path folder = Environment("LOG_DIR");
    if (folder.empty()) return;
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    file_.reset(std::fopen((folder / "messages.log").c_str(), "ae"));
    if (!file_)
      std::fprintf(stderr, "reviews: LOG_DIR: cannot write %s/messages.log; messages go to standard output\n",
                   folder.c_str());
  }
  void Say(const std::string& text) {
    std::FILE* to = file_ ? file_.get() : stdout;
    // The file is begun anew rather than fill a disk.
    if (file_ && std::ftell(to) > kMostBytes && ::ftruncate(::fileno(to), 0) == 0) std::rewind(to);
    std::fprintf(to, "%s\n", text.c_str());
    std::fflush(to);
  }

 private:
  static constexpr long kMostBytes = 1 << 20;
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

class ReviewsRole final : public Role {
 public:
  ReviewsRole(io::Loop& loop, const RoleOptions& options)
      : calls_(loop),
        color_(StarColor(options)),
        timeout_(color_ == "black" ? std::chrono::milliseconds(10'000) : std::chrono::milliseconds(2'500)),
        ratings_(ServiceUrl("RATINGS_HOSTNAME", "RATINGS_SERVICE_PORT", "ratings")) {}

  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health")
      return responder.Send(JsonResponse(200, R"({"status": "Reviews is healthy"})"));
    const auto id = IdOf(request.head.path, "/reviews/");
    if (!id) return responder.Send(JsonResponse(404, ErrorJson("no such path; try /reviews/0")));
    ReviewsAnswer answer{
        .id = *id, .pod = PodName(), .cluster = Environment("CLUSTER_NAME"), .color = color_, .ratings = {}};
    if (color_.empty()) return responder.Send(JsonResponse(200, ReviewsJson(answer)));
    Url url = ratings_;
    url.target = "/ratings/" + std::to_string(*id);
    calls_.Start(url, HandOn(request.head.headers), timeout_,
                 [this, answer, url, respond = std::move(responder)](Answer got) mutable {
                   if (got.status == 200) answer.ratings = ReadRatings(got.body);
                   if (!answer.ratings)
                     messages_.Say("cannot have ratings from " + url.authority() + ": " +
                                   (got.status == 0 ? got.error : "status " + std::to_string(got.status)));
                   respond.Send(JsonResponse(200, ReviewsJson(answer)));
                 });
  }

 private:
  // ENABLE_RATINGS and STAR_COLOR are what distinguishes upstream's images; here a version implies them.
  static std::string StarColor(const RoleOptions& options) {
    const std::string enabled = Environment("ENABLE_RATINGS", options.version == "v1" ? "false" : "true");
    if (!EqualsIgnoreCase(enabled, "true")) return {};
    return Environment("STAR_COLOR", options.version == "v3" ? "red" : "black");
  }

  Calls calls_;
  Messages messages_;
  const std::string color_;
  const Duration timeout_;  // upstream's, by which its fault injection can be told from one version to the other
  const Url ratings_;
};

}  // namespace

std::unique_ptr<Role> NewReviews(io::Loop& loop, const RoleOptions& options) {
  return std::make_unique<ReviewsRole>(loop, options);
}

}  // namespace plait::demo
