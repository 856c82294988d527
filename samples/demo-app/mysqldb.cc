#include "mysqldb.h"

#include <algorithm>

#include "bookinfo.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "mysql_client.h"

namespace plait::demo::mysql {
namespace {
using namespace std::chrono_literals;

constexpr std::string_view kServerVersion = "5.7.0-plait-demo-app";
constexpr std::string_view kRoot = "root";
constexpr Duration kConnectTimeout = 10s, kWaitTimeout = 8h;
constexpr std::size_t kPiece = 4096;

// Clients read it as text that ends with a zero byte.
std::string NewNonce() {
  std::string out(kAuthPluginDataLen, '\0');
  FillSecret({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  for (char& c : out) c = static_cast<char>('!' + static_cast<std::uint8_t>(c) % ('~' - '!'));
  return out;
}

std::vector<std::string> WordsOf(std::string_view query) {
  std::string text(query);
  std::ranges::replace_if(text, [](char c) { return c == '\t' || c == '\r' || c == '\n' || c == ';'; }, ' ');
  std::vector<std::string> out;
  for (const std::string_view word : Split(text, ' ')) {
    if (!word.empty()) out.push_back(ToLower(word));
  }
  return out;
}

}  // namespace

void ServerConversation::Begin(Buffer& out) {
  Send(out, Compose(HandshakeV10{.server_version = std::string(kServerVersion),
                                 .thread_id = 1,
                                 .auth_plugin_data = nonce_,
                                 .capabilities = kLongPassword | kConnectWithDb | kProtocol41 | kTransactions |
                                                 kSecureConnection | kPluginAuth | kPluginAuthLenencClientData,
                                 .character_set = kUtf8mb4GeneralCi,
                                 .status_flags = kStatusAutocommit,
                                 .auth_plugin_name = std::string(kNativePassword)}));
}

bool ServerConversation::Feed(Buffer& in, Buffer& out) {
  for (;;) {
    const auto packet = TakePacket(in);
    if (!packet) return Refuse(out, 1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes");
    if (!*packet) return true;
    if (state_ == State::kCommands) next_sequence_id_ = 0;  // each command begins anew
    const bool in_order = (*packet)->sequence_id == next_sequence_id_;
    next_sequence_id_ = static_cast<std::uint8_t>((*packet)->sequence_id + 1);
    if (!in_order) return Refuse(out, 1156, "08S01", "Got packets out of order");
    if (!OnPacket((*packet)->payload, out)) return false;
  }
}

bool ServerConversation::OnPacket(const std::string& payload, Buffer& out) {
  if (state_ == State::kLogin) return OnLogin(payload, out);
  return state_ == State::kAuthSwitch ? Admit(payload, out) : OnCommand(payload, out);
}

bool ServerConversation::OnLogin(const std::string& payload, Buffer& out) {
  const auto response = ReadHandshakeResponse41(payload);
  if (!response) return Refuse(out, 1043, "08S01", "Bad handshake");
  user_ = response->username;
  database_ = response->database;
  if (response->client_plugin_name.empty() || response->client_plugin_name == kNativePassword)
    return Admit(response->auth_response, out);
  Send(out, Compose(AuthSwitchRequest{.plugin_name = std::string(kNativePassword), .plugin_provided_data = nonce_}));
  state_ = State::kAuthSwitch;
  return true;
}

bool ServerConversation::Admit(std::string_view auth_response, Buffer& out) {
  if (user_ != kRoot || auth_response != NativePasswordScramble(root_password_, nonce_)) {
    return Refuse(out, 1045, "28000",
                  "Access denied for user '" + Printable(user_) + "'@'" + client_ +
                      "' (using password: " + (auth_response.empty() ? "NO)" : "YES)"));
  }
  if (database_.empty())
    Send(out, ComposeOk());
  else if (!Use(std::string(database_), out))
    return false;
  state_ = State::kCommands;
  return true;
}

bool ServerConversation::OnCommand(const std::string& payload, Buffer& out) {
  const char command = payload.empty() ? '\0' : payload.front();
  const std::string_view argument = std::string_view(payload).substr(payload.empty() ? 0 : 1);
  switch (command) {
    case kComQuit: return false;
    case kComPing: Send(out, ComposeOk()); return true;
    case kComInitDb: Use(argument, out); return true;
    case kComQuery: OnQuery(argument, out); return true;
    default: Refuse(out, 1047, "08S01", "Unknown command"); return true;
  }
}

void ServerConversation::OnQuery(std::string_view query, Buffer& out) {
  const std::vector<std::string> words = WordsOf(query);
  // What clients say before they ask: SET NAMES, SET AUTOCOMMIT.
  if (words.size() > 1 && words.front() == "set") return Send(out, ComposeOk());
  if (words != WordsOf(kQuery)) {
    Refuse(out, 1064, "42000",
           "You have an error in your SQL syntax near '" + Printable(query) + "': this server knows one query, " +
               std::string(kQuery));
    return;
  }
  if (database_.empty()) {
    Refuse(out, 1046, "3D000", "No database selected");
    return;
  }
  Send(out, std::string(1, '\x01'));  // the number of columns
  Send(out, ComposeIntColumn(kDatabase, "ratings", "Rating"));
  Send(out, ComposeEof());
  for (const int rating : {kFirstRatings.reviewer1, kFirstRatings.reviewer2})
    Send(out, ComposeTextResultsetRow(std::to_string(rating)));
  Send(out, ComposeEof());
}

bool ServerConversation::Use(std::string_view database, Buffer& out) {
  if (database != kDatabase) return Refuse(out, 1049, "42000", "Unknown database '" + Printable(database) + "'");
  database_ = database;
  Send(out, ComposeOk());
  return true;
}

bool ServerConversation::Refuse(Buffer& out, std::uint16_t code, const char* sql_state, std::string message) {
  Send(out, Compose(ErrPacket{.error_code = code, .sql_state = sql_state, .error_message = std::move(message)}));
  return false;
}

class Mysqldb::Session final : public io::StreamEvents {
 public:
  Session(Mysqldb& server, std::unique_ptr<io::Stream> stream)
      : server_(server),
        stream_(std::move(stream)),
        conversation_(server.root_password_, stream_->remote().ip.ToString(), NewNonce()),
        patience_([this] { End(); }) {
    patience_.Start(server.loop_.timers(), kConnectTimeout);
    stream_->SetEvents(this);
  }

 private:
  void OnOpen() override {
    conversation_.Begin(out_);
    Pump();
  }
  void OnReadable() override { Pump(); }
  void OnWritable() override { Pump(); }
  void OnFailed(Error /*error*/) override { End(); }

  // Reads only once all answers are sent: a client that does not read them is not read.
  void Pump() {
    for (;;) {
      if (!stream_->Write(out_)) return End();
      if (!out_.empty()) return;
      if (ended_) return End();
      const Result<std::size_t> n = stream_->Read(in_, kPiece);
      if (!n) return End();
      if (*n == 0) return;
      ended_ = !conversation_.Feed(in_, out_);
      if (conversation_.logged_in()) patience_.Start(server_.loop_.timers(), kWaitTimeout);
    }
  }
  void End() {
    const auto at = std::ranges::find(server_.sessions_, this, &std::unique_ptr<Session>::get);
    if (at == server_.sessions_.end()) return;
    patience_.Cancel();
    server_.loop_.DeleteLater(std::move(*at));
    server_.sessions_.erase(at);
  }

  Mysqldb& server_;
  std::unique_ptr<io::Stream> stream_;
  ServerConversation conversation_;
  io::Timer patience_;
  Buffer in_, out_;
  bool ended_ = false;
};

Mysqldb::Mysqldb(io::Loop& loop, io::UniqueFd listening, std::string root_password)
    : loop_(loop),
      listening_(std::move(listening)),
      root_password_(std::move(root_password)),
      listener_(loop, listening_.get(), false, [this](io::UniqueFd fd) {
        sessions_.push_back(std::make_unique<Session>(*this, io::AdoptSocket(loop_, std::move(fd))));
      }) {}

Mysqldb::~Mysqldb() = default;

}  // namespace plait::demo::mysql
