#include "mysqldb.h"

#include <gtest/gtest.h>

#include "mysql_client.h"
#include "testing/manual_clock.h"

namespace plait::demo::mysql {
namespace {
using namespace std::chrono_literals;

const std::string kNonce = "0123456789abcdefghij";

class ServerOfMysql : public testing::Test {
 protected:
  ServerOfMysql() {
    server_.Begin(out_);
    Hear();
  }
  // What it answers to a packet.
  std::vector<std::string> Say(std::string_view payload, std::uint8_t sequence_id = 0) {
    AppendPacket(in_, sequence_id, payload);
    goes_on_ = server_.Feed(in_, out_);
    return Hear();
  }
  std::vector<std::string> LogIn(HandshakeResponse41 response) {
    response.client_flag |= kProtocol41 | kSecureConnection;
    return Say(Compose(response), 1);
  }
  std::vector<std::string> LogIn() {
    return LogIn({.client_flag = kConnectWithDb,
                  .username = "root",
                  .auth_response = NativePasswordScramble("password", kNonce),
                  .database = "test"});
  }
  std::vector<std::string> Hear() {
    std::vector<std::string> out;
    while (const auto packet = TakePacket(out_).value()) out.push_back(packet->payload);
    return out;
  }
  static std::string ErrorOf(const std::vector<std::string>& answer) {
    if (answer.empty()) return "no answer";
    const auto error = ReadErrPacket(answer.front());
    return error ? std::to_string(error->error_code) + " " + error->sql_state + " " + error->error_message : "none";
  }

  ServerConversation server_{"password", "10.0.0.9", kNonce};
  Buffer in_, out_;
  bool goes_on_ = true;
};

TEST_F(ServerOfMysql, AnswersTheQueryWithTwoRows) {
  EXPECT_EQ(LogIn(), std::vector{ComposeOk()});
  for (const char* query : {"SELECT Rating FROM ratings", " select  rating\n from RATINGS ; "}) {
    EXPECT_EQ(Say(std::string(1, kComQuery) + query),
              (std::vector<std::string>{"\x01", ComposeIntColumn("test", "ratings", "Rating"), ComposeEof(),
                                        ComposeTextResultsetRow("5"), ComposeTextResultsetRow("4"), ComposeEof()}))
        << query;
  }
}

TEST_F(ServerOfMysql, KnowsNoOtherQuery) {
  LogIn();
  for (const char* query : {"SELECT 1", "SELECT Rating FROM ratings WHERE 1", "", "set"}) {
    EXPECT_TRUE(ErrorOf(Say(std::string(1, kComQuery) + query)).starts_with("1064 42000 You have an error")) << query;
    EXPECT_TRUE(goes_on_);
  }
  EXPECT_EQ(ErrorOf(Say("\x1f")), "1047 08S01 Unknown command");
  EXPECT_EQ(ErrorOf(Say("")), "1047 08S01 Unknown command");
}

TEST_F(ServerOfMysql, LetsClientsBeginAndEnd) {
  LogIn();
  EXPECT_EQ(Say(std::string(1, kComPing)), std::vector{ComposeOk()});
  EXPECT_EQ(Say(std::string(1, kComQuery) + "SET NAMES utf8mb4"), std::vector{ComposeOk()});
  EXPECT_TRUE(goes_on_);
  EXPECT_TRUE(Say(std::string(1, kComQuit)).empty());
  EXPECT_FALSE(goes_on_);
}

TEST_F(ServerOfMysql, WantsItsDatabaseChosen) {
  LogIn({.username = "root", .auth_response = NativePasswordScramble("password", kNonce)});
  const std::string query = std::string(1, kComQuery).append(kQuery);
  EXPECT_EQ(ErrorOf(Say(query)), "1046 3D000 No database selected");
  EXPECT_EQ(ErrorOf(Say(std::string(1, kComInitDb) + "books")), "1049 42000 Unknown database 'books'");
  EXPECT_TRUE(goes_on_);
  EXPECT_EQ(Say(std::string(1, kComInitDb) + "test"), std::vector{ComposeOk()});
  EXPECT_EQ(Say(query).size(), 6U);
}

TEST_F(ServerOfMysql, HasNoOtherDatabase) {
  EXPECT_EQ(ErrorOf(LogIn({.client_flag = kConnectWithDb,
                           .username = "root",
                           .auth_response = NativePasswordScramble("password", kNonce),
                           .database = "books"})),
            "1049 42000 Unknown database 'books'");
  EXPECT_FALSE(goes_on_);
}

TEST_F(ServerOfMysql, SwitchesToItsOwnPlugin) {
  EXPECT_EQ(
      LogIn({.client_flag = kPluginAuth,
             .username = "root",
             .auth_response = CachingSha2PasswordScramble("password", kNonce),
             .client_plugin_name = "caching_sha2_password"}),
      std::vector{Compose(AuthSwitchRequest{.plugin_name = "mysql_native_password", .plugin_provided_data = kNonce})});
  EXPECT_FALSE(server_.logged_in());
  EXPECT_EQ(Say(NativePasswordScramble("password", kNonce), 3), std::vector{ComposeOk()});
  EXPECT_TRUE(server_.logged_in());
}

TEST_F(ServerOfMysql, LetsNobodyInWithoutThePassword) {
  const std::string right = NativePasswordScramble("password", kNonce);
  for (const auto& [user, auth_response, used] : {std::tuple{"root", std::string(20, 'x'), "YES"},
                                                  {"root", right.substr(0, 19), "YES"},
                                                  {"root", std::string(), "NO"},
                                                  {"books", right, "YES"},
                                                  {"", right, "YES"}}) {
    ServerConversation anew("password", "10.0.0.9", kNonce);
    anew.Begin(out_);
    Hear();
    AppendPacket(
        in_, 1,
        Compose(HandshakeResponse41{
            .client_flag = kProtocol41 | kSecureConnection, .username = user, .auth_response = auth_response}));
    EXPECT_FALSE(anew.Feed(in_, out_));
    EXPECT_FALSE(anew.logged_in());
    EXPECT_EQ(ErrorOf(Hear()), std::string("1045 28000 Access denied for user '") + user +
                                   "'@'10.0.0.9' (using password: " + used + ")");
  }
}

TEST_F(ServerOfMysql, AnswersNoCommandBeforeTheLogin) {
  EXPECT_EQ(ErrorOf(Say(std::string(1, kComQuery).append(kQuery), 1)), "1043 08S01 Bad handshake");
  EXPECT_FALSE(goes_on_);
}

TEST_F(ServerOfMysql, EndsWithWhoBreaksTheProtocol) {
  EXPECT_EQ(ErrorOf(Say("x", 5)), "1156 08S01 Got packets out of order");
  EXPECT_FALSE(goes_on_);
  in_.Append(std::string("\x01\x00\x01\x00", 4));
  EXPECT_FALSE(server_.Feed(in_, out_));
  EXPECT_EQ(ErrorOf(Hear()), "1153 08S01 Got a packet bigger than 'max_allowed_packet' bytes");
}

// A client that only reads.
class Reads final : private io::StreamEvents {
 public:
  Reads(io::Loop& loop, const io::SocketAddress& to) : stream_(io::Connect(loop, to)) { stream_->SetEvents(this); }
  void Write(std::string_view text) {
    Buffer out(text);
    ASSERT_TRUE(stream_->Write(out));
  }
  std::size_t got() const { return in_.size(); }
  bool ended() const { return ended_; }

 private:
  void OnOpen() override {}
  void OnReadable() override {
    for (;;) {
      const auto n = stream_->Read(in_, 4096);
      if (!n) ended_ = true;
      if (!n || *n == 0) return;
    }
  }
  void OnWritable() override {}
  void OnFailed(Error /*error*/) override { ended_ = true; }

  std::unique_ptr<io::Stream> stream_;
  Buffer in_;
  bool ended_ = false;
};

class RoleMysqldb : public testing::Test {
 protected:
  RoleMysqldb() {
    io::UniqueFd fd = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
    at_ = io::LocalAddress(fd.get());
    server_.emplace(loop_, std::move(fd), "password");
  }
  ManualClock clock_;
  io::Loop loop_{clock_};
  io::SocketAddress at_;
  std::optional<Mysqldb> server_;
};

TEST_F(RoleMysqldb, DisconnectsWhoDoesNotLogInWithinTenSeconds) {
  Reads client(loop_, at_);
  ASSERT_TRUE(loop_.RunUntil([&] { return client.got() > 0; }, 10s));
  clock_.Advance(9s);
  loop_.RunOnce(0ms);
  client.Write("\x01");  // less than a packet is no login
  loop_.RunOnce(10ms);
  EXPECT_FALSE(client.ended());
  clock_.Advance(2s);
  EXPECT_TRUE(loop_.RunUntil([&] { return client.ended(); }, 10s));
}

TEST_F(RoleMysqldb, EndsWithItsClients) {
  Reads client(loop_, at_);
  ASSERT_TRUE(loop_.RunUntil([&] { return client.got() > 0; }, 10s));
  server_.reset();
  EXPECT_TRUE(loop_.RunUntil([&] { return client.ended(); }, 10s));
}

}  // namespace
}  // namespace plait::demo::mysql
