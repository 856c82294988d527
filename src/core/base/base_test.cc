#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/limit.h"
#include "core/base/log.h"
#include "core/base/port.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "core/base/time.h"

namespace plait {
namespace {
using namespace std::chrono_literals;

TEST(Port, IsDecimalBetween1And65535) {
  EXPECT_EQ(ParsePort("1")->value, 1);
  EXPECT_EQ(ParsePort("65535")->value, 65535);
  for (const char* bad : {"", "0", "65536", "123456", "80a", "-1", " 80"}) EXPECT_FALSE(ParsePort(bad)) << bad;
}

TEST(Limit, IsNeverPassedByThreadsThatTryAtOnce) {
  constexpr int kThreads = 4;
  Limit limit;
  limit.SetMost(2);
  std::atomic<int> inside{0};
  std::atomic<bool> passed{false};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 2000; ++turn) {
        if (!limit.Take()) continue;
        if (inside.fetch_add(1) >= 2) passed = true;
        inside.fetch_sub(1);
        limit.Return();
      }
    });
  }
  threads.clear();
  EXPECT_FALSE(passed);
  EXPECT_EQ(limit.used(), 0U);
}

TEST(Duration, ReadsGoAndProtobufForms) {
  EXPECT_EQ(ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(ParseDuration("1h30m"), 90min);
  EXPECT_EQ(ParseDuration("250ms"), 250ms);
  EXPECT_EQ(ParseDuration("-2s"), -2s);
  for (const char* bad : {"", "5", "s", "1.2.3s", "1x", "1 s"}) EXPECT_FALSE(ParseDuration(bad)) << bad;
  EXPECT_EQ(FormatDuration(1500ms), "1.5s");
  EXPECT_EQ(FormatDuration(0s), "0s");
}

TEST(Duration, KeepsNanosecondsHoweverLongItIs) {
  for (const Duration value : {Duration(1), Duration(-1), 2400h + 1ns, Duration::max(), -Duration::max()})
    EXPECT_EQ(ParseDuration(FormatDuration(value)), value) << value.count();
  EXPECT_EQ(FormatDuration(2400h + 1ns), "8640000.000000001s");
  EXPECT_EQ(FormatDuration(Duration::min()), "-9223372036.854775808s");
  EXPECT_EQ(ParseDuration("2400h0.000000001s"), 2400h + 1ns);
  EXPECT_EQ(ParseDuration("1.s.5s"), 1500ms);
  for (const char* bad : {".s", "9223372036.854775808s", "2562048h", "9223372036s1s", "99999999999999999999ns"})
    EXPECT_FALSE(ParseDuration(bad)) << bad;
}

TEST(Time, FormatsAndReadsRfc3339) {
  const WallTime t = *ParseRfc3339("2026-11-24T14:13:00.123Z");
  EXPECT_EQ(FormatRfc3339(t), "2026-11-24T14:13:00.123Z");
  EXPECT_EQ(FormatHttpDate(t), "Tue, 24 Nov 2026 14:13:00 GMT");
  EXPECT_EQ(ParseRfc3339("2026-11-24T15:13:00.123+01:00"), t);
  EXPECT_FALSE(ParseRfc3339("yesterday"));
}

TEST(Time, RefusesWhatIsNoMomentOrBeyondTheYearsItCanHold) {
  EXPECT_EQ(ParseRfc3339("2026-11-24T14:13:00.1234567899Z"), *ParseRfc3339("2026-11-24T14:13:00.123456789Z"));
  EXPECT_EQ(ParseRfc3339("2016-12-31T23:59:60Z"), ParseRfc3339("2017-01-01T00:00:00Z")) << "a leap second";
  EXPECT_EQ(FormatRfc3339(*ParseRfc3339("1900-02-28T23:30:00-01:00")), "1900-03-01T00:30:00.000Z");
  for (const char* year : {"1678", "2261"}) EXPECT_TRUE(ParseRfc3339(year + std::string("-01-01T00:00:00Z"))) << year;
  for (const char* bad :
       {"9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-1-1T0:0:0Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00+1:00", " 026-01-01T00:00:00Z", "2026-01-01T00:00:00Zz"})
    EXPECT_FALSE(ParseRfc3339(bad)) << bad;
  EXPECT_FALSE(ParseRfc3339(std::string_view("2026-01-01T00:00:00Z\0x", 22)));
}

TEST(Base64, RoundTripsEveryLengthAndRefusesGarbage) {
  for (std::size_t n = 0; n < 70; ++n) {
    const std::string text(n, static_cast<char>(200 + n % 50));
    EXPECT_EQ(Base64Decode(Base64Encode(AsBytes(text))), text);
    EXPECT_EQ(Base64Decode(Base64UrlEncode(AsBytes(text))), text);
  }
  EXPECT_FALSE(Base64Decode("a"));
  EXPECT_FALSE(Base64Decode("ab$d"));
  EXPECT_FALSE(Base64Decode("ab=c"));
}

TEST(Percent, DecodesAndRefusesBrokenEscapes) {
  EXPECT_EQ(PercentDecode("a%20b%2F"), "a b/");
  EXPECT_EQ(PercentEncode("a b/-._~\xc3\xa4"), "a%20b%2F-._~%C3%A4");
  EXPECT_FALSE(PercentDecode("%4"));
  EXPECT_FALSE(PercentDecode("%zz"));
}

TEST(Uuid, HasVersionFourAndDiffers) {
  const std::string a = NewUuid();
  EXPECT_EQ(a.size(), 36u);
  EXPECT_EQ(a[14], '4');
  EXPECT_NE(a, NewUuid());
}

TEST(Strings, SplitKeepsEmptyParts) {
  EXPECT_EQ(Split("a,,b", ',').size(), 3u);
  EXPECT_EQ(Split("", ',').size(), 1u);
}

log::Component kTestLog("base_test");
TEST(Log, ChangesOnlyTheNamedComponentAndRefusesUnknownOnes) {
  EXPECT_TRUE(log::SetLevels("base_test:debug"));
  EXPECT_TRUE(kTestLog.Enabled(log::Level::kDebug));
  EXPECT_FALSE(log::SetLevels("no_such_component:debug"));
  EXPECT_FALSE(log::SetLevels("base_test:loud"));
  EXPECT_TRUE(log::SetLevels("warning"));
  EXPECT_FALSE(kTestLog.Enabled(log::Level::kInfo));
  EXPECT_NE(log::DescribeLevels().find("  base_test: warning\n"), std::string::npos);
}

TEST(Log, TextOfOthersIsNoLineAndNoCommandOfATerminal) {
  ::testing::internal::CaptureStderr();
  kTestLog.Error("bad\n2099-01-01T00:00:00.000Z\terror\tca\t\x1b[31mforged");
  kTestLog.Error(std::string(20'000, 'x'));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("\terror\tbase_test\tbad\n\t2099-01-01T00:00:00.000Z\terror\tca\t\\x1b[31mforged\n"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("xxx... (3616 more bytes)\n"), std::string::npos);
}

TEST(Diagnostic, ShowsWhatATerminalWouldObey) {
  const Diagnostic bad{.message = "\"a\x1b[2Jb\"\nü\xc2\x9b\x31J",
                       .object = "Pod a\nb",
                       .at = {"e\x1b[31mx\nc.yaml", 3},
                       .hint = "go\x7f"};
  EXPECT_EQ(bad.ToString(), "e\\x1b[31mx\\x0ac.yaml:3: Pod a\\x0ab: \"a\\x1b[2Jb\"\nü\xc2\\x9b\x31J (go\\x7f)");
}

}  // namespace
}  // namespace plait
