#pragma once
// MySQL's client/server protocol, version 4.1, as far as bookinfo's ratings and their database speak it: the packets of
// the connection phase, those of a text result set, and the two ways to prove a password. Types, fields and flags bear
// the names of MySQL's documentation of the protocol. Pure. No length of a packet is believed: reading past the end is
// an error, and a packet longer than kMaxBytes is refused by its header.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/buffer.h"
#include "core/base/result.h"

namespace plait::demo::mysql {

inline constexpr std::size_t kPacketHeader = 4;        // int<3> payload_length, int<1> sequence_id
inline constexpr std::size_t kMaxBytes = 64 * 1024;    // of a packet, and of all that a server answers
inline constexpr std::size_t kAuthPluginDataLen = 20;  // the nonce of both plugins

inline constexpr std::string_view kNativePassword = "mysql_native_password";
inline constexpr std::string_view kCachingSha2Password = "caching_sha2_password";

// Capability flags: CLIENT_LONG_PASSWORD and so on.
inline constexpr std::uint32_t kLongPassword = 1U << 0, kConnectWithDb = 1U << 3, kProtocol41 = 1U << 9,
                               kTransactions = 1U << 13, kSecureConnection = 1U << 15, kPluginAuth = 1U << 19,
                               kPluginAuthLenencClientData = 1U << 21;

// The first byte of a server's packet that says which it is.
inline constexpr char kOk = '\x00', kAuthMoreData = '\x01', kLocalInfile = '\xfb', kEof = '\xfe', kErr = '\xff';
inline constexpr std::uint8_t kUtf8mb4GeneralCi = 45;  // the character set of both sides here
inline constexpr std::uint16_t kStatusAutocommit = 2;  // SERVER_STATUS_AUTOCOMMIT

struct Packet {
  std::uint8_t sequence_id = 0;
  std::string payload;
  friend bool operator==(const Packet&, const Packet&) = default;
};
// The next packet, taken from `in`; nullopt until it is whole. Errors: kLimit.
Result<std::optional<Packet>> TakePacket(Buffer& in);
// `payload` is at most kMaxBytes.
void AppendPacket(Buffer& out, std::uint8_t sequence_id, std::string_view payload);

// Protocol::HandshakeV10. `auth_plugin_data` is kAuthPluginDataLen bytes.
struct HandshakeV10 {
  std::string server_version;
  std::uint32_t thread_id = 0;
  std::string auth_plugin_data;
  std::uint32_t capabilities = 0;
  std::uint8_t character_set = 0;
  std::uint16_t status_flags = 0;
  std::string auth_plugin_name;  // empty without CLIENT_PLUGIN_AUTH
  friend bool operator==(const HandshakeV10&, const HandshakeV10&) = default;
};
Result<HandshakeV10> ReadHandshakeV10(std::string_view payload);
std::string Compose(const HandshakeV10& packet);

// Protocol::HandshakeResponse41. Which fields are there, and in which form, the flags say.
struct HandshakeResponse41 {
  std::uint32_t client_flag = 0;
  std::uint32_t max_packet_size = 0;
  std::uint8_t character_set = 0;
  std::string username;
  std::string auth_response;
  std::string database;
  std::string client_plugin_name;
  friend bool operator==(const HandshakeResponse41&, const HandshakeResponse41&) = default;
};
Result<HandshakeResponse41> ReadHandshakeResponse41(std::string_view payload);
std::string Compose(const HandshakeResponse41& packet);

// Protocol::AuthSwitchRequest: "prove it in this way instead". Without a final zero byte.
struct AuthSwitchRequest {
  std::string plugin_name;
  std::string plugin_provided_data;
  friend bool operator==(const AuthSwitchRequest&, const AuthSwitchRequest&) = default;
};
Result<AuthSwitchRequest> ReadAuthSwitchRequest(std::string_view payload);
std::string Compose(const AuthSwitchRequest& packet);

// ERR_Packet. A server that has not greeted yet gives no state.
struct ErrPacket {
  std::uint16_t error_code = 0;
  std::string sql_state;
  std::string error_message;
  friend bool operator==(const ErrPacket&, const ErrPacket&) = default;
};
Result<ErrPacket> ReadErrPacket(std::string_view payload);
std::string Compose(const ErrPacket& packet);

std::string ComposeOk();   // OK_Packet that changed nothing
std::string ComposeEof();  // EOF_Packet without warnings
bool IsEof(std::string_view payload);

// Text result sets: the number of columns, and the value of a row of one column (nullopt: NULL).
Result<std::uint64_t> ReadColumnCount(std::string_view payload);
Result<std::optional<std::string>> ReadTextResultsetRow(std::string_view payload);
std::string ComposeTextResultsetRow(const std::optional<std::string>& value);
// Protocol::ColumnDefinition41 of an INT column.
std::string ComposeIntColumn(std::string_view schema, std::string_view table, std::string_view name);

// What proves a password to whom has sent `nonce`. Empty for an empty password.
// SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))): 20 bytes.
std::string NativePasswordScramble(std::string_view password, std::string_view nonce);
// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce): 32 bytes.
std::string CachingSha2PasswordScramble(std::string_view password, std::string_view nonce);

// What the other side wrote, for a line of a log: printable ASCII, the rest as '?', at most 256 bytes.
std::string Printable(std::string_view text);

}  // namespace plait::demo::mysql
