#pragma once
// Logs in to MySQL or MariaDB and reads the ratings, as upstream's ratings does with DB_TYPE=mysql:
// SELECT Rating FROM ratings in database `test`, the first row for Reviewer1 and the second for Reviewer2. Rows after
// the second are not waited for. Never TLS: between workloads that is the mesh's.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "database_conversation.h"
#include "mysql_protocol.h"

namespace plait::demo::mysql {

struct Login {
  std::string user;
  std::string password;
  friend bool operator==(const Login&, const Login&) = default;
};
inline constexpr std::string_view kDatabase = "test";
inline constexpr std::string_view kQuery = "SELECT Rating FROM ratings";
inline constexpr char kComQuit = '\x01', kComInitDb = '\x02', kComQuery = '\x03', kComPing = '\x0e';

class RatingsQuery final : public DatabaseConversation {
 public:
  explicit RatingsQuery(Login login) : login_(std::move(login)) {}
  void Begin(Buffer& /*out*/) override {}  // MySQL speaks first
  std::optional<Outcome<Ratings>> Feed(Buffer& in, Buffer& out) override;
  const char* awaits() const override;

 private:
  // kHandshake -> kLogin (the response is sent) -> kColumnCount (logged in, the query is sent) -> kColumn ->
  // kColumnsEnd -> kRows -> kDone; from each to kDone by an error.
  enum class State : std::uint8_t { kHandshake, kLogin, kColumnCount, kColumn, kColumnsEnd, kRows, kDone };
  using Step = Outcome<std::optional<Ratings>>;  // nullopt: goes on

  Step OnPacket(const std::string& payload, Buffer& out);
  Step OnHandshake(const std::string& payload, Buffer& out);
  Step OnLogin(const std::string& payload, Buffer& out);
  Step SwitchAuth(const std::string& payload, Buffer& out);
  Step OnRow(const std::string& payload);
  Diagnostic Refused(const std::string& payload) const;
  std::string Prove(std::string_view nonce) const;
  void Send(Buffer& out, std::string_view payload);

  Login login_;
  State state_ = State::kHandshake;
  std::string plugin_;  // by which the password is proved
  bool switched_ = false;
  std::uint8_t next_sequence_id_ = 0;
  std::size_t taken_ = 0;  // bytes of the server so far
  int rows_ = 0;
  Ratings ratings_;
};

}  // namespace plait::demo::mysql
