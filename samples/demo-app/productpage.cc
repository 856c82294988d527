// The productpage role: asks details and reviews at the same time, shows what it got.
#include <algorithm>
#include <map>

#include "bookinfo.h"
#include "call.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "page.h"
#include "roles.h"

namespace plait::demo {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(5);
constexpr std::string_view kCookie = "session";
constexpr std::uint64_t kMostFlood = 1000;

// The user of the session cookie; empty when nobody is signed in. Any name may sign in: this is a demo.
std::string UserOf(const http::Headers& headers) {
  for (const std::string_view part : Split(headers.GetJoined("cookie").value_or(""), ';')) {
    const auto [name, value] = SplitOnce(Trim(part), '=');
    if (name == kCookie && value) return Base64Decode(*value).value_or("");
  }
  return {};
}

std::string FormField(std::string_view body, std::string_view name) {
  for (const std::string_view pair : Split(body, '&')) {
    const auto [key, value] = SplitOnce(pair, '=');
    if (key != name || !value) continue;
    std::string text(*value);
    for (char& c : text)
      if (c == '+') c = ' ';
    return PercentDecode(text).value_or("");
  }
  return {};
}

conn::Response Redirect(std::string_view to, std::string cookie = {}) {
  conn::Response out{.status = 302, .headers = {}, .body = {}};
  out.headers.Add("location", to);
  if (!cookie.empty()) out.headers.Add("set-cookie", cookie);
  return out;
}

class ProductPageRole final : public Role {
 public:
  explicit ProductPageRole(io::Loop& loop)
      : loop_(loop),
        details_(ServiceUrl("DETAILS_HOSTNAME", "DETAILS_SERVICE_PORT", "details")),
        reviews_(ServiceUrl("REVIEWS_HOSTNAME", "REVIEWS_SERVICE_PORT", "reviews")),
        ratings_(ServiceUrl("RATINGS_HOSTNAME", "RATINGS_SERVICE_PORT", "ratings")),
        flood_(std::min<std::uint64_t>(ParseUint(Environment("FLOOD_FACTOR")).value_or(0), kMostFlood)),
        calls_(loop) {}

  void Handle(conn::Request request, conn::Responder responder) override;

 private:
  // One visit: the calls that are under way for it. Lives in visits_ until it is answered.
  struct Visit {
    conn::Responder responder;
    ProductPage page;
    std::string details_error, reviews_error;
    Pending details, reviews;
    int waiting = 2;
  };

  http::Headers HeadersFor(const conn::Request& request) const {
    http::Headers headers = HandOn(request.head.headers);
    if (const std::string user = UserOf(request.head.headers); !user.empty()) headers.Set("end-user", user);
    return headers;
  }
  void ShowPage(const conn::Request& request, conn::Responder responder);
  void Arrived(std::uint64_t id);
  void PassOn(const conn::Request& request, Url url, std::string target, conn::Responder responder);
  void Api(const conn::Request& request, std::string_view rest, conn::Responder responder);

  io::Loop& loop_;
  const Url details_, reviews_, ratings_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Visit>> visits_;
  // FLOOD_FACTOR: so many requests to reviews a visit, whose answers nobody waits for.
  const std::uint64_t flood_;
  Calls calls_;
};

void ProductPageRole::Handle(conn::Request request, conn::Responder responder) {
  const std::string_view path = http::PathOnly(request.head.path);
  constexpr std::string_view kApi = "/api/v1/products";
  if (path == "/health") return responder.Send(conn::TextResponse(200, "Product page is healthy"));
  if (path == "/productpage") return ShowPage(request, std::move(responder));
  if (path == "/" || path == "/index.html") return responder.Send(Redirect("/productpage"));
  if (path == "/login") {
    const std::string user = FormField(request.body, "username");
    if (user.empty()) return responder.Send(Redirect("/productpage"));
    return responder.Send(Redirect("/productpage", std::string(kCookie) + "=" + Base64UrlEncode(AsBytes(user)) +
                                                       "; Path=/; HttpOnly; SameSite=Lax"));
  }
  if (path == "/logout") return responder.Send(Redirect("/productpage", std::string(kCookie) + "=; Path=/; Max-Age=0"));
  if (path.starts_with(kApi)) return Api(request, path.substr(kApi.size()), std::move(responder));
  responder.Send(conn::TextResponse(404, "not found; try /productpage\n"));
}

void ProductPageRole::Api(const conn::Request& request, std::string_view rest, conn::Responder responder) {
  if (rest.empty() || rest == "/") return responder.Send(JsonResponse(200, ProductsJson()));
  const auto [id_text, part] = SplitOnce(rest.substr(1), '/');
  const auto id = ParseUint(id_text);
  if (!id || rest.front() != '/')
    return responder.Send(JsonResponse(400, ErrorJson("please provide numeric product id")));
  const std::string number = std::to_string(*id);
  if (!part) return PassOn(request, details_, "/details/" + number, std::move(responder));
  if (*part == "reviews") return PassOn(request, reviews_, "/reviews/" + number, std::move(responder));
  if (*part == "ratings") return PassOn(request, ratings_, "/ratings/" + number, std::move(responder));
  responder.Send(JsonResponse(404, ErrorJson("no such path")));
}

void ProductPageRole::PassOn(const conn::Request& request, Url url, std::string target, conn::Responder responder) {
  url.target = std::move(target);
  calls_.Start(url, HeadersFor(request), kCallTimeout, [respond = std::move(responder)](Answer answer) mutable {
    respond.Send(answer.status != 0 ? JsonResponse(answer.status, std::move(answer.body))
                                    : JsonResponse(503, ErrorJson(answer.error)));
  });
}

void ProductPageRole::ShowPage(const conn::Request& request, conn::Responder responder) {
  const std::uint64_t id = ++last_;
  auto owned = std::make_unique<Visit>(Visit{.responder = std::move(responder),
                                             .page = {},
                                             .details_error = {},
                                             .reviews_error = {},
                                             .details = {},
                                             .reviews = {}});
  Visit& visit = *owned;
  visits_[id] = std::move(owned);
  visit.page.user = UserOf(request.head.headers);
  visit.page.served_by = PodName();
  const http::Headers headers = HeadersFor(request);
  Url url = details_;
  url.target = "/details/0";
  const auto reason = [](const Answer& answer, const char* who) {
    return answer.status == 0
               ? std::string(who) + ": " + answer.error
               : std::string(who) + " answered " + std::to_string(answer.status) + ": " + answer.body.substr(0, 200);
  };
  visit.details = Get(loop_, url, headers, kCallTimeout, [this, id, &visit, reason](const Answer& answer) {
    visit.page.details = answer.status == 200 ? ReadDetails(answer.body)
                                              : Part<BookDetails>{.value = {}, .error = reason(answer, "details")};
    Arrived(id);
  });
  url = reviews_;
  url.target = "/reviews/0";
  for (std::uint64_t i = 0; i < flood_; ++i) calls_.Start(url, headers, kCallTimeout, [](const Answer&) {});
  visit.reviews = Get(loop_, url, headers, kCallTimeout, [this, id, &visit, reason](const Answer& answer) {
    visit.page.reviews = answer.status == 200 ? ReadReviews(answer.body)
                                              : Part<Reviews>{.value = {}, .error = reason(answer, "reviews")};
    Arrived(id);
  });
}

void ProductPageRole::Arrived(std::uint64_t id) {
  Visit& visit = *visits_.at(id);
  if (--visit.waiting > 0) return;
  conn::Response response = conn::TextResponse(200, RenderProductPage(visit.page), "text/html; charset=utf-8");
  visit.responder.Send(std::move(response));
  loop_.Defer([this, id] { visits_.erase(id); });
}

}  // namespace

std::unique_ptr<Role> NewProductPage(io::Loop& loop) { return std::make_unique<ProductPageRole>(loop); }

}  // namespace plait::demo
