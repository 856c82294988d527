#include "database.h"

#include <gtest/gtest.h>

#include "mysqldb.h"
#include "tcp_echo.h"
#include "testing/manual_clock.h"

namespace plait::demo {
namespace {
using namespace std::chrono_literals;
using Kind = Database::Kind;

TEST(MongoUrl, NamesItsFirstHost) {
  for (const auto& [url, host, port] : {std::tuple{"mongodb://mongodb:27018/test", "mongodb", 27018},
                                        {"mongodb://mongodb/test", "mongodb", 27017},
                                        {"mongodb://mongodb", "mongodb", 27017},
                                        {"mongodb://user:p%40ss@db.default.svc:1/test?w=majority", "db.default.svc", 1},
                                        {"mongodb://a:1,b:2/test", "a", 1},
                                        {"mongodb://[fd00::1]:5/test", "fd00::1", 5}}) {
    const auto parsed = ParseMongoUrl(url);
    ASSERT_TRUE(parsed) << url << ": " << parsed.error().ToString();
    EXPECT_EQ(*parsed, (Database{.kind = Kind::kMongo, .host = host, .port = static_cast<std::uint16_t>(port)})) << url;
  }
}

TEST(MongoUrl, ThatIsNoneNamesItsVariable) {
  for (const char* url : {"", "mongodb", "mongodb+srv://a/test", "mysql://a:1", "mongodb://", "mongodb:///test",
                          "mongodb://:1/test", "mongodb://a:/test", "mongodb://a:0/test", "mongodb://a:65536/test",
                          "mongodb://a:port/test", "mongodb://user@"}) {
    const auto parsed = ParseMongoUrl(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_NE(parsed.error().ToString().find("MONGO_DB_URL"), std::string::npos) << url;
  }
}

// A server that says something when a client is there, or sends back what it gets.
class DatabaseThatIsAsked : public testing::Test {
 protected:
  DatabaseThatIsAsked() { Speak({}); }
  void Speak(std::string greeting) {
    io::UniqueFd fd = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
    port_ = io::LocalAddress(fd.get()).port.value;
    server_.emplace(loop_, std::move(fd), TcpEchoOptions{.greeting = std::move(greeting), .prefix = {}});
  }
  void ServeMysql(std::string root_password) {
    io::UniqueFd fd = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
    port_ = io::LocalAddress(fd.get()).port.value;
    mysqldb_.emplace(loop_, std::move(fd), std::move(root_password));
  }
  Outcome<Ratings> Asked(Kind kind, Duration passes = {}) {
    std::optional<Outcome<Ratings>> out;
    const Pending asking = Ask(loop_, {.kind = kind, .host = "127.0.0.1", .port = port_, .login = login_}, 5s,
                               [&](Outcome<Ratings> result) { out = std::move(result); });
    EXPECT_FALSE(out) << "never inside the call";
    clock_.Advance(passes);
    EXPECT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
    return out.value_or(Explain(Errc::kInternal, "no answer"));
  }
  std::string Why(Kind kind, Duration passes = {}) {
    const Outcome<Ratings> ratings = Asked(kind, passes);
    return ratings ? "there are ratings" : ratings.error().ToString();
  }

  ManualClock clock_;
  io::Loop loop_{clock_};
  std::uint16_t port_ = 0;
  mysql::Login login_{.user = "root", .password = "password"};
  std::optional<TcpEcho> server_;
  std::optional<mysql::Mysqldb> mysqldb_;
};

TEST_F(DatabaseThatIsAsked, HasRatingsForWhoMayLogIn) {
  ServeMysql("password");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Asked(Kind::kMySql), kFirstRatings);
  login_.password = "passwort";
  EXPECT_EQ(Asked(Kind::kMySql).error().code, Errc::kDenied);
  EXPECT_NE(Why(Kind::kMySql).find("Access denied for user 'root'@'127.0.0.1' (using password: YES)"),
            std::string::npos);
  ServeMysql("");
  EXPECT_EQ(Asked(Kind::kMySql).error().code, Errc::kDenied) << "a password where there is none";
  login_.password.clear();
  EXPECT_EQ(Asked(Kind::kMySql), kFirstRatings);
}

TEST_F(DatabaseThatIsAsked, SaysWhyItTakesNobody) {
  Speak(std::string("\x17\0\0\0\xff\x10\x04", 7) + "Too many connections");
  EXPECT_EQ(Why(Kind::kMySql),
            "error 1040: Too many connections (wait until others have gone, or raise the server's max_connections)");
}

TEST_F(DatabaseThatIsAsked, IsGivenUpWhenItSaysNothing) {
  EXPECT_EQ(Asked(Kind::kMySql, 6s).error().code, Errc::kTimedOut);
  Speak("\x4a");  // less than any greeting
  EXPECT_EQ(Asked(Kind::kMySql, 6s).error().code, Errc::kTimedOut);
}

TEST_F(DatabaseThatIsAsked, SaysWhatItOwedWhenItsTimeIsOver) {
  std::optional<Outcome<Ratings>> out;
  const Pending asking = Ask(loop_, {.kind = Kind::kMySql, .host = "127.0.0.1", .port = port_, .login = login_}, 5s,
                             [&](Outcome<Ratings> result) { out = std::move(result); });
  for (int i = 0; i < 10; ++i) loop_.RunOnce(1ms);  // it is connected by now
  ASSERT_FALSE(out);
  clock_.Advance(5s);
  ASSERT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
  EXPECT_EQ(out->error().ToString(), "timeout after 5 s while waiting for MySQL's handshake");
}

TEST_F(DatabaseThatIsAsked, IsThereWhenItAnswersMongosMessageWithAMessage) {
  EXPECT_EQ(Asked(Kind::kMongo), kFirstRatings);
}

TEST_F(DatabaseThatIsAsked, IsNotThereWhenAnotherProtocolAnswers) {
  Speak("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(Why(Kind::kMongo), "it does not speak MongoDB's protocol");
  EXPECT_EQ(
      Why(Kind::kMySql),
      "what it says first is not MySQL's handshake (do MYSQL_DB_HOST and MYSQL_DB_PORT name a MySQL or MariaDB?)");
}

TEST_F(DatabaseThatIsAsked, IsNotThereWhenNobodyListensOrHasItsName) {
  server_.reset();
  EXPECT_EQ(Why(Kind::kMongo), "connection refused (is it there, and does MONGO_DB_URL name it?)");
  EXPECT_EQ(Why(Kind::kMySql), "connection refused (is it there, and do MYSQL_DB_HOST and MYSQL_DB_PORT name it?)");
  std::optional<Outcome<Ratings>> out;
  const Pending asking = Ask(loop_, {.kind = Kind::kMongo, .host = "no such host", .port = 1}, 5s,
                             [&](Outcome<Ratings> result) { out = std::move(result); });
  EXPECT_FALSE(out) << "never inside the call";
  clock_.Advance(1ms);
  ASSERT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
  EXPECT_EQ(out->error().code, Errc::kNotFound);
}

TEST_F(DatabaseThatIsAsked, MayBeForgottenBeforeItAnswers) {
  {
    const Pending asking = Ask(loop_, {.kind = Kind::kMySql, .host = "127.0.0.1", .port = port_}, 5s,
                               [](const Outcome<Ratings>&) { ADD_FAILURE(); });
    loop_.RunOnce(0ms);
  }
  clock_.Advance(10s);
  loop_.RunOnce(0ms);
}

}  // namespace
}  // namespace plait::demo
