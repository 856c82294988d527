#pragma once
// The database behind `ratings` v2, as upstream's variables name it. What is asked of it is whether it speaks, on a
// connection of this request: whatever becomes of that connection (a policy, a fault, a database that is away) shows in
// the answer. MySQL speaks first; MongoDB answers `hello`. Nobody logs in and nothing is read: user, password and the
// name of the database mean nothing here, and the ratings are those that upstream's databases begin with.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "call.h"

namespace plait::demo {

struct Database {
  enum class Kind : std::uint8_t { kMongo, kMySql };
  Kind kind = Kind::kMongo;
  std::string host;
  std::uint16_t port = 27017;
  friend bool operator==(const Database&, const Database&) = default;
};

// DB_TYPE=mysql: MYSQL_DB_HOST and MYSQL_DB_PORT (3306); else MONGO_DB_URL. Errors name the variable.
Outcome<Database> DatabaseOfEnvironment();
// "mongodb://[user:password@]host[:port][,further hosts][/database][?options]": the first host.
Outcome<Database> ParseMongoUrl(std::string_view text);

// Whether it speaks within `timeout`. Errors: that of the connection; kInvalidInput when it speaks something else;
// kDenied when MySQL begins with an error.
[[nodiscard]] Pending Ask(io::Loop& loop, const Database& database, Duration timeout,
                          std::move_only_function<void(Result<>)> done);

}  // namespace plait::demo
