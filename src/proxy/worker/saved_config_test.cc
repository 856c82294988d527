#include "proxy/worker/saved_config.h"

#include <gtest/gtest.h>

#include "core/base/encoding.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {

std::string File(const std::string& resources) {
  return R"({"node": {"id": "sidecar~10.244.0.2~web-0.default~default.svc.cluster.local"}, "resources": [)" +
         resources + "]}";
}

template <class T>
std::string Entry(std::string_view type, const std::string& name, const T& value) {
  return R"({"type": ")" + std::string(type) + R"(", "name": ")" + name + R"(", "aliases": [], "value": ")" +
         Base64Encode(AsBytes(xds::Encode(value))) + "\"}";
}

TEST(SavedConfig, SaysWhereAFileIsWrong) {
  io::Loop loop;
  for (const auto& [text, part] :
       {std::pair<std::string, std::string>{"", "f.json"},
        {"[1]", "node and resources are missing"},
        {R"({"node": {}, "resources": 3})", "node and resources are missing"},
        {File(R"({"type": "x", "name": "a", "value": ""})"), "resource a: unknown type x"},
        {File(R"({"type": "x", "name": "a", "value": "?"})"), "value is not base64"},
        {File(R"({"type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "a", "value": "////"})"),
         "f.json:1:"}}) {
    const auto saved = SavedConfig::Parse(loop, text, "f.json");
    ASSERT_FALSE(saved) << text;
    EXPECT_NE(saved.error().ToString().find(part), std::string::npos) << saved.error().ToString();
  }
}

TEST(SavedConfig, AnswersWithoutListenersThatNothingTakesThePort) {
  io::Loop loop;
  xds::Service service;
  service.name = "reviews";
  service.name_space = "default";
  service.hostname = "reviews.default.svc.cluster.local";
  service.addresses.push_back({"", io::Cidr::Parse("10.96.0.7/32").value()});
  service.ports.push_back({{9080, 9080, xds::AppProtocol::kUnknown}, "http", xds::DeclaredProtocol::kHttp});
  const auto saved =
      SavedConfig::Parse(loop, File(Entry(xds::type_url::kAddress, service.Key(), xds::Address{service})), "f.json");
  ASSERT_TRUE(saved) << saved.error().ToString();
  const auto answer = (*saved)->Answer({.to = "reviews"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no listener takes port 9080") << "the name and its port were found";
}

}  // namespace
}  // namespace plait::proxy::worker
