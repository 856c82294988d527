#include "control/reference/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "testing/source_dir.h"

namespace plait::control::reference {
namespace {

class ConfigurationReference : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { kinds_ = new std::vector<KindReference>(Reference()); }
  static void TearDownTestSuite() { delete kinds_; }
  static const Field* Find(const std::string& kind, const std::string& path) {
    for (const KindReference& one : *kinds_)
      for (const Field& field : one.fields)
        if (one.kind == kind && field.path == path) return &field;
    return nullptr;
  }
  static Effect EffectOf(const std::string& kind, const std::string& path) {
    const Field* field = Find(kind, path);
    EXPECT_NE(field, nullptr) << kind << " " << path;
    return field ? field->effect : Effect::kUnknown;
  }
  static std::vector<KindReference>* kinds_;
};
std::vector<KindReference>* ConfigurationReference::kinds_ = nullptr;

TEST_F(ConfigurationReference, IsThePageOfTheDocumentation) {
  std::ifstream in(std::string(plait::testing::SourceDir()) + "/docs/configuration.md");
  std::ostringstream page;
  page << in.rdbuf();
  EXPECT_TRUE(page.str() == ToMarkdown(*kinds_))
      << "docs/configuration.md is stale: plait docs markdown configuration > docs/configuration.md";
}

TEST_F(ConfigurationReference, KnowsOfEveryFieldWhatBecomesOfIt) {
  for (const KindReference& kind : *kinds_)
    for (const Field& field : kind.fields)
      EXPECT_NE(field.effect, Effect::kUnknown) << kind.kind << " " << field.path << ": it needs a sample object";
}

// What is not honoured is told: nobody's routing or security is less than it seems.
TEST_F(ConfigurationReference, HasNoFieldOfIstioThatIsIgnoredWithoutAWord) {
  for (const KindReference& kind : *kinds_) {
    if (kind.foreign || kind.kind == "MeshConfig") continue;
    for (const Field& field : kind.fields)
      EXPECT_TRUE(field.effect != Effect::kNone || !field.note.empty()) << kind.kind << " " << field.path;
  }
}

// What has no effect in MeshConfig is what Plait does anyway, or concerns what it does not have.
TEST_F(ConfigurationReference, HasOnlyTheseFieldsOfMeshConfigWithoutEffect) {
  std::vector<std::string> none;
  for (const KindReference& kind : *kinds_)
    for (const Field& field : kind.fields)
      if (kind.kind == "MeshConfig" && field.effect == Effect::kNone) none.push_back(field.path);
  EXPECT_EQ(none, (std::vector<std::string>{"ingressClass", "ingressService", "ingressControllerMode", "enableTracing",
                                            "defaultConfig.configPath", "defaultConfig.discoveryAddress",
                                            "defaultConfig.holdApplicationUntilProxyStarts", "enablePrometheusMerge"}));
}

TEST_F(ConfigurationReference, SaysWhatTheCodecsDo) {
  EXPECT_EQ(EffectOf("VirtualService", "spec.http[].match[].uri"), Effect::kHonoured);
  EXPECT_EQ(EffectOf("VirtualService", "spec.http[].match[].statPrefix"), Effect::kWarned);
  EXPECT_EQ(EffectOf("AuthorizationPolicy", "spec.provider"), Effect::kRefused);
  EXPECT_EQ(EffectOf("PeerAuthentication", "spec.portLevelMtls.KEY.mode"), Effect::kHonoured);
  EXPECT_EQ(EffectOf("MeshConfig", "outboundTrafficPolicy.mode"), Effect::kHonoured);
  EXPECT_EQ(EffectOf("Pod", "spec.initContainers[]"), Effect::kHonoured);
  const Field* warmup = Find("DestinationRule", "spec.trafficPolicy.loadBalancer.warmup");
  ASSERT_NE(warmup, nullptr) << "one row for all that is in it";
  EXPECT_EQ(warmup->effect, Effect::kNone);
  EXPECT_EQ(warmup->note, "plait-proxy gives a new host its full share at once (an Envoy in its place does not)");
  EXPECT_EQ(Find("Pod", "spec.affinity"), nullptr) << "no business of a mesh";
  ASSERT_NE(Find("AuthorizationPolicy", "spec.action"), nullptr);
  EXPECT_EQ(Find("AuthorizationPolicy", "spec.action")->note, "refused: AUDIT, CUSTOM");
}

TEST_F(ConfigurationReference, HasEveryKindThatIsRead) {
  std::vector<std::string> names;
  for (const KindReference& kind : *kinds_) {
    names.push_back(kind.kind);
    EXPECT_FALSE(kind.versions.empty()) << kind.kind;
  }
  for (const char* kind :
       {"Namespace", "Service", "ServiceAccount", "Pod", "Deployment", "StatefulSet", "Job", "Node", "EndpointSlice",
        "Endpoints", "ConfigMap", "Secret", "VirtualService", "DestinationRule", "Gateway", "ServiceEntry",
        "PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"})
    EXPECT_NE(std::find(names.begin(), names.end(), kind), names.end()) << kind;
}

// Those that the API servers of upstream's CRDs serve (istio.io/api, kubernetes/customresourcedefinitions.gen.yaml).
TEST_F(ConfigurationReference, HasEveryVersionThatIstioServes) {
  using Versions = std::vector<std::string>;
  const auto versions_of = [](std::string_view name) {
    const auto kind = std::find_if(kinds_->begin(), kinds_->end(), [&](const auto& one) { return one.kind == name; });
    Versions out = kind == kinds_->end() ? Versions{} : Versions(kind->versions.begin(), kind->versions.end());
    std::sort(out.begin(), out.end());
    return out;
  };
  for (const char* kind : {"VirtualService", "DestinationRule", "Gateway", "ServiceEntry"}) {
    EXPECT_EQ(versions_of(kind), (Versions{"v1", "v1alpha3", "v1beta1"})) << kind;
  }
  for (const char* kind : {"PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"}) {
    EXPECT_EQ(versions_of(kind), (Versions{"v1", "v1beta1"})) << kind;
  }
}

}  // namespace
}  // namespace plait::control::reference
