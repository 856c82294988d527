#include "control/serve/object_events.h"

#include <gtest/gtest.h>

#include "control/model/decode.h"

namespace plait::control::serve {
namespace {

constexpr std::string_view kService = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
)";
constexpr std::string_view kRules = R"(
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{route: [{destination: {host: web}}]}]}
)";

class ObjectEvents : public testing::Test {
 protected:
  // What is written, and the pods that run.
  void Now(const std::vector<std::string>& files, std::vector<model::Workload> pods = {}) {
    std::vector<model::ObjectRef> objects;
    for (const std::string& text : files) {
      model::Decoded decoded = model::DecodeText(text, "mesh.yaml");
      EXPECT_TRUE(decoded.findings.empty()) << decoded.findings.front().ToString();
      for (model::ObjectRef& object : decoded.objects) objects.push_back(std::move(object));
    }
    const auto before = std::exchange(
        snapshot_, model::Snapshot::Build(std::move(objects),
                                          std::make_shared<const std::vector<model::Workload>>(std::move(pods)), {}));
    CountEvents(before.get(), *snapshot_, metrics_);
  }
  double Registry(std::string_view type, std::string_view event) const {
    return metrics_.Value("pilot_k8s_reg_events", {{"type", type}, {"event", event}});
  }
  double Config(std::string_view type, std::string_view event) const {
    return metrics_.Value("pilot_k8s_cfg_events", {{"type", type}, {"event", event}});
  }
  Metrics metrics_;
  model::SnapshotRef snapshot_;
};

TEST_F(ObjectEvents, AreWhatCameChangedAndWent) {
  Now({std::string(kService)});
  EXPECT_EQ(Registry("Services", "add"), 1);
  Now({std::string(kService), std::string(kRules)});
  EXPECT_EQ(Config("VirtualService", "add"), 1);
  std::string slower(kRules);
  slower.replace(slower.find("}}]}]"), 5, "}}], timeout: 3s}]");
  Now({std::string(kService), slower});
  EXPECT_EQ(Config("VirtualService", "update"), 1);
  Now({});
  EXPECT_EQ(Config("VirtualService", "delete"), 1);
  EXPECT_EQ(Registry("Services", "delete"), 1);
  EXPECT_EQ(Registry("Services", "add"), 1);
  EXPECT_EQ(Registry("Services", "update"), 0);
}

TEST_F(ObjectEvents, AreNoneWhenAFileIsWrittenAgainAsItWas) {
  Now({std::string(kService), std::string(kRules)});
  Now({std::string(kService), std::string(kRules)});
  EXPECT_EQ(Registry("Services", "update"), 0);
  EXPECT_EQ(Config("VirtualService", "update"), 0);
}

TEST_F(ObjectEvents, ArePodsThatStartBecomeReadyAndEnd) {
  model::Workload pod{.uid = "1", .name = "web-1", .name_space = "default"};
  Now({}, {pod});
  EXPECT_EQ(Registry("Pods", "add"), 1);
  pod.ready = true;
  Now({}, {pod, {.uid = "2", .name = "web-2", .name_space = "default"}});
  EXPECT_EQ(Registry("Pods", "add"), 2);
  EXPECT_EQ(Registry("Pods", "update"), 1);
  Now({}, {});
  EXPECT_EQ(Registry("Pods", "delete"), 2);
}

TEST_F(ObjectEvents, OfWhatIstiodDoesNotCountAreNone) {
  Now({std::string(kService)});
  EXPECT_EQ(metrics_.Text().find("ConfigMap"), std::string::npos);
}

}  // namespace
}  // namespace plait::control::serve
