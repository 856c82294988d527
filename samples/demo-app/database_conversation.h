#pragma once
// What ratings says to a database on a connection of its own, and what it makes of the answers. Pure: bytes in, bytes
// out; the connection and the deadline are database.cc's.
#include <optional>

#include "bookinfo.h"
#include "core/base/buffer.h"
#include "core/base/result.h"

namespace plait::demo {

class DatabaseConversation {
 public:
  virtual ~DatabaseConversation() = default;
  // What is said before the database has said anything.
  virtual void Begin(Buffer& out) = 0;
  // Takes what it can from `in` and appends what is to be sent; the ratings or why there are none, once that is known.
  virtual std::optional<Outcome<Ratings>> Feed(Buffer& in, Buffer& out) = 0;
  // What the database owes now, for the error of a connection that ends or stands still: "its handshake".
  virtual const char* awaits() const = 0;
};

}  // namespace plait::demo
