#include "control/serve/registry_pages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/model/testing_objects.h"

namespace plait::control::serve {
namespace {

TEST(RegistryPages, NameServicesAsIstioDoes) {
  const auto mesh = model::testing::SnapshotOf(R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [one.example, "*.two.example"]
  addresses: [192.0.2.1]
  resolution: NONE
  ports: [{name: http, number: 80, protocol: HTTP}]
)");
  std::map<std::string, std::string> names;
  for (const auto& service : nlohmann::json::parse(ServicesJson(*mesh)))
    names[service.at("hostname")] = service.at("Attributes").at("Name");
  EXPECT_EQ(names, (std::map<std::string, std::string>{{"web.default.svc.cluster.local", "web"},
                                                       {"one.example", "one.example"},
                                                       {"*.two.example", "*.two.example"}}));
  EXPECT_EQ(nlohmann::json::parse(NamesJson(*mesh, "default")).at("table").at("one.example"),
            nlohmann::json::parse(R"({"ips": ["192.0.2.1"], "registry": "External"})"));
}

}  // namespace
}  // namespace plait::control::serve
