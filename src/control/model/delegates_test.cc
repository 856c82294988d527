#include "control/model/delegates.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

std::string Service(const std::string& name, const std::string& spec, const std::string& name_space = "default") {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name +
         ", namespace: " + name_space + "}\nspec: " + spec + "\n";
}
const std::string kWeb = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";

// The rules of the first VirtualService that is for hosts, and everything that is said.
struct Whole {
  explicit Whole(const std::string& yaml) : snapshot(testing::SnapshotOf(kWeb + yaml)) {
    const auto services = snapshot->VirtualServices("default", "mesh");
    if (!services.empty()) rules = services[0]->http;
    said = testing::Said(snapshot->findings());
  }
  SnapshotRef snapshot;
  std::vector<HttpRule> rules;
  std::string said;
};

TEST(Delegates, RulesStandInPlaceOfTheOneThatNamesThem) {
  const Whole whole(Service("root",
                            "{hosts: [web], http: [{name: r, match: [{uri: {prefix: /a}}], timeout: 3s, "
                            "delegate: {name: leaf, namespace: other}}, {route: [{destination: {host: web}}]}]}") +
                    Service("leaf",
                            "{http: [{name: l, match: [{uri: {exact: /a/b}, headers: {x: {exact: '1'}}}], "
                            "route: [{destination: {host: near}}]}, {timeout: 5s, redirect: {uri: /c}}]}",
                            "other"));
  ASSERT_EQ(whole.rules.size(), 3U) << whole.said;
  EXPECT_EQ(whole.rules[0].name, "r-l");
  EXPECT_EQ(whole.rules[0].matches.at(0).uri->value, "/a/b");
  EXPECT_EQ(whole.rules[0].matches.at(0).headers.at("x").value, "1");
  EXPECT_EQ(whole.rules[0].timeout, std::chrono::seconds(3));
  EXPECT_EQ(whole.rules[0].destinations.at(0).destination.host, "near.other.svc.cluster.local");
  EXPECT_EQ(whole.rules[1].matches.at(0).uri->value, "/a") << "the root's, since the delegate has none";
  EXPECT_EQ(whole.rules[1].timeout, std::chrono::seconds(5));
  EXPECT_TRUE(whole.rules[2].matches.empty());
}

TEST(Delegates, AMatchOutsideOfTheRootsIsLeftOutAndReported) {
  for (const char* match : {"uri: {exact: /b}", "uri: {prefix: /}", "uri: {regex: /a.*}", "uri: {prefix: /a}, port: 81",
                            "uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /a}, sourceLabels: {app: z}"}) {
    const Whole whole(
        Service("root",
                "{hosts: [web], http: [{match: [{uri: {prefix: /a}, port: 80, sourceLabels: {app: x}}], "
                "delegate: {name: leaf}}]}") +
        Service("leaf", "{http: [{match: [{" + std::string(match) + "}], route: [{destination: {host: web}}]}]}"));
    EXPECT_TRUE(whole.rules.empty()) << match;
    EXPECT_NE(whole.said.find("the matches lie outside"), std::string::npos) << whole.said;
  }
}

TEST(Delegates, OneThatIsNotThereOrNotExportedIsReportedAndItsRuleLeftOut) {
  const std::string root =
      Service("root",
              "{hosts: [web], http: [{match: [{uri: {prefix: /a}}], delegate: {name: leaf, namespace: other}}, "
              "{route: [{destination: {host: web}}]}]}");
  const Whole missing(root);
  EXPECT_EQ(missing.rules.size(), 1U);
  EXPECT_NE(missing.said.find("Referenced delegate not found: \"other/leaf\""), std::string::npos) << missing.said;
  const Whole hidden(root +
                     Service("leaf", "{exportTo: ['.'], http: [{route: [{destination: {host: web}}]}]}", "other"));
  EXPECT_EQ(hidden.rules.size(), 1U);
  EXPECT_NE(hidden.said.find("export it to this namespace"), std::string::npos) << hidden.said;
}

TEST(Delegates, OneWithHostsIsNoDelegate) {
  const Whole whole(Service("root", "{hosts: [web], http: [{delegate: {name: root}}]}"));
  EXPECT_TRUE(whole.rules.empty());
  EXPECT_NE(whole.said.find("the rule delegates to its own VirtualService"), std::string::npos) << whole.said;
}

TEST(Delegates, ACircleIsReportedAndEnds) {
  const Whole whole(Service("root", "{hosts: [web], http: [{delegate: {name: a}}]}") +
                    Service("a", "{http: [{delegate: {name: b}}, {route: [{destination: {host: web}}]}]}") +
                    Service("b", "{http: [{delegate: {name: a}}]}"));
  EXPECT_EQ(whole.rules.size(), 1U) << "the rule that is not part of the circle is in force";
  EXPECT_NE(whole.said.find("form a circle: default/root -> default/a -> default/b -> default/a"), std::string::npos)
      << whole.said;
  const Whole own(Service("root", "{hosts: [web], http: [{delegate: {name: a}}]}") +
                  Service("a", "{http: [{delegate: {name: a}}]}"));
  EXPECT_NE(own.said.find("form a circle: default/root -> default/a -> default/a"), std::string::npos) << own.said;
}

TEST(Delegates, ADelegateCannotDelegateAgain) {
  const Whole whole(Service("root", "{hosts: [web], http: [{delegate: {name: a}}]}") +
                    Service("a", "{http: [{delegate: {name: b}}]}") +
                    Service("b", "{http: [{route: [{destination: {host: web}}]}]}"));
  EXPECT_TRUE(whole.rules.empty());
  EXPECT_NE(whole.said.find("a delegate cannot delegate again: default/root -> default/a -> default/b"),
            std::string::npos)
      << whole.said;
}

TEST(Delegates, NobodysDelegateIsReported) {
  const Whole whole(Service("lone", "{gateways: [mesh], http: [{route: [{destination: {host: web}}]}]}"));
  EXPECT_TRUE(whole.rules.empty());
  EXPECT_NE(whole.said.find("it has no hosts, and no VirtualService delegates to it"), std::string::npos) << whole.said;
}

}  // namespace
}  // namespace plait::control::model
