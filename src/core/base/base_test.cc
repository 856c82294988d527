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

TEST(Limit, RefusesAllOthersUntilWhatWasTakenBeyondItIsReturned) {
  Limit limit;
  limit.SetMost(1);
  ASSERT_TRUE(limit.Take());
  limit.TakeBeyond();
  limit.Return();
  EXPECT_FALSE(limit.Take());
  limit.Return();
  EXPECT_TRUE(limit.Take());
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

TEST(Time, FormatsAndReadsRfc3339) {
  const WallTime t = *ParseRfc3339("2026-11-24T14:13:00.123Z");
  EXPECT_EQ(FormatRfc3339(t), "2026-11-24T14:13:00.123Z");
  EXPECT_EQ(FormatHttpDate(t), "Tue, 24 Nov 2026 14:13:00 GMT");
  EXPECT_EQ(ParseRfc3339("2026-11-24T15:13:00.123+01:00"), t);
  EXPECT_FALSE(ParseRfc3339("yesterday"));
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

}  // namespace
}  // namespace plait
