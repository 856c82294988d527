#pragma once
// The database of bookinfo's mysqldb: a server of MySQL's protocol that lets in the user root, by
// mysql_native_password, and knows one query, upstream's, and the two rows that upstream's table begins with. It holds
// no table and no TLS.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/socket.h"
#include "mysql_protocol.h"

namespace plait::demo::mysql {

// What is said on one connection. Pure.
class ServerConversation {
 public:
  // `nonce`: kAuthPluginDataLen bytes, none of them zero. `client`: its address, for the words of a refusal.
  ServerConversation(std::string root_password, std::string client, std::string nonce)
      : root_password_(std::move(root_password)), client_(std::move(client)), nonce_(std::move(nonce)) {}
  void Begin(Buffer& out);
  // Answers the whole packets of `in`. False: the connection ends once `out` is sent.
  bool Feed(Buffer& in, Buffer& out);
  bool logged_in() const { return state_ == State::kCommands; }

 private:
  // kLogin -> kAuthSwitch (the client began with another plugin) -> kCommands; kLogin -> kCommands.
  enum class State : std::uint8_t { kLogin, kAuthSwitch, kCommands };

  bool OnPacket(const std::string& payload, Buffer& out);
  bool OnLogin(const std::string& payload, Buffer& out);
  bool Admit(std::string_view auth_response, Buffer& out);
  bool OnCommand(const std::string& payload, Buffer& out);
  void OnQuery(std::string_view query, Buffer& out);
  bool Use(std::string_view database, Buffer& out);
  void Send(Buffer& out, std::string_view payload) { AppendPacket(out, next_sequence_id_++, payload); }
  // Always false, for what ends the connection.
  bool Refuse(Buffer& out, std::uint16_t code, const char* sql_state, std::string message);

  const std::string root_password_, client_, nonce_;
  State state_ = State::kLogin;
  std::uint8_t next_sequence_id_ = 0;
  std::string user_;
  std::string database_;
};

// Accepts on `listening`. Who has not logged in after 10 s (MySQL's connect_timeout) is disconnected, and who has said
// nothing for 8 h (its wait_timeout).
class Mysqldb {
 public:
  Mysqldb(io::Loop& loop, io::UniqueFd listening, std::string root_password);
  ~Mysqldb();

 private:
  class Session;
  io::Loop& loop_;
  io::UniqueFd listening_;
  const std::string root_password_;
  std::vector<std::unique_ptr<Session>> sessions_;
  io::Listener listener_;
};

}  // namespace plait::demo::mysql
