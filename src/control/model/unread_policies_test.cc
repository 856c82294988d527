// A security policy that cannot be read as one does not vanish: it fails closed in what can be read of its scope.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

struct Case {
  const char* what;
  std::string text;
  std::string closed;  // "Kind namespace/name label=value ..." of each invalid object
  std::string said;    // in a finding
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.what; }

template <class Policy>
std::string Describe(const Policy& policy) {
  std::string out = policy.meta.key.ToString();
  for (const auto& [label, value] : policy.scope.selector) out.append(" ").append(label).append("=").append(value);
  return out + "\n";
}

std::string Closed(const Decoded& decoded) {
  std::string out;
  for (const ObjectRef& object : decoded.objects) {
    if (const auto* rules = std::get_if<AuthorizationPolicy>(object.get()); rules && rules->invalid)
      out += Describe(*rules);
    if (const auto* peers = std::get_if<PeerAuthentication>(object.get()); peers && peers->invalid)
      out += Describe(*peers);
    if (const auto* tokens = std::get_if<RequestAuthentication>(object.get())) out += Describe(*tokens);
  }
  return out;
}

class UnreadPolicies : public ::testing::TestWithParam<Case> {};

TEST_P(UnreadPolicies, FailClosedInTheirScopeAndOthersStay) {
  const std::string service =
      "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\n";
  for (const bool beside : {false, true}) {
    const Decoded decoded = DecodeText(beside ? GetParam().text + "---\n" + service : GetParam().text, "f.yaml");
    EXPECT_EQ(Closed(decoded), GetParam().closed);
    const std::string said = testing::Said(decoded.findings);
    EXPECT_NE(said.find("f.yaml:" + GetParam().said), std::string::npos) << said;
    EXPECT_TRUE(HasErrors(decoded.findings)) << said;
    EXPECT_EQ(std::any_of(decoded.objects.begin(), decoded.objects.end(),
                          [](const ObjectRef& object) { return std::holds_alternative<Service>(*object); }),
              beside)
        << "what is valid in the file";
  }
}

std::string Policy(const std::string& version, const std::string& kind, const std::string& metadata,
                   const std::string& spec = "spec: {selector: {matchLabels: {app: a}}}\n") {
  return "apiVersion: " + version + "\nkind: " + kind + "\n" + metadata + "\n" + spec;
}
constexpr const char* kGroup = "security.istio.io/v1";
constexpr const char* kNamed = "metadata: {name: p, namespace: shop}";
constexpr const char* kRules = "AuthorizationPolicy";

const Case kHeads[] = {
    {"version", Policy("security.istio.io/v1alpha1", kRules, kNamed), "AuthorizationPolicy shop/p app=a\n",
     "1:13: AuthorizationPolicy has no version \"v1alpha1\" (use security.istio.io/v1)"},
    {"version of peers", Policy("security.istio.io/v2", "PeerAuthentication", kNamed),
     "PeerAuthentication shop/p app=a\n", "1:13: PeerAuthentication has no version"},
    {"version of tokens", Policy("security.istio.io/v2", "RequestAuthentication", kNamed),
     "RequestAuthentication shop/p app=a\n", "1:13: RequestAuthentication has no version"},
    {"kind", Policy(kGroup, "AuthorizationPolcy", kNamed), "AuthorizationPolicy shop/p app=a\n",
     "2:7: unknown kind AuthorizationPolcy (did you mean \"AuthorizationPolicy\"?)"},
    {"kind of peers", Policy(kGroup, "PeerAuthentcation", kNamed), "AuthorizationPolicy shop/p app=a\n",
     "2:7: unknown kind PeerAuthentcation (did you mean \"PeerAuthentication\"?)"},
    {"kind like no other", Policy(kGroup, "Rule", kNamed), "AuthorizationPolicy shop/p app=a\n",
     "2:7: unknown kind Rule"},
    {"kind that is a list", Policy(kGroup, "[AuthorizationPolicy]", kNamed), "AuthorizationPolicy shop/p app=a\n",
     "2:7: \"kind\" must be text, not a list"},
    {"no kind", "apiVersion: security.istio.io/v1\nmetadata: {name: p}\n", "AuthorizationPolicy default/p\n",
     "1:1: \"kind\" is missing"},
    {"no version", "kind: PeerAuthentication\nmetadata: {name: p}\n", "PeerAuthentication default/p\n",
     "1:1: \"apiVersion\" is missing"},
    {"misspelt keys", "apiVersoin: security.istio.io/v1\nknd: AuthorizationPolicy\nmetadata: {name: p}\n",
     "AuthorizationPolicy default/p\n", "1:1: \"kind\" is missing"},
    {"another of Istio's groups", Policy("networking.istio.io/v1", kRules, kNamed),
     "AuthorizationPolicy shop/p app=a\n",
     "1:13: AuthorizationPolicy is no kind of networking.istio.io (use security.istio.io/v1)"},
    {"no group", Policy("v1", "PeerAuthentication", kNamed), "PeerAuthentication shop/p app=a\n",
     "1:13: PeerAuthentication is no kind of v1 (use security.istio.io/v1)"},
    {"misspelt group", Policy("security.istio.oi/v1", kRules, kNamed), "AuthorizationPolicy shop/p app=a\n",
     "1:13: AuthorizationPolicy is no kind of security.istio.oi (use security.istio.io/v1)"},
    {"field beside spec", Policy(kGroup, "PeerAuthentication", kNamed, "sepc: {mtls: {mode: STRICT}}\n"),
     "PeerAuthentication shop/p\n", "4:1: PeerAuthentication shop/p: unknown field \"sepc\" (did you mean \"spec\"?)"},
};
const Case kMetadata[] = {
    {"unknown field", Policy(kGroup, kRules, "metadata: {name: p, namespace: shop, lables: {}}"),
     "AuthorizationPolicy shop/p app=a\n", "3:38: AuthorizationPolicy"},
    {"unknown field of peers", Policy(kGroup, "PeerAuthentication", "metadata: {name: p, lables: {}}"),
     "PeerAuthentication default/p app=a\n", "3:21: PeerAuthentication"},
    {"unknown field of tokens", Policy(kGroup, "RequestAuthentication", "metadata: {name: p, lables: {}}"),
     "RequestAuthentication default/p app=a\n", "3:21: RequestAuthentication"},
    {"misspelt namespace", Policy(kGroup, kRules, "metadata: {name: p, namespce: shop}"),
     "AuthorizationPolicy shop/p app=a\n", "3:21: AuthorizationPolicy"},
    {"misspelt metadata", Policy(kGroup, kRules, "metdata: {name: p, namespace: shop}"),
     "AuthorizationPolicy shop/p app=a\n", "1:1: AuthorizationPolicy: metadata is missing"},
    {"impossible name", Policy(kGroup, kRules, "metadata: {name: P_x, namespace: shop}"),
     "AuthorizationPolicy shop/f.yaml:3:18 app=a\n", "3:18: AuthorizationPolicy: the name \"P_x\" is not allowed"},
    {"no name", Policy(kGroup, kRules, "metadata: {namespace: shop}"), "AuthorizationPolicy shop/f.yaml:3:11 app=a\n",
     "3:11: AuthorizationPolicy: metadata.name is missing"},
    {"no metadata", Policy(kGroup, kRules, "# nothing"), "AuthorizationPolicy default/f.yaml:1:1 app=a\n",
     "1:1: AuthorizationPolicy: metadata is missing"},
    {"text for metadata", Policy(kGroup, kRules, "metadata: p"), "AuthorizationPolicy default/f.yaml:3:11 app=a\n",
     "3:11: AuthorizationPolicy"},
    {"namespace in capitals", Policy(kGroup, kRules, "metadata: {name: p, namespace: Shop}"),
     "AuthorizationPolicy shop/p app=a\n", "3:32: AuthorizationPolicy: the namespace \"Shop\" is not allowed"},
    {"impossible namespace", Policy(kGroup, kRules, "metadata: {name: p, namespace: [shop]}"),
     "AuthorizationPolicy default/p app=a\n", "3:32: AuthorizationPolicy"},
};
const Case kLists[] = {
    {"list of policies",
     "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicyList\nitems:\n- metadata: {name: p, namespace: shop}\n"
     "- {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: q}}\n",
     "AuthorizationPolicy shop/p\nPeerAuthentication default/q\n", "2:7: unknown kind AuthorizationPolicyList"},
    {"list of a wrong version",
     "apiVersion: v2\nkind: List\nitems:\n- {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: "
     "{name: q}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n",
     "PeerAuthentication default/q\n", "1:13: \"List\" is of version v1"},
    {"list with misspelt items",
     "apiVersion: v1\nkind: List\nitmes: [{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: "
     "{name: "
     "q}}]\n",
     "PeerAuthentication default/q\n", "1:1: \"items\" is missing"},
    {"list of one that is none",
     "apiVersion: v1\nkind: List\nitems: {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: "
     "q}}\n",
     "PeerAuthentication default/q\n", "3:8: \"items\" must be a list, not a mapping"},
    {"sequence", "- {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p}}\n",
     "AuthorizationPolicy default/p\n", "1:1: a Kubernetes object is expected, not a list"},
    {"text without colons", "apiVersion security.istio.io/v1\nkind AuthorizationPolicy\n  namespace shop\n",
     "AuthorizationPolicy default/f.yaml:1:1\nAuthorizationPolicy shop/f.yaml:1:1\n",
     "1:1: a Kubernetes object is expected"},
};
const std::string kBrokenRules = "  rules: [{to: [{operation: {methods: [GET}}]}]\n";
const std::string kUtf16 = [] {
  std::string out = "\xff\xfe";
  for (const char c : Policy(kGroup, kRules, kNamed)) out.append(1, c).append(1, '\0');
  return out + "\n";
}();
const Case kBroken[] = {
    {"rules", Policy(kGroup, kRules, kNamed, "spec:\n" + kBrokenRules), "AuthorizationPolicy shop/f.yaml:1:1\n", "5:"},
    {"no namespace", "# kind: Service\n" + Policy(kGroup, kRules, "metadata: {name: p}", "spec:\n" + kBrokenRules),
     "AuthorizationPolicy default/f.yaml:2:1\n", "6:"},
    {"peers", Policy(kGroup, "PeerAuthentication", kNamed, "spec: {mtls: {mode: STRICT}\n"),
     "PeerAuthentication shop/f.yaml:1:1\n", "5:1:"},
    {"tokens", Policy(kGroup, "RequestAuthentication", kNamed, "spec: {jwtRules: [}\n"),
     "RequestAuthentication shop/f.yaml:1:1\n", "4:"},
    {"namespace without its colon", Policy(kGroup, kRules, "metadata:\n  name: p\n  namespace shop"),
     "AuthorizationPolicy default/f.yaml:1:1\nAuthorizationPolicy shop/f.yaml:1:1\n", "6:"},
    {"no namespace but in words",
     Policy(kGroup, kRules, "metadata: {name: p, annotations: {description: for namespace other}}", "spec: [\n"),
     "AuthorizationPolicy default/f.yaml:1:1\nAuthorizationPolicy other/f.yaml:1:1\n", "5:1:"},
    {"namespace behind what is no comment",
     Policy(kGroup, kRules, "metadata: {name: p, annotations: {a: \"see \\\" #1\"}, namespace: shop}", "spec: [\n"),
     "AuthorizationPolicy shop/f.yaml:1:1\n", "5:1:"},
    {"version without its colon", "apiVersion security.istio.io/v1\nkind: AuthorizationPolicy\n",
     "AuthorizationPolicy default/f.yaml:1:1\n", "2:"},
    {"version in open quotes", "apiVersion: \"security.istio.io/v1\nkind: AuthorizationPolicy\n",
     "AuthorizationPolicy default/f.yaml:1:1\n", "3:1:"},
    {"kind and version misspelt", "apiVersion: security.istio.oi/v1\nkind: AuthorizationPolcy\nspec: [\n",
     "AuthorizationPolicy default/f.yaml:2:1\n", "4:1:"},
    {"kind in small letters and version misspelt",
     "apiVersion: security.istio.oi/v1\nkind: authorizationPolicy\nspec: [\n",
     "AuthorizationPolicy default/f.yaml:2:1\n", "4:1:"},
    {"version behind a misspelt key", "apiVersoin: security.istio.io/v1\nknd: x\nspec: [\n",
     "AuthorizationPolicy default/f.yaml:1:13\n", "4:1:"},
    {"lines that end as once on a Mac", "# comment\rapiVersion: security.istio.io/v1\rspec: [\r\n",
     "AuthorizationPolicy default/f.yaml:2:1\n", "4:1:"},
    {"kind that is not there yet", "kind: [\n", "AuthorizationPolicy default/f.yaml:1:1\n", "2:1:"},
    {"no line between two objects",
     "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a}\n" + Policy(kGroup, kRules, kNamed),
     "AuthorizationPolicy a/f.yaml:4:1\nAuthorizationPolicy shop/f.yaml:4:1\n", "4:1: the key \"apiVersion\" stands"},
    {"no line between two objects, one without a namespace",
     "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a}\n" +
         Policy(kGroup, "PeerAuthentication", "metadata: {name: p}"),
     "PeerAuthentication a/f.yaml:4:1\nPeerAuthentication default/f.yaml:4:1\n", "4:1: the key"},
    {"no line between two objects, one with two namespaces and one without any",
     "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r, namespace: a}\n"
     "subjects: [{kind: ServiceAccount, name: s, namespace: b}]\n" +
         Policy(kGroup, kRules, "metadata: {name: p}"),
     "AuthorizationPolicy a/f.yaml:5:1\nAuthorizationPolicy b/f.yaml:5:1\nAuthorizationPolicy default/f.yaml:5:1\n",
     "5:1: the key"},
    {"second of two documents",
     "# comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n--- # second\n" +
         Policy(kGroup, kRules, kNamed, "\tspec: {}\n"),
     "AuthorizationPolicy shop/f.yaml:7:1\n", "10:1: a tab in the indentation"},
    {"two of three documents",
     "a: *b\n---\n" + Policy(kGroup, kRules, kNamed, "spec: {a: }}\n") + "---\n" +
         Policy(kGroup, "PeerAuthentication", kNamed, "spec: *none\n"),
     "AuthorizationPolicy shop/f.yaml:3:1\nPeerAuthentication shop/f.yaml:8:1\n", "11:7: the alias *none"},
    {"item of a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: security.istio.io/v1, kind: Author, x: [}\n",
     "AuthorizationPolicy default/f.yaml:4:4\n", "4:"},
    {"UTF-16", kUtf16, "AuthorizationPolicy shop/f.yaml:1:3\n", "1:1: the text is UTF-16"},
};
// Of each a mistake is told; nothing is closed.
const Case kOthers[] = {
    {"broken Service", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: [\n", "", "5:1:"},
    {"broken Deployment with Istio's label",
     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {labels: {security.istio.io/tlsMode: istio}\n", "", "4:1:"},
    {"policy in a comment",
     "# apiVersion: security.istio.io/v1\napiVersion: v1\nkind: Pod # security.istio.io/v1\na: [\n", "", "5:1:"},
    {"broken routing", "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: [\n", "", "4:1:"},
    {"unknown routing", "apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: {name: v}\n", "", "2:7:"},
    {"kind that cannot be read of a version that can", "apiVersion: apps/v1\nkind: [\n", "", "3:1:"},
    {"another mesh's policy", "apiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nspec: [\n", "",
     "4:1:"},
    {"nothing of Kubernetes", "services:\n\tweb: {image: x}\n", "", "2:1:"},
    {"schema with a kind", "components:\n  kind:\n\ttype: string\n", "", "3:1:"},
    {"schema with a version", "components:\n  apiVersion:\n\ttype: string\n", "", "3:1:"},
    {"values with a kind", "service:\n  kind: internal\n  ports: [\n", "", "4:1:"},
    {"no object", "services: {web: {image: x}}\n", "", "1:1: \"kind\" is missing"},
};

INSTANTIATE_TEST_SUITE_P(Heads, UnreadPolicies, ::testing::ValuesIn(kHeads));
INSTANTIATE_TEST_SUITE_P(Metadata, UnreadPolicies, ::testing::ValuesIn(kMetadata));
INSTANTIATE_TEST_SUITE_P(Lists, UnreadPolicies, ::testing::ValuesIn(kLists));
INSTANTIATE_TEST_SUITE_P(Broken, UnreadPolicies, ::testing::ValuesIn(kBroken));
INSTANTIATE_TEST_SUITE_P(Others, UnreadPolicies, ::testing::ValuesIn(kOthers));

TEST(UnreadPolicies, AreCalledByTheirPlaceInLettersThatEveryMessageCanHold) {
  const Decoded decoded =
      DecodeText("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n", "a b/\xc3\xa9\xff\x7f[1].yaml");
  EXPECT_EQ(Closed(decoded), "AuthorizationPolicy default/a_b/_____1_.yaml:1:1\n");
}

TEST(UnreadPolicies, AtTheEndOfATextThatGoesOnFailClosedAndThoseBeforeThemAreRead) {
  const std::string whole = Policy(kGroup, kRules, kNamed);
  const auto closed = [](const std::string& text) { return Closed(DecodeBeginning(text, "f.yaml")); };
  EXPECT_EQ(closed(whole), "AuthorizationPolicy shop/f.yaml:1:1\n") << "there may be more of it";
  EXPECT_EQ(closed(whole + "---\n"), "");
  EXPECT_EQ(closed(whole + "---"), "AuthorizationPolicy shop/f.yaml:1:1\n") << "this may be \"----\"";
  EXPECT_EQ(closed("# one\n" + whole + "---\n" + Policy(kGroup, "PeerAuthentication", kNamed, "---x\n")),
            "PeerAuthentication shop/f.yaml:7:1\n");
  EXPECT_EQ(closed(whole + "---\r\napiVersion: security.istio.io/v1\r\nkind: PeerAuthentication\r\nmetadata:\r\n"
                           "  namespace: shop\r\n  labels: {a"),
            "PeerAuthentication shop/f.yaml:6:1\n");
  EXPECT_EQ(closed(whole + "---\n" + Policy("v1", "Secret", kNamed, "a: [")), "");
  EXPECT_EQ(closed(""), "");
  const Decoded decoded = DecodeBeginning(whole + "---\nkind: [\n", "f.yaml");
  EXPECT_TRUE(decoded.findings.empty()) << "who knows how it goes on?";
  EXPECT_EQ(decoded.objects.size(), 2U);
}

TEST(UnreadPolicies, OfAnotherMeshAreIgnored) {
  const Decoded decoded =
      DecodeText("apiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n", "f.yaml");
  EXPECT_TRUE(decoded.objects.empty());
  EXPECT_TRUE(decoded.findings.empty());
  EXPECT_EQ(decoded.ignored_kinds, std::vector<std::string>{"policy.linkerd.io/v1alpha1 AuthorizationPolicy"});
}

}  // namespace
}  // namespace plait::control::model
