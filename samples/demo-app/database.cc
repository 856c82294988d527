#include "database.h"

#include <array>
#include <memory>
#include <utility>

#include "core/base/port.h"
#include "database_conversation.h"
#include "roles.h"

namespace plait::demo {
namespace {

// MongoDB's OP_MSG {hello: 1, $db: "admin"}: 16 bytes of header (length, request, response to, operation), flags, one
// section of kind 0 with the document. All numbers are little-endian.
constexpr std::size_t kMongoHeader = 16;
constexpr std::uint8_t kOpMsgLow = 0xdd, kOpMsgHigh = 0x07;  // 2013
constexpr std::array<std::uint8_t, 52> kHello = {
    52,   0,   0,   0,   1,    0,   0,   0,   0,   0,   0,   0,   kOpMsgLow, kOpMsgHigh, 0, 0,  // header
    0,    0,   0,   0,   0,                                                                     // flags, kind
    31,   0,   0,   0,   0x10, 'h', 'e', 'l', 'l', 'o', 0,   1,   0,         0,          0,     // document: int32 hello
    0x02, '$', 'd', 'b', 0,    6,   0,   0,   0,   'a', 'd', 'm', 'i',       'n',        0, 0};  // string $db, end

constexpr std::size_t kPiece = 4096;
constexpr std::size_t kLongestUser = 128;  // MariaDB's; MySQL's is 32

class MongoHello final : public DatabaseConversation {
 public:
  void Begin(Buffer& out) override { out.Append(Bytes(kHello)); }
  std::optional<Outcome<Ratings>> Feed(Buffer& in, Buffer& /*out*/) override {
    if (in.size() < kMongoHeader) return std::nullopt;
    const Bytes said = in.Linearize(kMongoHeader);
    const bool message = said[12] == kOpMsgLow && said[13] == kOpMsgHigh && said[14] == 0 && said[15] == 0;
    if (!message) return Explain(Errc::kInvalidInput, "it does not speak MongoDB's protocol");
    return kFirstRatings;
  }
  const char* awaits() const override { return "an answer to hello"; }
};

std::unique_ptr<DatabaseConversation> ConversationWith(const Database& database) {
  if (database.kind == Database::Kind::kMongo) return std::make_unique<MongoHello>();
  return std::make_unique<mysql::RatingsQuery>(database.login);
}

std::unexpected<Diagnostic> Unreachable(const Database& database, Error error) {
  return Explain(error.code, error.detail,
                 database.kind == Database::Kind::kMongo
                     ? "is it there, and does MONGO_DB_URL name it?"
                     : "is it there, and do MYSQL_DB_HOST and MYSQL_DB_PORT name it?");
}

class Question final : public Pending::Operation, private io::StreamEvents {
 public:
  Question(io::Loop& loop, const io::SocketAddress& to, const Database& database, Duration timeout,
           std::move_only_function<void(Outcome<Ratings>)> done)
      : loop_(loop),
        database_(database),
        conversation_(ConversationWith(database)),
        done_(std::move(done)),
        deadline_([this, timeout] {
          const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout).count();
          Answer(Lost({Errc::kTimedOut, "timeout"}, " after " + std::to_string(seconds) + " s"));
        }),
        stream_(io::Connect(loop, to, {.bind = {}, .keep_alive = {}, .timeout = timeout})) {
    stream_->SetEvents(this);
    deadline_.Start(loop.timers(), timeout);
  }
  // Also inside `done`, which the stream's own callback runs.
  ~Question() override {
    stream_->Close(/*reset=*/false);
    loop_.DeleteLater(std::move(stream_));
  }

 private:
  void OnOpen() override {
    open_ = true;
    conversation_->Begin(out_);
    OnWritable();
  }
  void OnWritable() override {
    if (const auto sent = stream_->Write(out_); !sent) Answer(Lost(sent.error()));
  }
  void OnReadable() override {
    for (;;) {
      const Result<std::size_t> n = stream_->Read(in_, kPiece);
      if (!n) return Answer(Lost(n.error()));
      if (*n == 0) return;
      auto answer = conversation_->Feed(in_, out_);
      const auto sent = stream_->Write(out_);
      // Once the answer is known, what is still sent is only a farewell.
      if (answer) return Answer(std::move(*answer));
      if (!sent) return Answer(Lost(sent.error()));
    }
  }
  void OnFailed(Error error) override { Answer(Lost(error)); }

  Outcome<Ratings> Lost(Error error, const std::string& after = {}) const {
    if (!open_) return Unreachable(database_, error);
    return Explain(error.code, error.detail + after + " while waiting for " + conversation_->awaits());
  }
  // `done` may drop this.
  void Answer(Outcome<Ratings> result) {
    if (!done_) return;
    deadline_.Cancel();
    std::exchange(done_, nullptr)(std::move(result));
  }

  io::Loop& loop_;
  const Database database_;
  const std::unique_ptr<DatabaseConversation> conversation_;
  std::move_only_function<void(Outcome<Ratings>)> done_;
  io::Timer deadline_;
  Buffer in_, out_;
  bool open_ = false;
  std::unique_ptr<io::Stream> stream_;
};

}  // namespace

Outcome<Database> ParseMongoUrl(std::string_view text) {
  constexpr std::string_view kScheme = "mongodb://";
  const auto wrong = [&](const char* why) {
    return Explain(Errc::kInvalidInput, "MONGO_DB_URL: " + std::string(why), "write mongodb://HOST:PORT/DATABASE");
  };
  if (!text.starts_with(kScheme)) return wrong("it does not begin with mongodb://");
  std::string_view authority = text.substr(kScheme.size());
  authority = authority.substr(0, authority.find_first_of("/?"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  authority = authority.substr(0, authority.find(','));
  Database out{.kind = Database::Kind::kMongo, .host = std::string(http::HostOnly(authority)), .port = 27017};
  if (out.host.empty()) return wrong("it names no host");
  if (out.host.size() > 2 && out.host.front() == '[') out.host = out.host.substr(1, out.host.size() - 2);
  if (const std::string_view rest = authority.substr(http::HostOnly(authority).size()); !rest.empty()) {
    const auto port = ParsePort(rest.substr(1));
    if (!port) return wrong("its port is no number from 1 to 65535");
    out.port = port->value;
  }
  return out;
}

Outcome<Database> DatabaseOfEnvironment() {
  if (Environment("DB_TYPE") != "mysql") {
    const std::string url = Environment("MONGO_DB_URL");
    if (url.empty()) {
      return Explain(Errc::kInvalidInput, "ratings v2 has its ratings in a database, and no variable says where it is",
                     "set MONGO_DB_URL, or DB_TYPE=mysql and MYSQL_DB_HOST");
    }
    return ParseMongoUrl(url);
  }
  Database out{.kind = Database::Kind::kMySql, .host = Environment("MYSQL_DB_HOST"), .port = 3306};
  if (out.host.empty())
    return Explain(Errc::kInvalidInput, "DB_TYPE is mysql, and no variable says where it is", "set MYSQL_DB_HOST");
  if (const std::string text = Environment("MYSQL_DB_PORT"); !text.empty()) {
    const auto port = ParsePort(text);
    if (!port) return Explain(Errc::kInvalidInput, "MYSQL_DB_PORT: \"" + text + "\" is no number from 1 to 65535");
    out.port = port->value;
  }
  out.login = {.user = Environment("MYSQL_DB_USER"), .password = Environment("MYSQL_DB_PASSWORD")};
  if (out.login.user.size() > kLongestUser)
    return Explain(Errc::kInvalidInput, "MYSQL_DB_USER has more than 128 bytes, which no server takes",
                   "set it to the name of an account there");
  return out;
}

Pending Ask(io::Loop& loop, const Database& database, Duration timeout,
            std::move_only_function<void(Outcome<Ratings>)> done) {
  const auto addresses = Resolve(database.host, database.port);
  if (!addresses) {
    return loop.After(Duration(0), [call = std::move(done), why = Unreachable(database, addresses.error())]() mutable {
      call(std::move(why));
    });
  }
  return Pending(std::make_unique<Question>(loop, addresses->front(), database, timeout, std::move(done)));
}

}  // namespace plait::demo
