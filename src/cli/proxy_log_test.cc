#include "cli/proxy_log.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

const std::vector<std::string> kLoggers = {"control", "http2"};

TEST(LogLevels, AreOfAllLoggersOrOfThoseThatAreNamed) {
  for (const char* spec : {"debug", "warning", "off", "http2:trace", "control:debug,http2:trace"})
    EXPECT_TRUE(CheckLevels(spec, kLoggers).has_value()) << spec;
}

struct WrongLevels {
  const char* spec;
  const char* what;
};
class LogLevelsThatAreWrong : public testing::TestWithParam<WrongLevels> {};

TEST_P(LogLevelsThatAreWrong, AreWrongUsageWithTheWordsThatThereAre) {
  const Outcome<> checked = CheckLevels(GetParam().spec, kLoggers);
  ASSERT_FALSE(checked.has_value()) << GetParam().spec;
  EXPECT_EQ(checked.error().code, Errc::kInvalidInput);
  EXPECT_EQ(checked.error().message, std::string("--level ") + GetParam().spec + ": " + GetParam().what);
  EXPECT_EQ(checked.error().hint,
            "LEVEL or LOGGER:LEVEL,... with loggers control, http2; levels trace, debug, info, warning, error, off");
}

INSTANTIATE_TEST_SUITE_P(Words, LogLevelsThatAreWrong,
                         testing::Values(WrongLevels{"foo:debug", R"(there is no logger "foo")"},
                                         WrongLevels{"http2:loud", R"("loud" is no level)"},
                                         WrongLevels{"http2:", R"("" is no level)"},
                                         WrongLevels{"http2=trace", R"("http2=trace" is no level)"},
                                         WrongLevels{"loud", R"("loud" is no level)"},
                                         WrongLevels{"http2:debug,control", R"("control" is not LOGGER:LEVEL)"},
                                         WrongLevels{"debug,http2:trace", R"("debug" is not LOGGER:LEVEL)"}));

}  // namespace
}  // namespace plait::cli
