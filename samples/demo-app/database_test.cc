#include "database.h"

#include <gtest/gtest.h>

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
  Result<> Asked(Kind kind, Duration passes = {}) {
    std::optional<Result<>> out;
    const Pending asking =
        Ask(loop_, {.kind = kind, .host = "127.0.0.1", .port = port_}, 5s, [&](Result<> result) { out = result; });
    EXPECT_FALSE(out) << "never inside the call";
    clock_.Advance(passes);
    EXPECT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
    return out.value_or(Fail(Errc::kInternal, "no answer"));
  }

  ManualClock clock_;
  io::Loop loop_{clock_};
  std::uint16_t port_ = 0;
  std::optional<TcpEcho> server_;
};

TEST_F(DatabaseThatIsAsked, IsThereWhenMySqlGreets) {
  Speak(std::string("\x4a\0\0\0\x0a", 5) + "8.0.36");
  EXPECT_TRUE(Asked(Kind::kMySql));
}

TEST_F(DatabaseThatIsAsked, IsNotThereWhenMySqlBeginsWithAnError) {
  Speak(std::string("\x10\0\0\0\xff\x10\x04", 7) + "Too many connections");
  EXPECT_EQ(Asked(Kind::kMySql).error().code, Errc::kDenied);
}

TEST_F(DatabaseThatIsAsked, IsGivenUpWhenItSaysNothing) {
  EXPECT_EQ(Asked(Kind::kMySql, 6s).error().code, Errc::kTimedOut);
  Speak("\x4a");  // less than any greeting
  EXPECT_EQ(Asked(Kind::kMySql, 6s).error().code, Errc::kTimedOut);
}

TEST_F(DatabaseThatIsAsked, IsThereWhenItAnswersMongosMessageWithAMessage) { EXPECT_TRUE(Asked(Kind::kMongo)); }

TEST_F(DatabaseThatIsAsked, IsNotThereWhenAnotherProtocolAnswersMongosMessage) {
  Speak("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(Asked(Kind::kMongo).error().code, Errc::kInvalidInput);
}

TEST_F(DatabaseThatIsAsked, IsNotThereWhenNobodyListensOrHasItsName) {
  server_.reset();
  for (const Kind kind : {Kind::kMySql, Kind::kMongo}) EXPECT_FALSE(Asked(kind));
  std::optional<Result<>> out;
  const Pending asking =
      Ask(loop_, {.kind = Kind::kMongo, .host = "no such host", .port = 1}, 5s, [&](Result<> result) { out = result; });
  EXPECT_FALSE(out) << "never inside the call";
  clock_.Advance(1ms);
  ASSERT_TRUE(loop_.RunUntil([&] { return out.has_value(); }, 10s));
  EXPECT_EQ(out->error().code, Errc::kNotFound);
}

TEST_F(DatabaseThatIsAsked, MayBeForgottenBeforeItAnswers) {
  {
    const Pending asking =
        Ask(loop_, {.kind = Kind::kMySql, .host = "127.0.0.1", .port = port_}, 5s, [](Result<>) { ADD_FAILURE(); });
    loop_.RunOnce(0ms);
  }
  clock_.Advance(10s);
  loop_.RunOnce(0ms);
}

}  // namespace
}  // namespace plait::demo
