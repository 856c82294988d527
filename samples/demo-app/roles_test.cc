// Each environment variable of upstream's manifests and images, and what it does.
#include "roles.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bookinfo.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "database.h"
#include "mysqldb.h"
#include "tcp_echo.h"
#include "testing/manual_clock.h"

namespace plait::demo {
namespace {
using namespace std::chrono_literals;

class RoleWithVariables : public testing::Test {
 protected:
  ~RoleWithVariables() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
  }
  void Set(const std::string& name, const std::string& value) {
    set_.push_back(name);
    ASSERT_EQ(::setenv(name.c_str(), value.c_str(), 1), 0);
  }
  // Serves a role, or what the test says, at a port of its own, which it returns.
  std::uint16_t Serve(conn::OnRequest answer, conn::HttpServer::MakeStream make_stream = {},
                      const io::SocketAddress& at = *io::SocketAddress::Parse("127.0.0.1:0")) {
    servers_.push_back(std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{}, std::move(answer)));
    return servers_.back()->ListenOn(at, std::move(make_stream)).value().port.value;
  }
  void Play(std::unique_ptr<Role> role) {
    role_ = std::move(role);
    port_ = Serve([this](conn::Request request, conn::Responder responder) {
      role_->Handle(std::move(request), std::move(responder));
    });
  }
  // Begins a request; the answer is there when RunUntil(answered) says so.
  Pending Begin(const std::string& path, std::optional<Answer>& into, http::Headers headers = {}) {
    return Get(loop_, {.host = "127.0.0.1", .port = port_, .target = path}, std::move(headers), 1h,
               [&into](Answer got) { into = std::move(got); });
  }
  Answer Ask(const std::string& path, http::Headers headers = {}) {
    std::optional<Answer> out;
    const Pending asking = Begin(path, out, std::move(headers));
    EXPECT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s)) << path;
    return out.value_or(Answer{});
  }
  Answer Post(const std::string& path, const std::string& body) {
    std::optional<Answer> out;
    conn::FetchRequest request;
    request.to = *io::SocketAddress::Parse("127.0.0.1:" + std::to_string(port_));
    request.head.method = "POST";
    request.head.scheme = "http";
    request.head.path = path;
    request.body = body;
    const Pending asking = conn::Fetch(loop_, std::move(request), [&out](Result<conn::FetchResponse> got) {
      out = got ? Answer{.status = got->head.status, .body = std::move(got->body), .error = {}}
                : Answer{.status = 0, .body = {}, .error = got.error().detail};
    });
    EXPECT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s)) << path;
    return out.value_or(Answer{});
  }
  std::uint16_t PortOfNobody() {
    return io::LocalAddress(io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value().get()).port.value;
  }
  std::uint16_t Database() {
    io::UniqueFd fd = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
    const std::uint16_t port = io::LocalAddress(fd.get()).port.value;
    database_.emplace(loop_, std::move(fd), TcpEchoOptions{.greeting = {}, .prefix = {}});
    return port;
  }

  ManualClock clock_{ManualClock::Start::kRunning};
  io::Loop loop_{clock_};
  std::vector<std::string> set_;
  std::unique_ptr<Role> role_;
  std::vector<std::unique_ptr<conn::HttpServer>> servers_;
  std::optional<TcpEcho> database_;
  std::uint16_t port_ = 0;
};

using RatingsRole = RoleWithVariables;
const std::string kNoDatabase = R"({"error":"could not connect to ratings database"})";

TEST_F(RatingsRole, OfVersionTwoLogsInToTheMySqlDatabaseOfItsVariables) {
  io::UniqueFd fd = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
  Set("SERVICE_VERSION", "v2");
  Set("DB_TYPE", "mysql");
  Set("MYSQL_DB_HOST", "127.0.0.1");
  Set("MYSQL_DB_PORT", std::to_string(io::LocalAddress(fd.get()).port.value));
  Set("MYSQL_DB_USER", "root");
  Set("MYSQL_DB_PASSWORD", "password");
  std::optional<mysql::Mysqldb> database(std::in_place, loop_, std::move(fd), "password");
  Play(NewRatings(loop_, {}));
  EXPECT_EQ(Ask("/ratings/7").body, R"({"id":7,"ratings":{"Reviewer1":5,"Reviewer2":4}})");

  Set("MYSQL_DB_PASSWORD", "wrong");
  Play(NewRatings(loop_, {}));
  testing::internal::CaptureStderr();
  const Answer denied = Ask("/ratings/7");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "ratings: database 127.0.0.1 port " + Environment("MYSQL_DB_PORT") +
                ": error 1045 (28000): Access denied for user 'root'@'127.0.0.1' (using password: YES) (set "
                "MYSQL_DB_USER and MYSQL_DB_PASSWORD to an account of that server that needs no TLS)\n");
  EXPECT_EQ(denied.status, 500);
  EXPECT_EQ(denied.body, kNoDatabase);

  database.reset();  // from now on nobody listens there
  const Answer away = Ask("/ratings/7");
  EXPECT_EQ(away.status, 500);
  EXPECT_EQ(away.body, kNoDatabase);
}

TEST_F(RatingsRole, OfVersionTwoSaysWhichVariableOfItsDatabaseCannotBe) {
  Set("DB_TYPE", "mysql");
  Set("MYSQL_DB_HOST", "127.0.0.1");
  Set("MYSQL_DB_USER", std::string(129, 'x'));
  const auto database = DatabaseOfEnvironment();
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().ToString(),
            "MYSQL_DB_USER has more than 128 bytes, which no server takes (set it to the name of an account there)");
}

TEST_F(RatingsRole, OfVersionTwoAsksTheMongoDatabaseOfItsUrl) {
  Set("MONGO_DB_URL", "mongodb://127.0.0.1:" + std::to_string(Database()) + "/test");
  Play(NewRatings(loop_, {.version = "v2"}));
  EXPECT_EQ(Ask("/ratings/0").body, RatingsJson(0));
  database_.reset();
  EXPECT_EQ(Ask("/ratings/0").body, kNoDatabase);
}

TEST_F(RatingsRole, OfVersionTwoWithoutAPlaceForItsDatabaseHasNoRatings) {
  for (const auto& [name, value] :
       {std::pair{"", ""}, {"DB_TYPE", "mysql"}, {"MYSQL_DB_HOST", "localhost"}, {"MYSQL_DB_PORT", "many"}}) {
    if (*name != '\0') Set(name, value);
    Play(NewRatings(loop_, {.version = "v2"}));
    EXPECT_EQ(Ask("/ratings/0").body, kNoDatabase) << name;
    EXPECT_EQ(Ask("/health").status, 200);
  }
}

TEST_F(RatingsRole, OfVersionOneLooksAtNoDatabase) {
  Set("MONGO_DB_URL", "mongodb://127.0.0.1:" + std::to_string(PortOfNobody()) + "/test");
  Play(NewRatings(loop_, {}));
  EXPECT_EQ(Ask("/ratings/0").status, 200);
}

TEST_F(RatingsRole, ThatIsFaultyAnswersEverySecondRequestWith503) {
  Set("SERVICE_VERSION", "v-faulty");
  Play(NewRatings(loop_, {}));
  for (const int status : {200, 503, 200, 503}) EXPECT_EQ(Ask("/ratings/0").status, status);
}

TEST_F(RatingsRole, ThatIsDelayedAnswersEverySecondRequestSevenSecondsLater) {
  Set("SERVICE_VERSION", "v-delayed");
  Play(NewRatings(loop_, {}));
  EXPECT_EQ(Ask("/ratings/0").status, 200);
  std::optional<Answer> late;
  const Pending asking = Begin("/ratings/0", late);
  EXPECT_EQ(Ask("/ratings/0").status, 200);  // the third: the second has arrived and waits
  clock_.Advance(6s);
  EXPECT_EQ(Ask("/health").status, 200);
  EXPECT_FALSE(late);
  clock_.Advance(1s);
  ASSERT_TRUE(loop_.RunUntil([&] { return late.has_value(); }, 10s));
  EXPECT_EQ(late->status, 200);
}

TEST_F(RatingsRole, ThatIsUnavailableIsSoEverySecondMinute) {
  Set("SERVICE_VERSION", "v-unavailable");
  Play(NewRatings(loop_, {}));
  for (const int status : {200, 503, 200}) {
    EXPECT_EQ(Ask("/ratings/0").status, status);
    EXPECT_EQ(Ask("/health").status, 200);
    clock_.Advance(1min);
  }
}

TEST_F(RatingsRole, ThatIsUnhealthyFailsItsProbesForAQuarterOfAnHour) {
  Set("SERVICE_VERSION", "v-unhealthy");
  Play(NewRatings(loop_, {}));
  for (const int status : {200, 500, 200}) {
    EXPECT_EQ(Ask("/health").status, status);
    EXPECT_EQ(Ask("/ratings/0").status, status == 200 ? 200 : 503);
    clock_.Advance(15min);
  }
}

TEST_F(RatingsRole, HoldsWhatIsPostedForAProduct) {
  Play(NewRatings(loop_, {}));
  const std::string posted = R"({"id":7,"ratings":{"Reviewer1":1}})";
  const Answer answer = Post("/ratings/7", R"({"Reviewer1":1})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, posted);
  EXPECT_EQ(Ask("/ratings/7").body, posted);
  EXPECT_EQ(Ask("/ratings/0").body, RatingsJson(0)) << "that of another product is what it was";
  EXPECT_EQ(Post("/ratings/7", R"({"Reviewer1":2,"Reviewer2":3})").status, 200);
  EXPECT_EQ(Ask("/ratings/7").body, RatingsJson(7, {.reviewer1 = 2, .reviewer2 = 3}));
}

TEST_F(RatingsRole, RefusesToHoldWhatIsNoJsonOrTooLong) {
  Play(NewRatings(loop_, {}));
  for (const char* body : {"", "Reviewer1=1", R"({"Reviewer1":1)"}) {
    const Answer answer = Post("/ratings/7", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.body, R"({"error":"please provide valid ratings JSON"})");
  }
  const auto of = [](std::size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; };
  EXPECT_EQ(Post("/ratings/7", of(4097)).status, 413);
  EXPECT_EQ(Ask("/ratings/7").body, RatingsJson(7));
  EXPECT_EQ(Post("/ratings/7", of(4096)).status, 200);
}

TEST_F(RatingsRole, HoldsRatingsOfAThousandProductsAndNoMore) {
  Play(NewRatings(loop_, {}));
  for (int id = 0; id < 1000; ++id) ASSERT_EQ(Post("/ratings/" + std::to_string(id), "{}").status, 200) << id;
  const Answer refused = Post("/ratings/1000", "{}");
  EXPECT_EQ(refused.status, 507);
  EXPECT_NE(refused.body.find("1000 products have posted ratings; post to one of them"), std::string::npos)
      << refused.body;
  EXPECT_EQ(Ask("/ratings/1000").body, RatingsJson(1000));
  EXPECT_EQ(Post("/ratings/999", "[]").body, R"({"id":999,"ratings":[]})");
}

TEST_F(RatingsRole, OfVersionTwoTakesNoRatings) {
  Play(NewRatings(loop_, {.version = "v2"}));
  const Answer answer = Post("/ratings/7", R"({"Reviewer1":1})");
  EXPECT_EQ(answer.status, 501);
  EXPECT_EQ(answer.body, R"({"error":"Post not implemented for database backed ratings"})");
  EXPECT_EQ(Post("/ratings/7", "{").status, 400);
}

TEST_F(RatingsRole, ThatIsDelayedAnswersWithWhatWasPostedMeanwhile) {
  Play(NewRatings(loop_, {.version = "v-delayed"}));
  EXPECT_EQ(Ask("/ratings/0").body, RatingsJson(0));
  std::optional<Answer> late;
  const Pending asking = Begin("/ratings/0", late);
  EXPECT_EQ(Ask("/ratings/0").status, 200);  // the third: the second has arrived and waits
  EXPECT_EQ(Post("/ratings/0", R"({"Reviewer1":1,"Reviewer2":2})").status, 200) << "only what reads is delayed";
  clock_.Advance(7s);
  ASSERT_TRUE(loop_.RunUntil([&] { return late.has_value(); }, 10s));
  EXPECT_EQ(late->body, RatingsJson(0, {.reviewer1 = 1, .reviewer2 = 2}));
}

class ReviewsRole : public RoleWithVariables {
 protected:
  ReviewsRole() {
    Set("RATINGS_HOSTNAME", "127.0.0.1");
    Set("RATINGS_SERVICE_PORT", std::to_string(Serve([this](conn::Request, conn::Responder responder) {
          responder.Send(JsonResponse(ratings_status_, ratings_));
        })));
  }
  Review First() {
    const Part<Reviews> reviews = ReadReviews(Ask("/reviews/0").body);
    EXPECT_TRUE(reviews.value) << reviews.error;
    return reviews.value ? reviews.value->list.at(0) : Review{};
  }
  int ratings_status_ = 200;
  std::string ratings_ = RatingsJson(0);
};

TEST_F(ReviewsRole, AsksRatingsWhereItsVariablesSay) {
  Play(NewReviews(loop_, {.version = "v2"}));
  EXPECT_EQ(First().stars, 5);
  EXPECT_EQ(First().color, "black");
}

TEST_F(ReviewsRole, HasStarsOfThoseReviewersAloneWhoGaveThem) {
  ratings_ = *PostedRatingsJson(0, R"({"Reviewer2":3})");
  Play(NewReviews(loop_, {.version = "v2"}));
  const Part<Reviews> reviews = ReadReviews(Ask("/reviews/0").body);
  ASSERT_TRUE(reviews.value) << reviews.error;
  EXPECT_FALSE(reviews.value->list.at(0).stars);
  EXPECT_EQ(reviews.value->list.at(0).rating_error, "Ratings service is currently unavailable");
  EXPECT_EQ(reviews.value->list.at(1).stars, 3);
}

TEST_F(ReviewsRole, HasTheColourOfStarColor) {
  Set("STAR_COLOR", "blue");
  Play(NewReviews(loop_, {.version = "v3"}));
  EXPECT_EQ(First().color, "blue");
}

TEST_F(ReviewsRole, ShowsStarsWhenEnableRatingsIsTrueAndOnlyThen) {
  for (const auto& [enabled, version, stars] :
       {std::tuple{"true", "v1", true}, {"TRUE", "v1", true}, {"false", "v3", false}, {"1", "v2", false}}) {
    Set("ENABLE_RATINGS", enabled);
    Play(NewReviews(loop_, {.version = version}));
    EXPECT_EQ(First().stars.has_value(), stars) << enabled;
  }
}

TEST_F(ReviewsRole, SaysWhichPodOfWhichClusterAnswered) {
  Set("HOSTNAME", "reviews-v1-7");
  Set("CLUSTER_NAME", "east");
  Play(NewReviews(loop_, {}));
  const std::string body = Ask("/reviews/0").body;
  EXPECT_NE(body.find(R"("podname":"reviews-v1-7","clustername":"east")"), std::string::npos) << body;
}

TEST_F(ReviewsRole, WritesWhatGoesWrongIntoLogDir) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("reviews-" + std::to_string(::getpid()));
  Set("LOG_DIR", folder / "logs");
  Play(NewReviews(loop_, {.version = "v2"}));
  EXPECT_EQ(First().stars, 5);
  ratings_status_ = 500;
  EXPECT_EQ(First().rating_error, "Ratings service is currently unavailable");
  std::ostringstream text;
  text << std::ifstream(folder / "logs" / "messages.log").rdbuf();
  EXPECT_EQ(text.str(), "cannot have ratings from 127.0.0.1:" + Environment("RATINGS_SERVICE_PORT") + ": status 500\n");
  std::filesystem::remove_all(folder);
}

TEST_F(ReviewsRole, WorksWhereLogDirCannotBeWritten) {
  Set("LOG_DIR", "/proc/nowhere");
  Play(NewReviews(loop_, {.version = "v2"}));
  ratings_status_ = 500;
  EXPECT_FALSE(First().stars);
}

TEST_F(ReviewsRole, WaitsForRatingsAsLongAsUpstreamWithItsColour) {
  std::vector<conn::Responder> held;
  Set("RATINGS_SERVICE_PORT",
      std::to_string(Serve([&](conn::Request, conn::Responder responder) { held.push_back(std::move(responder)); })));
  for (const auto& [color, seconds] : {std::pair{"black", 10}, {"red", 2}}) {
    Set("STAR_COLOR", color);
    Play(NewReviews(loop_, {.version = "v2"}));
    held.clear();
    std::optional<Answer> got;
    const Pending asking = Begin("/reviews/0", got);
    ASSERT_TRUE(loop_.RunUntil([&] { return !held.empty(); }, 10s));
    clock_.Advance(std::chrono::seconds(seconds) - 500ms);
    loop_.RunOnce(0ms);
    EXPECT_FALSE(got) << color;
    clock_.Advance(1s);
    ASSERT_TRUE(loop_.RunUntil([&] { return got.has_value(); }, 10s));
    EXPECT_NE(got->body.find("currently unavailable"), std::string::npos) << color;
  }
}

TEST_F(RoleWithVariables, FindsServicesByHostPortAndDomain) {
  EXPECT_EQ(ServiceUrl("RATINGS_HOSTNAME", "RATINGS_SERVICE_PORT", "ratings").authority(), "ratings:9080");
  Set("SERVICES_DOMAIN", "books.svc.cluster.local");
  EXPECT_EQ(ServiceUrl("RATINGS_HOSTNAME", "RATINGS_SERVICE_PORT", "ratings").authority(),
            "ratings.books.svc.cluster.local:9080");
  Set("RATINGS_HOSTNAME", "stars");
  Set("RATINGS_SERVICE_PORT", "81");
  EXPECT_EQ(ServiceUrl("RATINGS_HOSTNAME", "RATINGS_SERVICE_PORT", "ratings").authority(),
            "stars.books.svc.cluster.local:81");
}

TEST_F(RoleWithVariables, AsksTheNextAddressOfAHostWhenNobodyListensAtOne) {
  const std::uint16_t port = Serve([](conn::Request request, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, request.head.authority + request.head.path, "text/plain"));
  });
  const auto nobody = *io::SocketAddress::Parse("127.0.0.1:" + std::to_string(PortOfNobody()));
  const auto somebody = *io::SocketAddress::Parse("127.0.0.1:" + std::to_string(port));
  const auto ask = [&](std::vector<io::SocketAddress> addresses) {
    std::optional<Answer> out;
    const Pending asking = GetFrom(loop_, std::move(addresses), {.host = "books", .target = "/x"}, {}, 1h,
                                   [&out](Answer got) { out = std::move(got); });
    EXPECT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
    return out.value_or(Answer{});
  };
  EXPECT_EQ(ask({nobody, nobody, somebody}).body, "books/x");
  EXPECT_EQ(ask({nobody, nobody}).error, "connection refused");
}

class DetailsRole : public RoleWithVariables {
 protected:
  static constexpr const char* kVolumes =
      R"({"items":[{"volumeInfo":{"authors":["William Shakespeare"],"publisher":"A House","publishedDate":"2002-08-01","pageCount":96,)"
      R"("printType":"BOOK","language":"en","industryIdentifiers":[{"type":"ISBN_10","identifier":"0486424618"},{"type":"ISBN_13","identifier":"978"}]}}]})";
  // The public book service, in plaintext or over TLS; `asked_` is the last request that it got. It is there where this
  // host's localhost leads first.
  std::string Books(conn::HttpServer::MakeStream make_stream = {}) {
    const std::uint16_t port = Serve(
        [this](conn::Request request, conn::Responder responder) {
          asked_ = request.head;
          responder.Send(conn::TextResponse(200, volumes_, "application/json"));
        },
        std::move(make_stream), Resolve("localhost", 0).value().front());
    return "localhost:" + std::to_string(port);
  }
  std::string volumes_ = kVolumes;
  std::optional<http::RequestHead> asked_;
};

TEST_F(DetailsRole, AsksNobodyUnlessEnabled) {
  Play(NewDetails(loop_, {.book_service = Books()}));
  EXPECT_EQ(Ask("/details/3").body, DetailsJson(3));
  EXPECT_FALSE(asked_);
}

TEST_F(DetailsRole, AsksTheBookServiceInPlaintextWhenItMayNotEncrypt) {
  Set("ENABLE_EXTERNAL_BOOK_SERVICE", "true");
  Set("DO_NOT_ENCRYPT", "true");
  Play(NewDetails(loop_, {.book_service = Books()}));
  const Answer got = Ask("/details/3", {{"x-request-id", "r"}, {"cookie", "session=x"}, {"end-user", "jason"}});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(
      got.body,
      R"({"id":3,"author":"William Shakespeare","year":"2002-08-01","type":"paperback","pages":96,"publisher":"A House",)"
      R"("language":"English","ISBN-10":"0486424618","ISBN-13":"978"})");
  EXPECT_EQ(ReadDetails(got.body).value->year, 2002);
  ASSERT_TRUE(asked_);
  EXPECT_EQ(asked_->path, "/books/v1/volumes?q=isbn:0486424618");
  EXPECT_EQ(asked_->headers.Get("x-request-id"), "r");
  EXPECT_FALSE(asked_->headers.Get("cookie") || asked_->headers.Get("end-user")) << "they are this mesh's alone";
}

TEST_F(DetailsRole, SaysWhyItHasNone) {
  Set("ENABLE_EXTERNAL_BOOK_SERVICE", "true");
  Set("DO_NOT_ENCRYPT", "true");
  Play(NewDetails(loop_, {.book_service = Books()}));
  for (const char* bad :
       {"", "{}", "[]", R"({"items":[]})", R"({"items":[3]})", R"({"items":[{"volumeInfo":3}]})", "\xff"}) {
    volumes_ = bad;
    const Answer got = Ask("/details/0");
    EXPECT_EQ(got.status, 400) << bad;
    EXPECT_EQ(got.body, R"({"error":"the book service localhost: its answer has no volume"})") << bad;
  }
  volumes_ = R"({"items":[{"volumeInfo":{"authors":"a","industryIdentifiers":[3,{}]}}]})";
  EXPECT_EQ(Ask("/details/0").status, 200) << "what is missing is empty";
}

TEST_F(DetailsRole, AsksTheBookServiceOverTlsAndOnlyWhoHasACertificateForItsName) {
  const std::filesystem::path roots =
      std::filesystem::path(testing::TempDir()) / ("roots-" + std::to_string(::getpid()));
  const tls::TestCa authority;
  std::ofstream(roots) << authority.root_pem();
  Set("ENABLE_EXTERNAL_BOOK_SERVICE", "true");
  for (const auto& [name, status] : {std::pair{"localhost", 200}, {"elsewhere.example", 400}}) {
    tls::ContextOptions options{.server = true, .identities = {authority.Issue({}, name)}};
    options.peer.certificate = tls::PeerPolicy::Certificate::kNone;
    options.alpn = {"http/1.1"};
    const auto context = tls::Context::Make(options);
    ASSERT_TRUE(context) << context.error().ToString();
    Play(NewDetails(loop_, {.book_service = Books([this, &context](io::UniqueFd fd) {
                              return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(fd)), *context);
                            }),
                            .roots = roots}));
    EXPECT_EQ(Ask("/details/0").status, status) << name;
  }
  std::filesystem::remove(roots);
  Play(NewDetails(loop_, {.book_service = "localhost", .roots = roots}));
  const Answer without = Ask("/details/0");
  EXPECT_EQ(without.status, 400);
  EXPECT_NE(without.body.find(roots), std::string::npos) << without.body;
}

TEST_F(RoleWithVariables, FloodsReviewsOncePerVisitAsFloodFactorSays) {
  int reviews = 0;
  for (const char* service : {"DETAILS", "REVIEWS"}) {
    const std::uint16_t port = Serve([&reviews](conn::Request request, conn::Responder responder) {
      if (request.head.path == "/reviews/0") ++reviews;
      responder.Send(JsonResponse(200, DetailsJson(0)));
    });
    Set(std::string(service) + "_HOSTNAME", "127.0.0.1");
    Set(std::string(service) + "_SERVICE_PORT", std::to_string(port));
  }
  Play(NewProductPage(loop_));
  EXPECT_EQ(Ask("/productpage").status, 200);
  EXPECT_EQ(reviews, 1);
  Set("FLOOD_FACTOR", "5");
  Play(NewProductPage(loop_));
  EXPECT_EQ(Ask("/productpage").status, 200);
  EXPECT_TRUE(loop_.RunUntil([&] { return reviews == 7; }, 10s)) << reviews;
}

}  // namespace
}  // namespace plait::demo
