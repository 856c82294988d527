// The details role. With ENABLE_EXTERNAL_BOOK_SERVICE=true, as upstream's image v2 sets it, the facts come from the
// public book service: over TLS, or in plaintext with DO_NOT_ENCRYPT=true, for meshes that originate the TLS.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bookinfo.h"
#include "call.h"
#include "roles.h"

namespace plait::demo {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(5);
constexpr const char* kTarget =
    "/books/v1/volumes?q=isbn:0486424618";  // an edition of which Shakespeare is the only author

std::string ReadFile(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

class DetailsRole final : public Role {
 public:
  DetailsRole(io::Loop& loop, const RoleOptions& options)
      : calls_(loop), external_(Environment("ENABLE_EXTERNAL_BOOK_SERVICE") == "true") {
    if (!external_) return;
    const bool plaintext = Environment("DO_NOT_ENCRYPT") == "true";
    books_ = {.host = std::string(http::HostOnly(options.book_service)),
              .port = http::PortOf(options.book_service),
              .target = kTarget};
    if (books_.port == 0) books_.port = plaintext ? 80 : 443;
    if (plaintext) return;
    tls::ContextOptions tls;
    tls.bundle_pem = ReadFile(options.roots);
    tls.alpn = {"http/1.1"};
    auto context = tls.bundle_pem.empty()
                       ? Explain(Errc::kNotFound, "it cannot be read, or is empty", "install ca-certificates")
                       : tls::Context::Make(tls);
    if (context) {
      tls_ = std::move(*context);
    } else {
      no_tls_ = "no TLS to the book service: " + options.roots + ": " + context.error().ToString();
      std::fprintf(stderr, "details: %s\n", no_tls_.c_str());
    }
  }

  void Handle(conn::Request request, conn::Responder responder) override {
    if (http::PathOnly(request.head.path) == "/health")
      return responder.Send(JsonResponse(200, R"({"status":"Details is healthy"})"));
    if (const auto id = IdOf(request.head.path, "/details/")) return Details(*id, request, std::move(responder));
    if (request.head.path.starts_with("/details/"))
      return responder.Send(JsonResponse(400, ErrorJson("please provide numeric product id")));
    responder.Send(JsonResponse(404, ErrorJson("no such path; try /details/0")));
  }

 private:
  void Details(int id, const conn::Request& request, conn::Responder responder) {
    if (!external_) return responder.Send(JsonResponse(200, DetailsJson(id)));
    if (!no_tls_.empty()) return responder.Send(JsonResponse(400, ErrorJson(no_tls_)));
    http::Headers headers = HandOn(request.head.headers);
    // What is for this mesh's services alone stays in it.
    for (const char* own : {"cookie", "authorization", "end-user"}) headers.Remove(own);
    calls_.Start(
        books_, std::move(headers), kTimeout,
        [id, host = books_.host, respond = std::move(responder)](Answer got) mutable {
          const Part<std::string> details =
              got.status == 200 ? DetailsOfVolume(id, got.body) : Part<std::string>{.value = {}, .error = {}};
          if (details.value) return respond.Send(JsonResponse(200, *details.value));
          const std::string why = got.status == 0     ? got.error
                                  : got.status != 200 ? "status " + std::to_string(got.status)
                                                      : details.error;
          respond.Send(
              JsonResponse(400, ErrorJson("the book service " + host + ": " + why)));  // 400, as upstream says it
        },
        tls_);
  }

  Calls calls_;
  const bool external_;
  Url books_;
  std::shared_ptr<const tls::Context> tls_;  // null: plaintext
  std::string no_tls_;                       // why there is none although there should be
};

}  // namespace

std::unique_ptr<Role> NewDetails(io::Loop& loop, const RoleOptions& options) {
  return std::make_unique<DetailsRole>(loop, options);
}

}  // namespace plait::demo
