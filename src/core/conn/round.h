#pragma once
// The connections of this thread that have work at the end of the running round of their loop: what several sends of
// one round produced is written by one system call. An intrusive list: scheduling costs no allocation, and a connection
// that dies first is simply gone from it.

namespace plait::io {
class Loop;
}
namespace plait::conn {
class Connection;

class Round {
 public:
  static void Add(Connection& connection, io::Loop& loop);  // no effect when it is in the list already
  static void Remove(Connection& connection) noexcept;

 private:
  static void Run();
};
}  // namespace plait::conn
