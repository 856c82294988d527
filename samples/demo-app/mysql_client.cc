#include "mysql_client.h"

#include <limits>

#include "core/base/strings.h"

namespace plait::demo::mysql {
namespace {

constexpr char kFastAuthSuccess = '\x03', kPerformFullAuthentication = '\x04';
constexpr const char* kUseNativePassword =
    "at the server, give the user the plugin mysql_native_password, or set MYSQL_DB_USER to one that has it";

constexpr const char* kNameAServer = "do MYSQL_DB_HOST and MYSQL_DB_PORT name a MySQL or MariaDB?";

std::unexpected<Diagnostic> Wrong(Error error) { return Explain(error.code, error.detail); }

// What to do about an error of the server; empty where its own words are all there is to say.
const char* HintFor(std::uint16_t error_code) {
  switch (error_code) {
    case 1040: return "wait until others have gone, or raise the server's max_connections";
    case 1045: return "set MYSQL_DB_USER and MYSQL_DB_PASSWORD to an account of that server that needs no TLS";
    case 1044:
    case 1142: return "let the user of MYSQL_DB_USER read test.ratings: GRANT SELECT ON test.ratings TO ...";
    case 1049:
    case 1146: return "make the database test with a table ratings that has a column Rating, as upstream's mysqldb";
    case 1054: return "the table ratings must have a column Rating";
    case 1130: return "at the server, make the account for any host ('%') or for this pod's";
    case 1251:
    case 1275:
    case 1698: return kUseNativePassword;
    case 3159: return "at the server, turn require_secure_transport off: the mesh encrypts already";
    default: return "";
  }
}

}  // namespace

std::optional<Outcome<Ratings>> RatingsQuery::Feed(Buffer& in, Buffer& out) {
  const auto end = [this](std::unexpected<Diagnostic> why) {
    state_ = State::kDone;
    return Outcome<Ratings>(std::move(why));
  };
  while (state_ != State::kDone) {
    auto packet = TakePacket(in);
    if (!packet && state_ == State::kHandshake)
      return end(Explain(Errc::kInvalidInput, "what it says first is not MySQL's handshake", kNameAServer));
    if (!packet) return end(Wrong(packet.error()));
    const std::size_t size = *packet ? kPacketHeader + (*packet)->payload.size() : in.size();
    if (taken_ + size > kMaxBytes) return end(Explain(Errc::kLimit, "its answers are longer than 64 KiB"));
    if (!*packet) return std::nullopt;
    taken_ += size;
    const std::string& payload = (*packet)->payload;
    // An error may come at any time, and servers do not count it.
    if (payload.starts_with(kErr)) return end(std::unexpected(Refused(payload)));
    if ((*packet)->sequence_id != next_sequence_id_)
      return end(Explain(Errc::kInvalidInput, "its packets are out of order"));
    ++next_sequence_id_;
    Step step = OnPacket(payload, out);
    if (!step) return end(std::unexpected(std::move(step.error())));
    if (!*step) continue;
    state_ = State::kDone;
    next_sequence_id_ = 0;
    Send(out, {&kComQuit, 1});
    return **step;
  }
  return std::nullopt;
}

const char* RatingsQuery::awaits() const {
  if (state_ == State::kHandshake) return "MySQL's handshake";
  return state_ == State::kLogin ? "the answer to its login" : "the ratings";
}

RatingsQuery::Step RatingsQuery::OnPacket(const std::string& payload, Buffer& out) {
  switch (state_) {
    case State::kHandshake: return OnHandshake(payload, out);
    case State::kLogin: return OnLogin(payload, out);
    case State::kColumnCount: {
      if (payload.starts_with(kLocalInfile))
        return Explain(Errc::kDenied, "it wants a file of this host as an answer to a query, and does not get one");
      const auto count = ReadColumnCount(payload);
      if (!count) return Wrong(count.error());
      if (*count != 1) return Explain(Errc::kInvalidInput, "its result set has not one column");
      state_ = State::kColumn;
      return std::nullopt;
    }
    case State::kColumn: state_ = State::kColumnsEnd; return std::nullopt;
    case State::kColumnsEnd:
      if (!IsEof(payload)) return Explain(Errc::kInvalidInput, "the columns of its result set have no end");
      state_ = State::kRows;
      return std::nullopt;
    case State::kRows:
    case State::kDone: break;
  }
  return OnRow(payload);
}

RatingsQuery::Step RatingsQuery::OnHandshake(const std::string& payload, Buffer& out) {
  const auto handshake = ReadHandshakeV10(payload);
  if (!handshake) return Explain(handshake.error().code, handshake.error().detail, kNameAServer);
  // Of a plugin that is not known here the server is told another, and may agree or ask to switch.
  plugin_ = handshake->auth_plugin_name == kCachingSha2Password ? kCachingSha2Password : kNativePassword;
  constexpr std::uint32_t kWanted =
      kLongPassword | kConnectWithDb | kProtocol41 | kTransactions | kSecureConnection | kPluginAuth;
  const HandshakeResponse41 response{.client_flag = kWanted & (handshake->capabilities | kLongPassword),
                                     .max_packet_size = kMaxBytes,
                                     .character_set = kUtf8mb4GeneralCi,
                                     .username = login_.user.substr(0, login_.user.find('\0')),
                                     .auth_response = Prove(handshake->auth_plugin_data),
                                     .database = std::string(kDatabase),
                                     .client_plugin_name = plugin_};
  if ((response.client_flag & kConnectWithDb) == 0)
    return Explain(Errc::kInvalidInput, "it takes no database with the login");
  Send(out, Compose(response));
  state_ = State::kLogin;
  return std::nullopt;
}

RatingsQuery::Step RatingsQuery::OnLogin(const std::string& payload, Buffer& out) {
  if (payload.starts_with(kOk)) {
    next_sequence_id_ = 0;
    Send(out, std::string(1, kComQuery).append(kQuery));
    state_ = State::kColumnCount;
    return std::nullopt;
  }
  if (payload.starts_with(kEof)) return SwitchAuth(payload, out);
  const bool sha2 = plugin_ == kCachingSha2Password && payload.size() == 2 && payload.starts_with(kAuthMoreData);
  if (sha2 && payload[1] == kFastAuthSuccess) return std::nullopt;  // OK_Packet follows
  if (sha2 && payload[1] == kPerformFullAuthentication) {
    return Explain(Errc::kDenied,
                   "user " + Printable(login_.user) +
                       ": the server does not have this password in the cache of caching_sha2_password, and its full "
                       "authentication wants TLS or RSA, which ratings does not have",
                   "check MYSQL_DB_PASSWORD; let another client log in over TLS as this user, which fills the cache "
                   "until the server restarts, or give the user mysql_native_password, which MySQL has up to 8");
  }
  return Explain(Errc::kInvalidInput, "it answers the login with what is no answer");
}

RatingsQuery::Step RatingsQuery::SwitchAuth(const std::string& payload, Buffer& out) {
  const auto request = ReadAuthSwitchRequest(payload);
  if (!request) return Explain(request.error().code, request.error().detail, kUseNativePassword);
  if (request->plugin_name != kNativePassword && request->plugin_name != kCachingSha2Password) {
    return Explain(Errc::kDenied,
                   "user " + Printable(login_.user) + ": the server wants the plugin \"" +
                       Printable(request->plugin_name) + "\", which ratings does not have",
                   kUseNativePassword);
  }
  if (request->plugin_provided_data.size() != kAuthPluginDataLen)
    return Explain(Errc::kInvalidInput, "its request for another plugin has not 20 bytes of data");
  if (std::exchange(switched_, true)) return Explain(Errc::kInvalidInput, "it asks for another plugin twice");
  plugin_ = request->plugin_name;
  Send(out, Prove(request->plugin_provided_data));
  return std::nullopt;
}

RatingsQuery::Step RatingsQuery::OnRow(const std::string& payload) {
  if (IsEof(payload)) {
    return Explain(Errc::kInvalidInput,
                   "table ratings: " + std::to_string(rows_) + " of the two rows are there, a row for each reviewer",
                   "INSERT INTO test.ratings ...");
  }
  const auto value = ReadTextResultsetRow(payload);
  if (!value) return Wrong(value.error());
  const auto number = *value ? ParseInt(**value) : std::nullopt;
  constexpr std::int64_t kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (!number || *number < kLeast || *number > kMost) {
    return Explain(Errc::kInvalidInput,
                   "table ratings: the Rating of row " + std::to_string(rows_ + 1) + " is " +
                       (*value ? "\"" + Printable(**value) + "\"" : "NULL") + ", no number of an INT column",
                   "UPDATE test.ratings SET Rating = ...");
  }
  (rows_ == 0 ? ratings_.reviewer1 : ratings_.reviewer2) = static_cast<int>(*number);
  return ++rows_ == 2 ? std::optional(ratings_) : std::nullopt;
}

Diagnostic RatingsQuery::Refused(const std::string& payload) const {
  const auto error = ReadErrPacket(payload);
  if (!error) return Wrong(error.error()).error();
  const std::string state = error->sql_state.empty() ? "" : " (" + Printable(error->sql_state) + ")";
  return {.code = state_ == State::kLogin ? Errc::kDenied : Errc::kUnavailable,
          .message = "error " + std::to_string(error->error_code) + state + ": " + Printable(error->error_message),
          .hint = HintFor(error->error_code)};
}

std::string RatingsQuery::Prove(std::string_view nonce) const {
  return plugin_ == kCachingSha2Password ? CachingSha2PasswordScramble(login_.password, nonce)
                                         : NativePasswordScramble(login_.password, nonce);
}

void RatingsQuery::Send(Buffer& out, std::string_view payload) { AppendPacket(out, next_sequence_id_++, payload); }

}  // namespace plait::demo::mysql
