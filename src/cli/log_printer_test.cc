#include "cli/log_printer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

constexpr const char* kDenied =
    R"([2026-11-28T14:00:00.000Z] "GET /a HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[default]-policy[p]-rule[0]] - "-" 0 19 0 - "-" "curl" "id" "web:9080" "-" inbound|9080|| - 10.244.0.3:9080 10.244.0.6:41000 - -)"
    "\n";
constexpr const char* kServed =
    R"([2026-11-28T14:00:00.000Z] "GET /b HTTP/1.1" 200 - via_upstream - "-" 0 19 0 - "-" "curl" "id" "web:9080" "-" inbound|9080|| - 10.244.0.3:9080 10.244.0.6:41000 - -)"
    "\n";
constexpr const char* kExplained = "plait: denied by AuthorizationPolicy default/p rule[0]";

class LogPrinterTest : public testing::Test {
 protected:
  // What three proxies' logs become, of which one has denied something.
  LogPrinter Printed(LogChoice choice) {
    written_.clear();
    LogPrinter printer(std::move(choice), denials_, entries_, [this](std::string_view text) {
      written_ += text;
      return true;
    });
    const LogSource web = SourceOf("web-0.default", "istio-proxy");
    const LogSource other = SourceOf("other-0.default", "istio-proxy");
    const LogSource application = SourceOf("web-0.default", "app");
    EXPECT_TRUE(printer.Take(other, kServed));
    EXPECT_TRUE(printer.Take(web, kServed));
    EXPECT_TRUE(printer.Take(web, kDenied));
    EXPECT_TRUE(printer.Take(web, kDenied));
    EXPECT_TRUE(printer.Take(application, "text\n"));
    return printer;
  }
  static LogSource SourceOf(const char* pod, const char* container) {
    return {.workload = pod, .container = container, .tail = LogTail(""), .one_of_several = true};
  }
  std::string written_;
  Json entries_ = Json::array();

 private:
  Denials denials_{{.status = [] { return Outcome<local::MeshStatus>(local::MeshStatus()); },
                    .proxy = [](const std::string&,
                                const std::string&) { return Outcome<Json>(Explain(Errc::kNotFound, "nobody")); },
                    .positions = [](const local::MeshStatus&) { return Outcome<Positions>(Positions()); }}};
};
const std::vector<std::string> kOne = {"log/web-0.default/istio-proxy"};

TEST_F(LogPrinterTest, ShowsWhatPassesAsItIsWithWhatExplainsIt) {
  const LogPrinter printer = Printed({.denied = true});
  const std::string one = std::string("[web-0.default] ") + kDenied + "    " + kExplained + "\n";
  EXPECT_EQ(written_, one + one);
  EXPECT_EQ(printer.names(), kOne);
}

TEST_F(LogPrinterTest, LeavesTheLinesOfTheOnlyOneAsTheyAre) {
  Denials denials{{}};
  LogPrinter printer({}, denials, entries_, [this](std::string_view text) {
    written_ += text;
    return true;
  });
  EXPECT_TRUE(printer.Take({"web", "istio-proxy", LogTail("")}, kServed));
  EXPECT_EQ(written_, kServed);
}

TEST_F(LogPrinterTest, NamesTheLogsOfWhichALineHasPassed) {
  EXPECT_EQ(Printed({.format = Format::kName, .denied = true}).names(), kOne);
  EXPECT_EQ(Printed({.format = Format::kName, .flags = {"UF"}}).names(), std::vector<std::string>());
  EXPECT_EQ(Printed({.format = Format::kName}).names(),
            (std::vector<std::string>{"log/other-0.default/istio-proxy", "log/web-0.default/istio-proxy",
                                      "log/web-0.default/app"}));
  EXPECT_EQ(written_, "");
}

TEST_F(LogPrinterTest, KeepsWhatPassesAsData) {
  Printed({.format = Format::kJson, .denied = true});
  ASSERT_EQ(entries_.size(), 2u);
  EXPECT_EQ(entries_[0]["workload"], "web-0.default");
  EXPECT_EQ(entries_[0]["container"], "istio-proxy");
  EXPECT_EQ(entries_[0]["line"].get<std::string>() + "\n", kDenied);
  EXPECT_EQ(entries_[0]["explanation"], kExplained);
  EXPECT_EQ(written_, "");
}

TEST_F(LogPrinterTest, WritesEachLineAtOnceInEveryFormatWhereItFollows) {
  Printed({.format = Format::kJson, .follow = true, .denied = true});
  EXPECT_TRUE(entries_.empty());
  const std::size_t end = written_.find('\n');
  EXPECT_EQ(written_, written_.substr(0, end + 1) + written_.substr(0, end + 1)) << "an object a line";
  EXPECT_EQ(Json::parse(written_.substr(0, end))["explanation"], kExplained);
  Printed({.format = Format::kYaml, .follow = true, .denied = true});
  EXPECT_TRUE(written_.starts_with("---\nworkload: web-0.default\ncontainer: istio-proxy\nline: ")) << written_;
  Printed({.format = Format::kName, .follow = true, .denied = true});
  EXPECT_EQ(written_, kOne[0] + "\n");
}

TEST_F(LogPrinterTest, SaysThatItsReaderHasGone) {
  Denials denials{{}};
  LogPrinter printer({}, denials, entries_, [](std::string_view) { return false; });
  EXPECT_FALSE(printer.Take({"web-0.default", "app", LogTail("")}, "text\n"));
}

}  // namespace
}  // namespace plait::cli
