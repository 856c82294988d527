#include "mysql_client.h"

#include <gtest/gtest.h>

#include "mysqldb.h"

namespace plait::demo::mysql {
namespace {

const std::string kNonce = "0123456789abcdefghij";
const std::string kNonce2 = "ABCDEFGHIJabcdefghij";

// A client and what a server says to it, each packet with the number that it should have.
class ClientOfMysql : public testing::Test {
 protected:
  void Say(std::string_view payload) {
    Hear();
    AppendPacket(in_, next_, payload);
    ++next_;
    if (!result_) result_ = client_.Feed(in_, out_);
  }
  void Greet(std::string_view plugin = kNativePassword) {
    Say(Compose(HandshakeV10{
        .server_version = "9.3.0",
        .auth_plugin_data = kNonce,
        .capabilities = kLongPassword | kConnectWithDb | kProtocol41 | kTransactions | kSecureConnection | kPluginAuth,
        .auth_plugin_name = std::string(plugin)}));
  }
  void GreetAndLetIn() {
    Greet();
    Say(ComposeOk());
  }
  void BeginRows() {
    GreetAndLetIn();
    Say("\x01");
    Say(ComposeIntColumn("test", "ratings", "Rating"));
    Say(ComposeEof());
  }
  // What the client has sent last.
  const Packet& Hear() {
    while (auto packet = TakePacket(out_).value()) {
      heard_ = std::move(*packet);
      next_ = static_cast<std::uint8_t>(heard_.sequence_id + 1);
    }
    return heard_;
  }
  std::string Why() {
    if (!result_) return "it goes on";
    return *result_ ? "it has ratings" : result_->error().ToString();
  }

  RatingsQuery client_{{.user = "books", .password = "secret"}};
  Buffer in_, out_;
  Packet heard_;
  std::uint8_t next_ = 0;
  std::optional<Outcome<Ratings>> result_;
};

TEST_F(ClientOfMysql, LogsInAndReadsTheFirstTwoRows) {
  Greet();
  const auto login = ReadHandshakeResponse41(Hear().payload);
  ASSERT_TRUE(login);
  EXPECT_EQ(heard_.sequence_id, 1);
  EXPECT_EQ(login->username, "books");
  EXPECT_EQ(login->database, "test");
  EXPECT_EQ(login->client_plugin_name, "mysql_native_password");
  EXPECT_EQ(login->auth_response, NativePasswordScramble("secret", kNonce));
  Say(ComposeOk());
  EXPECT_EQ(Hear(), (Packet{.sequence_id = 0, .payload = "\x03SELECT Rating FROM ratings"}));
  Say("\x01");
  Say(ComposeIntColumn("test", "ratings", "Rating"));
  Say(ComposeEof());
  Say(ComposeTextResultsetRow("3"));
  EXPECT_FALSE(result_);
  Say(ComposeTextResultsetRow("-1"));
  ASSERT_TRUE(result_ && *result_) << Why();
  EXPECT_EQ(**result_, (Ratings{.reviewer1 = 3, .reviewer2 = -1}));
  EXPECT_EQ(Hear(), (Packet{.sequence_id = 0, .payload = "\x01"})) << "COM_QUIT";
}

TEST_F(ClientOfMysql, ProvesItsPasswordToCachingSha2FromItsCache) {
  Greet(kCachingSha2Password);
  EXPECT_EQ(ReadHandshakeResponse41(Hear().payload)->auth_response, CachingSha2PasswordScramble("secret", kNonce));
  EXPECT_EQ(ReadHandshakeResponse41(heard_.payload)->client_plugin_name, "caching_sha2_password");
  Say("\x01\x03");
  EXPECT_FALSE(result_) << Why();
  Say(ComposeOk());
  EXPECT_EQ(Hear().payload, "\x03SELECT Rating FROM ratings");
}

TEST_F(ClientOfMysql, SaysWhatToSetWhereCachingSha2WantsTlsOrRsa) {
  Greet(kCachingSha2Password);
  Say("\x01\x04");
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->error().code, Errc::kDenied);
  EXPECT_EQ(Why(),
            "user books: the server does not have this password in the cache of caching_sha2_password, and its full "
            "authentication wants TLS or RSA, which ratings does not have (check MYSQL_DB_PASSWORD; let another client "
            "log in over TLS as this user, which fills the cache until the server restarts, or give the user "
            "mysql_native_password, which MySQL has up to 8)");
}

TEST_F(ClientOfMysql, ProvesItsPasswordAnewWhenItIsToUseAnotherPlugin) {
  for (const auto plugin : {kNativePassword, kCachingSha2Password}) {
    client_ = RatingsQuery({.user = "books", .password = "secret"});
    next_ = 0;
    Greet("some_plugin");
    EXPECT_EQ(ReadHandshakeResponse41(Hear().payload)->client_plugin_name, "mysql_native_password");
    Say(Compose(AuthSwitchRequest{.plugin_name = std::string(plugin), .plugin_provided_data = kNonce2}));
    EXPECT_EQ(Hear(), (Packet{.sequence_id = 3,
                              .payload = plugin == kNativePassword ? NativePasswordScramble("secret", kNonce2)
                                                                   : CachingSha2PasswordScramble("secret", kNonce2)}));
    Say(ComposeOk());
    EXPECT_EQ(Hear().payload, "\x03SELECT Rating FROM ratings") << Why();
  }
}

TEST_F(ClientOfMysql, TellsItsPasswordToNoPluginThatWantsItAsItIs) {
  Greet();
  Say(Compose(AuthSwitchRequest{.plugin_name = "mysql_clear_password", .plugin_provided_data = ""}));
  EXPECT_NE(Why().find("the plugin \"mysql_clear_password\", which ratings does not have"), std::string::npos) << Why();
  EXPECT_EQ(Hear().sequence_id, 1) << "nothing after the login";
}

TEST_F(ClientOfMysql, IsNotSentFromPluginToPlugin) {
  const AuthSwitchRequest again{.plugin_name = std::string(kNativePassword), .plugin_provided_data = kNonce2};
  Greet();
  Say(Compose(again));
  Say(Compose(again));
  EXPECT_EQ(Why(), "it asks for another plugin twice");
}

TEST_F(ClientOfMysql, RefusesAPluginWithoutItsNonceAndTheOneFromBefore41) {
  Greet();
  Say(Compose(AuthSwitchRequest{.plugin_name = std::string(kNativePassword), .plugin_provided_data = "short"}));
  EXPECT_EQ(Why(), "its request for another plugin has not 20 bytes of data");

  client_ = RatingsQuery({.user = "books", .password = "secret"});
  result_.reset();
  next_ = 0;
  Greet();
  Say("\xfe");
  EXPECT_EQ(Why(),
            "it wants mysql_old_password, which is from before MySQL 4.1 (at the server, give the user the plugin "
            "mysql_native_password, or set MYSQL_DB_USER to one that has it)");
}

TEST_F(ClientOfMysql, SaysWhatToDoAboutTheErrorsOfAServer) {
  for (const auto& [code, next_step] : {std::pair{1045, "set MYSQL_DB_USER and MYSQL_DB_PASSWORD"},
                                        {1044, "GRANT SELECT"},
                                        {1049, "make the database test"},
                                        {1130, "make the account for any host"},
                                        {1698, "give the user the plugin mysql_native_password"},
                                        {3159, "turn require_secure_transport off"}}) {
    client_ = RatingsQuery({.user = "books", .password = "secret"});
    result_.reset();
    next_ = 0;
    Greet();
    Say(Compose(ErrPacket{
        .error_code = static_cast<std::uint16_t>(code), .sql_state = "28000", .error_message = "No\nand no"}));
    EXPECT_EQ(result_->error().code, Errc::kDenied);
    EXPECT_TRUE(Why().starts_with("error " + std::to_string(code) + " (28000): No?and no (")) << Why();
    EXPECT_NE(Why().find(next_step), std::string::npos) << Why();
  }
}

TEST_F(ClientOfMysql, HearsAnErrorInPlaceOfTheHandshakeAndOfTheRows) {
  AppendPacket(in_, 0, std::string("\xff\x10\x04", 3) + "Too many connections");
  result_ = client_.Feed(in_, out_);
  EXPECT_EQ(Why(),
            "error 1040: Too many connections (wait until others have gone, or raise the server's max_connections)");

  client_ = RatingsQuery({.user = "books", .password = "secret"});
  result_.reset();
  GreetAndLetIn();
  Say(Compose(
      ErrPacket{.error_code = 1146, .sql_state = "42S02", .error_message = "Table 'test.ratings' doesn't exist"}));
  EXPECT_TRUE(Why().starts_with("error 1146 (42S02): Table 'test.ratings' doesn't exist (make the database")) << Why();
}

TEST_F(ClientOfMysql, SaysWhichRowsAreMissing) {
  BeginRows();
  Say(ComposeTextResultsetRow("5"));
  Say(ComposeEof());
  EXPECT_EQ(Why(),
            "table ratings: 1 of the two rows are there, a row for each reviewer (INSERT INTO test.ratings ...)");
}

TEST_F(ClientOfMysql, SaysWhichRatingIsNoNumber) {
  for (const auto& [value, said] : {std::pair<std::optional<std::string>, std::string>{std::nullopt, "NULL"},
                                    {"five", "\"five\""},
                                    {"4.5", "\"4.5\""},
                                    {"", "\"\""},
                                    {"2147483648", "\"2147483648\""}}) {
    client_ = RatingsQuery({.user = "books", .password = "secret"});
    result_.reset();
    next_ = 0;
    BeginRows();
    Say(ComposeTextResultsetRow("5"));
    Say(ComposeTextResultsetRow(value));
    EXPECT_TRUE(Why().starts_with("table ratings: the Rating of row 2 is " + said + ", no number")) << Why();
  }
}

TEST_F(ClientOfMysql, GivesNoFileToAServerThatAsksForOne) {
  GreetAndLetIn();
  Say("\xfb/etc/passwd");
  EXPECT_TRUE(result_ && result_->error().code == Errc::kDenied) << Why();
  EXPECT_EQ(Hear().payload, "\x03SELECT Rating FROM ratings") << "nothing after the query";
}

TEST_F(ClientOfMysql, RefusesAnswersThatAreNoTableOfOneColumn) {
  for (const auto& [payload, why] : {std::pair{ComposeOk(), "its answer is no result set"},
                                     {std::string("\x02"), "its result set has not one column"},
                                     {std::string(), "its answer is no result set"}}) {
    client_ = RatingsQuery({.user = "books", .password = "secret"});
    result_.reset();
    next_ = 0;
    GreetAndLetIn();
    Say(payload);
    EXPECT_EQ(Why(), why);
  }
}

TEST_F(ClientOfMysql, ReadsNoMoreThan64KiB) {
  GreetAndLetIn();
  Say("\x01");
  Say(std::string(40'000, '\x03'));
  EXPECT_FALSE(result_) << Why();
  Say(std::string(40'000, '\x03'));
  EXPECT_EQ(Why(), "its answers are longer than 64 KiB");
}

TEST_F(ClientOfMysql, WaitsForNoPacketBeyond64KiBInAll) {
  GreetAndLetIn();
  Say("\x01");
  Say(std::string(40'000, '\x03'));
  in_.Append(std::string("\x40\x9c\x00\x04", 4) + std::string(30'000, 'x'));  // 40,000 bytes are announced
  result_ = client_.Feed(in_, out_);
  EXPECT_EQ(Why(), "its answers are longer than 64 KiB");
}

TEST_F(ClientOfMysql, RefusesPacketsOutOfOrderAndWhatIsNotMysql) {
  Greet();
  next_ = 0;
  AppendPacket(in_, 9, ComposeOk());
  result_ = client_.Feed(in_, out_);
  EXPECT_EQ(Why(), "its packets are out of order");
  for (const std::string& other : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\x03\0\0\0SSH", 7)}) {
    client_ = RatingsQuery({.user = "books", .password = "secret"});
    in_.Clear();
    in_.Append(other);
    result_ = client_.Feed(in_, out_);
    EXPECT_EQ(
        Why(),
        "what it says first is not MySQL's handshake (do MYSQL_DB_HOST and MYSQL_DB_PORT name a MySQL or MariaDB?)")
        << other;
  }
}

// A client and the server of the role mysqldb, a byte at a time.
Outcome<Ratings> Converse(Login login, std::string root_password) {
  RatingsQuery client(std::move(login));
  ServerConversation server(std::move(root_password), "10.0.0.9", kNonce);
  Buffer to_server, to_client, at_client;
  server.Begin(to_client);
  while (!to_client.empty()) {
    at_client.MoveFrom(to_client, 1);
    if (auto result = client.Feed(at_client, to_server)) return *result;
    server.Feed(to_server, to_client);
  }
  return Explain(Errc::kInternal, "neither says more");
}

TEST(ClientAndServerOfMysql, AgreeOnThePasswordAndTheRatings) {
  for (const char* password : {"password", ""}) {
    const auto ratings = Converse({.user = "root", .password = password}, password);
    ASSERT_TRUE(ratings) << ratings.error().ToString();
    EXPECT_EQ(*ratings, kFirstRatings);
  }
}

TEST(ClientAndServerOfMysql, DisagreeOnAWrongUserOrPassword) {
  for (const auto& [user, password, expected, said] : {std::tuple{"root", "wrong", "password", "'root'"},
                                                       {"root", "", "password", "'root'"},
                                                       {"root", "password", "", "'root'"},
                                                       {"books", "password", "password", "'books'"},
                                                       {"", "password", "password", "''"}}) {
    const auto ratings = Converse({.user = user, .password = password}, expected);
    ASSERT_FALSE(ratings) << user;
    EXPECT_EQ(ratings.error().ToString(),
              std::string("error 1045 (28000): Access denied for user ") + said +
                  "@'10.0.0.9' (using password: " + (*password != '\0' ? "YES" : "NO") +
                  ") (set MYSQL_DB_USER and MYSQL_DB_PASSWORD to an account of that server that needs no TLS)");
  }
}

}  // namespace
}  // namespace plait::demo::mysql
