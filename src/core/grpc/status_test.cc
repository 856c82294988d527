#include "core/grpc/status.h"

#include <gtest/gtest.h>

#include "core/grpc/message_reader.h"

namespace plait::grpc {
namespace {
using namespace std::chrono_literals;

TEST(Timeout, IsReadInEveryUnitAndRefusedOtherwise) {
  EXPECT_EQ(ParseTimeout("5S"), 5s);
  EXPECT_EQ(ParseTimeout("250m"), 250ms);
  EXPECT_EQ(ParseTimeout("1H"), 1h);
  EXPECT_EQ(ParseTimeout("99999999H"), Duration::max());
  for (const char* bad : {"", "S", "5", "5s", "123456789S", "-1S", "1.5S"}) EXPECT_FALSE(ParseTimeout(bad)) << bad;
}

TEST(Timeout, IsWrittenRoundedUpWithinEightDigits) {
  EXPECT_EQ(FormatTimeout(1500ms), "1500000u");
  EXPECT_EQ(FormatTimeout(0s), "1n");
  EXPECT_EQ(ParseTimeout(FormatTimeout(24h)), 24h);
  EXPECT_GE(*ParseTimeout(FormatTimeout(Duration(123'456'789'123))), Duration(123'456'789'123));
}

TEST(Message, IsPercentEncodedAndDecodedLeniently) {
  EXPECT_EQ(EncodeMessage("100% \xc3\xa4\n"), "100%25 %C3%A4%0A");
  EXPECT_EQ(DecodeMessage("100%25 %C3%A4%0A"), "100% \xc3\xa4\n");
  EXPECT_EQ(DecodeMessage("broken %zz %4"), "broken %zz %4");
}

TEST(Status, TravelsInTrailers) {
  http::Headers trailers;
  AddStatus(trailers, {.code = Code::kPermissionDenied, .message = "node id differs", .details = {}});
  EXPECT_EQ(StatusOf(trailers).ToString(), "PERMISSION_DENIED: node id differs");
  EXPECT_EQ(StatusOf({}).code, Code::kUnknown);
  EXPECT_EQ(StatusOf({{"grpc-status", "99"}}).code, Code::kUnknown);
}

TEST(MessageReader, RefusesCompressedTooLongAndUnknown) {
  for (const auto& [bytes, code] :
       std::vector<std::pair<std::string, Errc>>{{std::string("\x01\0\0\0\0", 5), Errc::kInvalidInput},
                                                 {std::string("\x07\0\0\0\0", 5), Errc::kInvalidInput},
                                                 {std::string("\0\0\0\x01\0", 5), Errc::kLimit}}) {
    MessageReader reader(100);
    Buffer in(bytes);
    const auto next = reader.Next(in);
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code, code);
  }
}

}  // namespace
}  // namespace plait::grpc
