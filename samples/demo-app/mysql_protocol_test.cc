#include "mysql_protocol.h"

#include <gtest/gtest.h>

#include "core/base/encoding.h"

namespace plait::demo::mysql {
namespace {

std::string FromHex(std::string text) {
  std::erase(text, ' ');
  return HexDecode(text).value();
}

TEST(MysqlPacket, IsTakenOnceItIsWhole) {
  Buffer whole;
  AppendPacket(whole, 7, "abc");
  AppendPacket(whole, 8, "");
  const std::string wire = whole.ToString();
  EXPECT_EQ(wire, FromHex("030000 07 616263 000000 08"));
  Buffer in;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    in.Append(std::string_view(wire).substr(i, 1));
    const auto packet = TakePacket(in).value();
    ASSERT_EQ(packet.has_value(), i == 6 || i == 10) << i;
    if (packet) {
      EXPECT_EQ(*packet, (i == 6 ? Packet{7, "abc"} : Packet{8, ""}));
    }
  }
  EXPECT_TRUE(in.empty());
}

TEST(MysqlPacket, ThatIsTooLongIsRefusedByItsHeader) {
  Buffer longest;
  AppendPacket(longest, 0, std::string(kMaxBytes, 'x'));
  EXPECT_EQ(TakePacket(longest).value()->payload.size(), kMaxBytes);
  for (const char* header : {"010001 00", "ffffff 00"}) {
    Buffer in(FromHex(header));
    EXPECT_EQ(TakePacket(in).error().code, Errc::kLimit) << header;
  }
}

// The example of MySQL's documentation (internals manual, Protocol::HandshakeV10), without its header.
TEST(MysqlHandshake, IsReadAsTheDocumentationReadsItsExample) {
  const auto read = ReadHandshakeV10(
      FromHex("0a 352e352e322d6d3200 0b000000 64764840492d434a 00 fff7 08 0200 0000 00 00000000000000000000"
              "2a34647c635a776b345e5d3a 00"));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, (HandshakeV10{.server_version = "5.5.2-m2",
                                 .thread_id = 11,
                                 .auth_plugin_data = "dvH@I-CJ*4d|cZwk4^]:",
                                 .capabilities = 0xf7ff,
                                 .character_set = 8,
                                 .status_flags = 2,
                                 .auth_plugin_name = ""}));
}

HandshakeV10 Handshake() {
  return {.server_version = "9.3.0",
          .thread_id = 0x01020304,
          .auth_plugin_data = "0123456789abcdefghij",
          .capabilities = kProtocol41 | kSecureConnection | kPluginAuth | kConnectWithDb,
          .character_set = 255,
          .status_flags = 2,
          .auth_plugin_name = "caching_sha2_password"};
}

TEST(MysqlHandshake, MayLeaveTheZeroByteOfItsLastNameOut) {
  std::string payload = Compose(Handshake());
  EXPECT_EQ(ReadHandshakeV10(payload), Handshake());
  payload.pop_back();
  EXPECT_EQ(ReadHandshakeV10(payload), Handshake());
}

TEST(MysqlHandshake, ThatEndsEarlyOrIsOldIsRefused) {
  const std::string payload = Compose(Handshake());
  const std::size_t name = payload.size() - Handshake().auth_plugin_name.size() - 1;
  for (std::size_t n = 0; n < name; ++n) EXPECT_FALSE(ReadHandshakeV10(std::string_view(payload).substr(0, n))) << n;
  for (const std::uint32_t flag : {kProtocol41, kSecureConnection}) {
    HandshakeV10 old = Handshake();
    old.capabilities &= ~flag;
    EXPECT_STREQ(ReadHandshakeV10(Compose(old)).error().detail, "it speaks a protocol from before MySQL 4.1");
  }
  EXPECT_FALSE(ReadHandshakeV10("\x09" + payload.substr(1)));
}

TEST(MysqlHandshakeResponse, HasTheFieldsOfItsFlags) {
  const std::string secret("\x01\x02\x03", 3);
  for (const std::uint32_t flags : {kProtocol41, kProtocol41 | kSecureConnection, kProtocol41 | kConnectWithDb,
                                    kProtocol41 | kPluginAuth | kPluginAuthLenencClientData,
                                    kProtocol41 | kSecureConnection | kConnectWithDb | kPluginAuth}) {
    const HandshakeResponse41 response{.client_flag = flags,
                                       .max_packet_size = 1U << 24,
                                       .character_set = kUtf8mb4GeneralCi,
                                       .username = "root",
                                       .auth_response = secret,
                                       .database = (flags & kConnectWithDb) != 0 ? "test" : "",
                                       .client_plugin_name = (flags & kPluginAuth) != 0 ? "some_plugin" : ""};
    const std::string payload = Compose(response);
    EXPECT_EQ(ReadHandshakeResponse41(payload), response) << flags;
    // 32 bytes of fixed fields, the user, what proves the password: not one byte of them may be missing.
    for (std::size_t n = 0; n < 32 + 5 + secret.size(); ++n)
      EXPECT_FALSE(ReadHandshakeResponse41(std::string_view(payload).substr(0, n))) << flags << " " << n;
  }
  EXPECT_FALSE(ReadHandshakeResponse41(std::string(40, '\0'))) << "a client from before 4.1";
}

TEST(MysqlHandshakeResponse, DoesNotBelieveALength) {
  const std::string fixed = FromHex("00822000 00000001 2d") + std::string(23, '\0') + std::string("root\0", 5);
  for (const char* length : {"fb", "fc", "fcffff", "fdffffff", "feffffffffffffffff", "ff", "05 61626364"})
    EXPECT_FALSE(ReadHandshakeResponse41(fixed + FromHex(length))) << length;
  EXPECT_EQ(ReadHandshakeResponse41(fixed + FromHex("fc0100 61"))->auth_response, "a");
  EXPECT_EQ(ReadHandshakeResponse41(fixed + FromHex("fe0100000000000000 61"))->auth_response, "a");
}

TEST(MysqlAuthSwitch, NamesThePluginAndItsData) {
  const AuthSwitchRequest request{.plugin_name = "mysql_native_password",
                                  .plugin_provided_data = "zQg4ioNy=rHN/>-b)A01"};
  const std::string payload = Compose(request);
  EXPECT_EQ(ReadAuthSwitchRequest(payload), request);
  EXPECT_EQ(ReadAuthSwitchRequest(payload.substr(0, payload.size() - 1)), request) << "without the zero byte";
  EXPECT_EQ(ReadAuthSwitchRequest("\xfe").error().code, Errc::kDenied) << "the plugin from before 4.1";
  EXPECT_EQ(ReadAuthSwitchRequest("\xfename").error().code, Errc::kInvalidInput);
  EXPECT_FALSE(ReadAuthSwitchRequest(""));
}

// The example of the documentation of ERR_Packet.
TEST(MysqlError, IsReadAsTheDocumentationReadsItsExample) {
  EXPECT_EQ(ReadErrPacket(FromHex("ff 4804 23 4859303030 4e6f207461626c65732075736564")),
            (ErrPacket{.error_code = 1096, .sql_state = "HY000", .error_message = "No tables used"}));
}

TEST(MysqlError, BeforeTheHandshakeHasNoState) {
  EXPECT_EQ(ReadErrPacket(FromHex("ff 1004") + "Too many connections"),
            (ErrPacket{.error_code = 1040, .sql_state = "", .error_message = "Too many connections"}));
  EXPECT_EQ(ReadErrPacket(FromHex("ff 1004 23 34"))->error_message, "#4") << "too short to be a state";
  for (const char* broken : {"", "ff", "ff10", "00"}) EXPECT_FALSE(ReadErrPacket(FromHex(broken))) << broken;
}

// The examples of the documentation of OK_Packet and EOF_Packet: nothing changed, SERVER_STATUS_AUTOCOMMIT.
TEST(MysqlEnd, IsThatOfTheDocumentation) {
  EXPECT_EQ(ComposeOk(), FromHex("00 00 00 0200 0000"));
  EXPECT_EQ(ComposeEof(), FromHex("fe 0000 0200"));
  EXPECT_TRUE(IsEof(ComposeEof()));
  EXPECT_FALSE(IsEof("\xfe" + std::string(8, '\0'))) << "a row whose value has a length of eight bytes";
}

TEST(MysqlResultSet, HasRowsOfOneValue) {
  for (const std::optional<std::string>& value :
       {std::optional<std::string>(), {""}, {"5"}, {std::string(250, 'x')}, {std::string(251, 'x')}}) {
    const auto read = ReadTextResultsetRow(ComposeTextResultsetRow(value));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, value);
  }
  for (const char* broken : {"", "02 35", "01 35 01 34", "fe ffffffffffffffff", "ff"})
    EXPECT_FALSE(ReadTextResultsetRow(FromHex(broken))) << broken;
}

TEST(MysqlResultSet, BeginsWithTheNumberOfItsColumns) {
  EXPECT_EQ(ReadColumnCount("\x01"), 1U);
  EXPECT_EQ(ReadColumnCount(FromHex("fc 0010")), 0x1000U);
  for (const char* broken : {"", "00", "0101", "fc01"}) EXPECT_FALSE(ReadColumnCount(FromHex(broken))) << broken;
}

std::string ScrambleOf(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

// The vectors of the tests of go-sql-driver/mysql (auth_test.go); Python's hashlib gives the same.
TEST(MysqlPassword, IsProvedAsOthersDo) {
  const std::string native =
      ScrambleOf({70, 114, 92, 94, 1, 38, 11, 116, 63, 114, 23, 101, 126, 103, 26, 95, 81, 17, 24, 21});
  EXPECT_EQ(HexEncode(AsBytes(NativePasswordScramble("secret", native))), "35b18c9ffbbd7f356dfcac32d3c0f0a41a30cf2d");
  const std::string sha2 = ScrambleOf({10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21});
  EXPECT_EQ(HexEncode(AsBytes(CachingSha2PasswordScramble("secret", sha2))),
            "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c");
  EXPECT_EQ(HexEncode(AsBytes(CachingSha2PasswordScramble("secret2", sha2))),
            "abc3934a012cf342e876071c8ee202de51785b430258a7a0138bc79c4d800bc6");
}

TEST(MysqlPassword, ThatIsEmptyIsProvedByNothing) {
  EXPECT_EQ(NativePasswordScramble("", "0123456789abcdefghij"), "");
  EXPECT_EQ(CachingSha2PasswordScramble("", "0123456789abcdefghij"), "");
}

TEST(MysqlText, OfTheOtherSideIsOneShortLineOfTheLog) {
  EXPECT_EQ(Printable("a\n\x1b[31mb\xc3\xa9~ "), "a??[31mb??~ ");
  EXPECT_EQ(Printable(std::string(1000, 'x')).size(), 256U);
}

}  // namespace
}  // namespace plait::demo::mysql
