#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/connection_manager.h"

namespace plait::control::translate {
namespace {

std::string FormatOf(const std::string& mesh) {
  const auto snapshot = model::testing::SnapshotOf(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n"
      "    accessLogFile: /dev/stdout\n" +
      mesh);
  return AccessLogs(*snapshot).at(0).text_format;
}

TEST(AccessLogs, HaveALineForEachRequestWhateverTheFormatEndsWith) {
  EXPECT_EQ(FormatOf("    accessLogFormat: '%RESPONSE_CODE%'\n"), "%RESPONSE_CODE%\n");
  EXPECT_EQ(FormatOf("    accessLogFormat: \"%RESPONSE_CODE%\\n\"\n"), "%RESPONSE_CODE%\n");
  EXPECT_TRUE(FormatOf("").ends_with(" %ROUTE_NAME%\n"));
}

}  // namespace
}  // namespace plait::control::translate
