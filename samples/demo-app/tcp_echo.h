#pragma once
// A TCP server that answers each byte with itself, and can speak first as databases and mail servers do.
#include <memory>
#include <string>
#include <vector>

#include "core/io/socket.h"

namespace plait::demo {

struct TcpEchoOptions {
  std::string greeting;  // sent as soon as a client is there; empty: the client speaks first
  std::string prefix;    // before each echoed piece, as the name of a version
};

class TcpEcho {
 public:
  TcpEcho(io::Loop& loop, io::UniqueFd listening, TcpEchoOptions options);
  ~TcpEcho();

 private:
  class Session;
  io::Loop& loop_;
  io::UniqueFd listening_;
  const TcpEchoOptions options_;
  std::vector<std::unique_ptr<Session>> sessions_;
  io::Listener listener_;
};

}  // namespace plait::demo
