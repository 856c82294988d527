#include "control/serve/saved_resources.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::json;

constexpr char kStatefulSet[] = R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: app, image: db, ports: [{containerPort: 5432}]}]}
)";

class SavedResourcesTest : public ::testing::Test {
 protected:
  SavedResourcesTest() {
    std::string name = ::testing::TempDir() + "saved-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~SavedResourcesTest() override { std::filesystem::remove_all(root_); }
  Json Read(const std::string& workload) {
    return Json::parse(ResourcesOf(loop_, {.directories = {root_}, .workload = workload}).json);
  }

  io::Loop loop_;
  std::string root_;
};

TEST_F(SavedResourcesTest, EachPodOfAStatefulSetRuns) {
  std::ofstream(root_ + "/mesh.yaml") << kStatefulSet;
  std::set<std::string> addresses;
  for (const char* pod : {"db-0", "db-1", "db-2"}) {
    const Json read = Read(pod);
    EXPECT_EQ(read.value("pod", ""), std::string(pod) + ".default") << read.value("error", "");
    addresses.insert(read.value("ip", ""));
    std::size_t known = 0;
    for (const Json& resource : read["resources"])
      if (resource["type"] == xds::type_url::kAddress &&
          resource["name"].get<std::string>().find("/db-") != std::string::npos)
        ++known;
    EXPECT_EQ(known, 3U) << read["resources"].dump(1).substr(0, 4000);
  }
  EXPECT_EQ(addresses.size(), 3U);
}

}  // namespace
}  // namespace plait::control::serve
