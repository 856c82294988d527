#include "control/model/unread_kinds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "control/model/decode.h"
#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

Decoded Read(const std::string& text) { return DecodeText(text, "f.yaml"); }
std::string Said(const Decoded& decoded) { return testing::Said(decoded.findings); }
std::string OfKind(const std::string& version, const std::string& kind) {
  return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: x}\nspec: {}\n";
}

std::string Warned(const std::string& version, const std::string& kind) {
  std::string out = "Warning [IST0133] f.yaml:2:7: kind ";
  return out.append(kind).append(" of ").append(version).append(" is not honoured yet; it is ignored");
}

TEST(UnreadKinds, WarnsOfEveryKindOfIstioThatIsNotHonoured) {
  for (const auto& [version, kind] :
       std::initializer_list<std::array<std::string, 2>>{{"networking.istio.io/v1alpha3", "EnvoyFilter"},
                                                         {"networking.istio.io/v1", "Sidecar"},
                                                         {"telemetry.istio.io/v1", "Telemetry"},
                                                         {"extensions.istio.io/v1alpha1", "WasmPlugin"},
                                                         {"rbac.istio.io/v1alpha1", "ServiceRole"}}) {
    const Decoded decoded = Read(OfKind(version, kind));
    EXPECT_EQ(Said(decoded), Warned(version, kind) + "\n");
    EXPECT_TRUE(decoded.ignored_kinds.empty());
  }
  EXPECT_EQ(Said(Read(OfKind("install.istio.io/v1alpha1", "IstioOperator"))),
            "Warning [IST0133] f.yaml:2:7: kind IstioOperator of install.istio.io/v1alpha1 is not honoured yet; it is "
            "ignored (its meshConfig belongs in the ConfigMap istio of namespace istio-system)\n");
}

TEST(UnreadKinds, KnowsWhichKindsTheGroupsOfIstioHave) {
  EXPECT_EQ(Said(Read(OfKind("telemetry.istio.io/v1", "telemetry"))),
            "Error [IST0106] f.yaml:2:7: unknown kind telemetry (did you mean \"Telemetry\"?)\n");
  EXPECT_EQ(Said(Read(OfKind("networking.istio.io/v1", "WasmPlugin"))),
            "Error [IST0106] f.yaml:2:7: unknown kind WasmPlugin (Istio has no such kind)\n");
  EXPECT_EQ(Said(Read(OfKind("networking.istio.io/v1", "SideCar"))),
            "Error [IST0106] f.yaml:2:7: unknown kind SideCar (did you mean \"Sidecar\"?)\n");
}

// Who has written them believes that they do something.
TEST(UnreadKinds, WarnsOfForeignKindsThatWouldShapeTrafficOrPolicy) {
  const auto hint = [](const std::string& version, const std::string& kind) {
    const Decoded decoded = Read(OfKind(version, kind));
    EXPECT_TRUE(decoded.ignored_kinds.empty()) << kind;
    const std::string said = Said(decoded);
    const std::string expected = Warned(version, kind) + " (";
    EXPECT_TRUE(said.starts_with(expected)) << said;
    return said.substr(std::min(said.size(), expected.size()));
  };
  EXPECT_EQ(hint("networking.k8s.io/v1", "NetworkPolicy"),
            "it denies nothing here: write an AuthorizationPolicy of security.istio.io)\n");
  EXPECT_EQ(hint("cilium.io/v2", "CiliumNetworkPolicy"), hint("networking.k8s.io/v1", "NetworkPolicy"));
  EXPECT_EQ(hint("networking.k8s.io/v1", "Ingress"),
            "it leads nothing here: write a Gateway and a VirtualService of networking.istio.io)\n");
  EXPECT_EQ(hint("extensions/v1beta1", "Ingress"), hint("networking.k8s.io/v1", "Ingress"));
  for (const char* kind : {"Gateway", "HTTPRoute", "GRPCRoute", "ReferenceGrant"}) {
    EXPECT_EQ(hint("gateway.networking.k8s.io/v1", kind),
              "it leads nothing here: write a Gateway and a VirtualService of networking.istio.io)\n");
  }
  for (const auto& [version, kind] : std::initializer_list<std::array<std::string, 2>>{{"apps/v1", "DaemonSet"},
                                                                                       {"apps/v1", "ReplicaSet"},
                                                                                       {"v1", "ReplicationController"},
                                                                                       {"batch/v1", "CronJob"}}) {
    EXPECT_EQ(hint(version, kind), "its pods do not run; those of a Deployment, StatefulSet or Job do)\n");
  }
}

TEST(UnreadKinds, SaysWhatToDoWithChartsAndKustomizations) {
  EXPECT_NE(Said(Read(OfKind("kustomize.config.k8s.io/v1beta1", "Kustomization"))).find("kubectl kustomize FOLDER"),
            std::string::npos);
  const auto said_of = [](const char* file) {
    return testing::Said(DecodeText("resources: [a.yaml]\n", file).findings);
  };
  EXPECT_NE(said_of("a/kustomization.yaml").find("kubectl kustomize FOLDER"), std::string::npos);
  EXPECT_NE(said_of("a/Chart.yaml").find("helm template CHART"), std::string::npos);
  EXPECT_NE(said_of("values-prod.yaml").find("helm template CHART"), std::string::npos);
  EXPECT_EQ(said_of("other.yaml"),
            "Error [IST0106] other.yaml:1:1: \"kind\" is missing (every object begins with apiVersion and kind)\n");
}

TEST(UnreadKinds, PassesOverKindsThatMeanNothingToAMesh) {
  for (const auto& [version, kind] :
       std::initializer_list<std::array<std::string, 2>>{{"v1", "PersistentVolumeClaim"},
                                                         {"v1", "PersistentVolume"},
                                                         {"v1", "LimitRange"},
                                                         {"v1", "ResourceQuota"},
                                                         {"v1", "Event"},
                                                         {"v1", "PodTemplate"},
                                                         {"apps/v1", "ControllerRevision"},
                                                         {"autoscaling/v2", "HorizontalPodAutoscaler"},
                                                         {"policy/v1", "PodDisruptionBudget"},
                                                         {"rbac.authorization.k8s.io/v1", "Role"},
                                                         {"networking.k8s.io/v1", "IngressClass"}}) {
    const Decoded decoded = Read(OfKind(version, kind));
    EXPECT_EQ(Said(decoded), "") << kind;
    EXPECT_EQ(decoded.ignored_kinds, std::vector<std::string>{std::string(version).append(" ").append(kind)});
  }
  EXPECT_EQ(Said(Read(OfKind("v1", "Servise"))),
            "Warning [IST0133] f.yaml:2:7: kind Servise of v1 is not honoured yet; it is ignored (did you mean "
            "\"Service\"?)\n");
}

}  // namespace
}  // namespace plait::control::model
