#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/connection_manager.h"

namespace plait::control::translate {
namespace {

xds::AccessLog LogOf(const std::string& mesh) {
  const auto snapshot = model::testing::SnapshotOf(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n"
      "    accessLogFile: /dev/stdout\n" +
      mesh);
  return AccessLogs(*snapshot).at(0);
}
std::string FormatOf(const std::string& mesh) { return LogOf(mesh).text_format; }

TEST(AccessLogs, HaveALineForEachRequestWhateverTheFormatEndsWith) {
  EXPECT_EQ(FormatOf("    accessLogFormat: '%RESPONSE_CODE%'\n"), "%RESPONSE_CODE%\n");
  EXPECT_EQ(FormatOf("    accessLogFormat: \"%RESPONSE_CODE%\\n\"\n"), "%RESPONSE_CODE%\n");
  EXPECT_TRUE(FormatOf("").ends_with(" %ROUTE_NAME%\n"));
}

TEST(AccessLogs, InJsonHaveTheKeysOfTheMesh) {
  const xds::AccessLog log = LogOf(
      "    accessLogEncoding: JSON\n"
      "    accessLogFormat: |\n"
      "      {\"who\": {\"agent\": \"%REQ(USER-AGENT)%\", \"seen\": [\"%PROTOCOL%\", 1, null]}, \"code\": "
      "\"%RESPONSE_CODE%\"}\n");
  EXPECT_EQ(log.format, xds::AccessLog::Format::kJson);
  EXPECT_EQ(log.json_format, xds::ParseJsonFormat(R"({"code": "%RESPONSE_CODE%",
                                     "who": {"agent": "%REQ(USER-AGENT)%", "seen": ["%PROTOCOL%", 1, null]}})")
                                 .value());
  EXPECT_EQ(log.text_format, "");
  EXPECT_EQ(LogOf("    accessLogEncoding: JSON\n    accessLogFormat: '{}'\n").json_format, xds::JsonFormat());
}

TEST(AccessLogs, InJsonHaveIstiosKeysWhereTheMeshHasNone) {
  const xds::JsonFormat istios = LogOf("    accessLogEncoding: JSON\n").json_format;
  EXPECT_EQ(istios.keys.size(), 24U);
  EXPECT_EQ(LogOf("    accessLogEncoding: JSON\n    accessLogFormat: 'not JSON'\n").json_format, istios);
}

}  // namespace
}  // namespace plait::control::translate
