#include "core/conn/round.h"

#include "core/conn/connection.h"

namespace plait::conn {
namespace {
// Two lists, so that what is scheduled while one runs waits for the next round.
thread_local Connection* waiting = nullptr;
}  // namespace

void Round::Add(Connection& connection, io::Loop& loop) {
  if (connection.linked_at_ != nullptr) return;
  connection.next_ = waiting;
  if (waiting != nullptr) waiting->linked_at_ = &connection.next_;
  connection.linked_at_ = &waiting;
  waiting = &connection;
  // One call for each is enough even when loops of the same thread (tests) die in between: any run serves all.
  loop.Defer([] { Run(); });
}

void Round::Remove(Connection& connection) noexcept {
  if (connection.linked_at_ == nullptr) return;
  *connection.linked_at_ = connection.next_;
  if (connection.next_ != nullptr) connection.next_->linked_at_ = connection.linked_at_;
  connection.next_ = nullptr;
  connection.linked_at_ = nullptr;
}

void Round::Run() {
  Connection* running = waiting;
  waiting = nullptr;
  if (running != nullptr) running->linked_at_ = &running;
  while (running != nullptr) {
    Connection& connection = *running;
    Remove(connection);
    connection.Work();
  }
}

}  // namespace plait::conn
