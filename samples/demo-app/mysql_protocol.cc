#include "mysql_protocol.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "core/tls/certificate.h"
#include "core/tls/sha1.h"

namespace plait::demo::mysql {
namespace {

constexpr std::size_t kAuthPluginDataPart1 = 8;
constexpr std::size_t kHandshakeReserved = 10, kHandshakeResponseFiller = 23, kSqlState = 5;
constexpr std::uint8_t kProtocolVersion = 10;
constexpr std::size_t kMostOfEof = 9;  // a longer packet that begins as EOF is a row
constexpr char kNull = '\xfb';

// Reads from the front. What is not there is empty or zero, and from then on the reader is broken.
class Reader {
 public:
  explicit Reader(std::string_view payload) : left_(payload) {}
  bool broken() const { return broken_; }
  bool empty() const { return left_.empty(); }
  std::string_view Fixed(std::uint64_t n) {
    if (n > left_.size()) return Break();
    const std::string_view out = left_.substr(0, n);
    left_.remove_prefix(n);
    return out;
  }
  std::uint64_t Int(std::size_t bytes) {
    std::uint64_t out = 0;
    const std::string_view text = Fixed(bytes);
    for (std::size_t i = text.size(); i-- > 0;) out = out << 8U | static_cast<std::uint8_t>(text[i]);
    return out;
  }
  std::string_view NullTerminated() {
    const std::size_t end = left_.find('\0');
    if (end == std::string_view::npos) return Break();
    const std::string_view out = Fixed(end);
    Fixed(1);
    return out;
  }
  // Up to a zero byte or to the end: servers differ in whether the last string has one.
  std::string_view NullTerminatedOrRest() {
    return left_.find('\0') == std::string_view::npos ? Fixed(left_.size()) : NullTerminated();
  }
  std::uint64_t LengthEncodedInt() {
    const std::uint64_t first = Int(1);
    if (first < 0xfb) return first;
    if (first == 0xfc) return Int(2);
    if (first == 0xfd) return Int(3);
    if (first == 0xfe) return Int(8);
    Break();
    return 0;
  }
  std::string_view LengthEncodedString() { return Fixed(LengthEncodedInt()); }
  std::string_view Rest() { return Fixed(left_.size()); }

 private:
  std::string_view Break() {
    broken_ = true;
    left_ = {};
    return {};
  }
  std::string_view left_;
  bool broken_ = false;
};

void AppendInt(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
}
void AppendNullTerminated(std::string& out, std::string_view text) { out.append(text) += '\0'; }
void AppendLengthEncoded(std::string& out, std::string_view text) {
  if (text.size() < 0xfb) {
    AppendInt(out, text.size(), 1);
  } else {
    AppendInt(out, 0xfd, 1);
    AppendInt(out, text.size(), 3);
  }
  out.append(text);
}

std::string Xor(std::string a, std::string_view b) {
  std::ranges::transform(a, b, a.begin(), [](char x, char y) { return static_cast<char>(x ^ y); });
  return a;
}

}  // namespace

Result<std::optional<Packet>> TakePacket(Buffer& in) {
  std::array<std::uint8_t, kPacketHeader> header{};
  if (in.CopyOut(header) < header.size()) return std::nullopt;
  const std::size_t length = header[0] | std::size_t{header[1]} << 8U | std::size_t{header[2]} << 16U;
  if (length > kMaxBytes) return Fail(Errc::kLimit, "a packet is longer than 64 KiB");
  if (in.size() < kPacketHeader + length) return std::nullopt;
  Packet out{.sequence_id = header[3], .payload = std::string(length, '\0')};
  in.Drain(kPacketHeader);
  in.CopyOut({reinterpret_cast<std::uint8_t*>(out.payload.data()), length});
  in.Drain(length);
  return out;
}

void AppendPacket(Buffer& out, std::uint8_t sequence_id, std::string_view payload) {
  PLAIT_CHECK(payload.size() <= kMaxBytes);
  std::string header;
  AppendInt(header, payload.size(), 3);
  AppendInt(header, sequence_id, 1);
  out.Append(header);
  out.Append(payload);
}

Result<HandshakeV10> ReadHandshakeV10(std::string_view payload) {
  Reader in(payload);
  if (in.Int(1) != kProtocolVersion) return Fail(Errc::kInvalidInput, "what it says first is not MySQL's handshake");
  HandshakeV10 out;
  out.server_version = in.NullTerminated();
  out.thread_id = static_cast<std::uint32_t>(in.Int(4));
  out.auth_plugin_data = in.Fixed(kAuthPluginDataPart1);
  in.Fixed(1);
  out.capabilities = static_cast<std::uint32_t>(in.Int(2));
  if (!in.broken() && ((out.capabilities & kProtocol41) == 0 || (out.capabilities & kSecureConnection) == 0))
    return Fail(Errc::kInvalidInput, "it speaks a protocol from before MySQL 4.1");
  out.character_set = static_cast<std::uint8_t>(in.Int(1));
  out.status_flags = static_cast<std::uint16_t>(in.Int(2));
  out.capabilities |= static_cast<std::uint32_t>(in.Int(2)) << 16U;
  const std::size_t all = in.Int(1);
  in.Fixed(kHandshakeReserved);
  // At least 13 bytes, whose last is zero.
  const std::size_t part2 = std::max(kAuthPluginDataLen + 1, all) - kAuthPluginDataPart1;
  out.auth_plugin_data += in.Fixed(part2).substr(0, kAuthPluginDataLen - kAuthPluginDataPart1);
  if ((out.capabilities & kPluginAuth) != 0) out.auth_plugin_name = in.NullTerminatedOrRest();
  if (in.broken()) return Fail(Errc::kInvalidInput, "its handshake ends early");
  return out;
}

std::string Compose(const HandshakeV10& packet) {
  PLAIT_CHECK(packet.auth_plugin_data.size() == kAuthPluginDataLen);
  std::string out;
  AppendInt(out, kProtocolVersion, 1);
  AppendNullTerminated(out, packet.server_version);
  AppendInt(out, packet.thread_id, 4);
  AppendNullTerminated(out, packet.auth_plugin_data.substr(0, kAuthPluginDataPart1));
  AppendInt(out, packet.capabilities, 2);
  AppendInt(out, packet.character_set, 1);
  AppendInt(out, packet.status_flags, 2);
  AppendInt(out, packet.capabilities >> 16U, 2);
  AppendInt(out, kAuthPluginDataLen + 1, 1);
  out.append(kHandshakeReserved, '\0');
  AppendNullTerminated(out, packet.auth_plugin_data.substr(kAuthPluginDataPart1));
  if ((packet.capabilities & kPluginAuth) != 0) AppendNullTerminated(out, packet.auth_plugin_name);
  return out;
}

Result<HandshakeResponse41> ReadHandshakeResponse41(std::string_view payload) {
  Reader in(payload);
  HandshakeResponse41 out;
  out.client_flag = static_cast<std::uint32_t>(in.Int(4));
  if ((out.client_flag & kProtocol41) == 0)
    return Fail(Errc::kInvalidInput, "the client speaks a protocol from before MySQL 4.1");
  out.max_packet_size = static_cast<std::uint32_t>(in.Int(4));
  out.character_set = static_cast<std::uint8_t>(in.Int(1));
  in.Fixed(kHandshakeResponseFiller);
  out.username = in.NullTerminated();
  if ((out.client_flag & kPluginAuthLenencClientData) != 0)
    out.auth_response = in.LengthEncodedString();
  else if ((out.client_flag & kSecureConnection) != 0)
    out.auth_response = in.Fixed(in.Int(1));
  else
    out.auth_response = in.NullTerminated();
  if ((out.client_flag & kConnectWithDb) != 0) out.database = in.NullTerminatedOrRest();
  if ((out.client_flag & kPluginAuth) != 0) out.client_plugin_name = in.NullTerminatedOrRest();
  if (in.broken()) return Fail(Errc::kInvalidInput, "the client's handshake response ends early");
  return out;
}

std::string Compose(const HandshakeResponse41& packet) {
  std::string out;
  AppendInt(out, packet.client_flag, 4);
  AppendInt(out, packet.max_packet_size, 4);
  AppendInt(out, packet.character_set, 1);
  out.append(kHandshakeResponseFiller, '\0');
  AppendNullTerminated(out, packet.username);
  if ((packet.client_flag & kPluginAuthLenencClientData) != 0) {
    AppendLengthEncoded(out, packet.auth_response);
  } else if ((packet.client_flag & kSecureConnection) != 0) {
    PLAIT_CHECK(packet.auth_response.size() <= 0xff);
    AppendInt(out, packet.auth_response.size(), 1);
    out += packet.auth_response;
  } else {
    AppendNullTerminated(out, packet.auth_response);
  }
  if ((packet.client_flag & kConnectWithDb) != 0) AppendNullTerminated(out, packet.database);
  if ((packet.client_flag & kPluginAuth) != 0) AppendNullTerminated(out, packet.client_plugin_name);
  return out;
}

Result<AuthSwitchRequest> ReadAuthSwitchRequest(std::string_view payload) {
  Reader in(payload);
  if (in.Fixed(1) != std::string_view(&kEof, 1)) return Fail(Errc::kInvalidInput, "no request for another plugin");
  if (in.empty()) return Fail(Errc::kDenied, "it wants mysql_old_password, which is from before MySQL 4.1");
  AuthSwitchRequest out;
  out.plugin_name = in.NullTerminated();
  out.plugin_provided_data = in.Rest();
  if (in.broken()) return Fail(Errc::kInvalidInput, "its request for another plugin ends early");
  if (out.plugin_provided_data.ends_with('\0')) out.plugin_provided_data.pop_back();
  return out;
}

std::string Compose(const AuthSwitchRequest& packet) {
  std::string out(1, kEof);
  AppendNullTerminated(out, packet.plugin_name);
  AppendNullTerminated(out, packet.plugin_provided_data);
  return out;
}

Result<ErrPacket> ReadErrPacket(std::string_view payload) {
  Reader in(payload);
  if (in.Fixed(1) != std::string_view(&kErr, 1)) return Fail(Errc::kInvalidInput, "no error packet");
  ErrPacket out;
  out.error_code = static_cast<std::uint16_t>(in.Int(2));
  std::string_view text = in.Rest();
  if (in.broken()) return Fail(Errc::kInvalidInput, "its error packet ends early");
  if (text.size() > kSqlState && text.starts_with('#')) {
    out.sql_state = text.substr(1, kSqlState);
    text.remove_prefix(1 + kSqlState);
  }
  out.error_message = text;
  return out;
}

std::string Compose(const ErrPacket& packet) {
  PLAIT_CHECK(packet.sql_state.empty() || packet.sql_state.size() == kSqlState);
  std::string out(1, kErr);
  AppendInt(out, packet.error_code, 2);
  if (!packet.sql_state.empty()) out.append("#").append(packet.sql_state);
  return out + packet.error_message;
}

std::string ComposeOk() {
  std::string out(3, kOk);  // itself, affected_rows, last_insert_id
  AppendInt(out, kStatusAutocommit, 2);
  AppendInt(out, /*warnings=*/0, 2);
  return out;
}

std::string ComposeEof() {
  std::string out(1, kEof);
  AppendInt(out, /*warnings=*/0, 2);
  AppendInt(out, kStatusAutocommit, 2);
  return out;
}

bool IsEof(std::string_view payload) { return payload.starts_with(kEof) && payload.size() < kMostOfEof; }

Result<std::uint64_t> ReadColumnCount(std::string_view payload) {
  Reader in(payload);
  const std::uint64_t count = in.LengthEncodedInt();
  if (in.broken() || !in.empty() || count == 0) return Fail(Errc::kInvalidInput, "its answer is no result set");
  return count;
}

Result<std::optional<std::string>> ReadTextResultsetRow(std::string_view payload) {
  if (payload == std::string_view(&kNull, 1)) return std::nullopt;
  Reader in(payload);
  const std::string_view value = in.LengthEncodedString();
  if (in.broken() || !in.empty()) return Fail(Errc::kInvalidInput, "a row is not one value");
  return std::string(value);
}

std::string ComposeTextResultsetRow(const std::optional<std::string>& value) {
  if (!value) return std::string(1, kNull);
  std::string out;
  AppendLengthEncoded(out, *value);
  return out;
}

std::string ComposeIntColumn(std::string_view schema, std::string_view table, std::string_view name) {
  constexpr std::uint8_t kFixedFields = 12, kTypeLong = 3, kBinaryCharacterSet = 63, kColumnLength = 11;
  std::string out;
  AppendLengthEncoded(out, "def");  // catalog
  AppendLengthEncoded(out, schema);
  AppendLengthEncoded(out, table);
  AppendLengthEncoded(out, table);  // org_table
  AppendLengthEncoded(out, name);
  AppendLengthEncoded(out, name);  // org_name
  AppendInt(out, kFixedFields, 1);
  AppendInt(out, kBinaryCharacterSet, 2);
  AppendInt(out, kColumnLength, 4);
  AppendInt(out, kTypeLong, 1);
  AppendInt(out, /*flags=*/0, 2);
  AppendInt(out, /*decimals=*/0, 1);
  AppendInt(out, /*filler=*/0, 2);
  return out;
}

std::string NativePasswordScramble(std::string_view password, std::string_view nonce) {
  if (password.empty()) return {};
  const std::string once = tls::Sha1(password);
  return Xor(once, tls::Sha1(std::string(nonce) + tls::Sha1(once)));
}

std::string CachingSha2PasswordScramble(std::string_view password, std::string_view nonce) {
  if (password.empty()) return {};
  const std::string once = tls::Sha256(password);
  return Xor(once, tls::Sha256(tls::Sha256(once).append(nonce)));
}

std::string Printable(std::string_view text) {
  std::string out(text.substr(0, 256));
  std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

}  // namespace plait::demo::mysql
