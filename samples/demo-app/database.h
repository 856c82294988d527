#pragma once
// The database behind `ratings` v2, as upstream's variables name it, asked on a connection of this request: whatever
// becomes of that connection (a policy, a fault, a database that is away) shows in the answer. MySQL is logged in to
// and its table is read (mysql_client.h). MongoDB is only asked whether it is there, by `hello`: nobody logs in, and
// the ratings are those that upstream's begins with.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bookinfo.h"
#include "call.h"
#include "mysql_client.h"

namespace plait::demo {

struct Database {
  enum class Kind : std::uint8_t { kMongo, kMySql };
  Kind kind = Kind::kMongo;
  std::string host;
  std::uint16_t port = 27017;
  mysql::Login login = {};  // kMySql
  friend bool operator==(const Database&, const Database&) = default;
};

// DB_TYPE=mysql: MYSQL_DB_HOST, MYSQL_DB_PORT (3306), MYSQL_DB_USER and MYSQL_DB_PASSWORD (none); else MONGO_DB_URL.
// Errors name the variable.
Outcome<Database> DatabaseOfEnvironment();
// "mongodb://[user:password@]host[:port][,further hosts][/database][?options]": the first host.
Outcome<Database> ParseMongoUrl(std::string_view text);

// The ratings, within `timeout`. Errors say what the database did and what to do; kTimedOut, that of the connection,
// kDenied for a login that is refused, kInvalidInput for what is not the protocol or no ratings.
[[nodiscard]] Pending Ask(io::Loop& loop, const Database& database, Duration timeout,
                          std::move_only_function<void(Outcome<Ratings>)> done);

}  // namespace plait::demo
