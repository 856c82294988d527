// Edits of files with security policies: these do not wait for what other objects of the file name.
#include "control/source/testing_waiting_edits.h"
#include "control/source/waiting_edits.h"

namespace plait::control::source {
namespace {

std::string Policy(const std::string& kind, const std::string& name, const std::string& spec) {
  return "apiVersion: security.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec +
         "\n---\n";
}
std::string Deny(const std::string& path) {
  return Policy("AuthorizationPolicy", "p", "{action: DENY, rules: [{to: [{operation: {paths: [" + path + "]}}]}]}");
}
std::string Mtls(const std::string& mode) { return Policy("PeerAuthentication", "p", "{mtls: {mode: " + mode + "}}"); }

class WaitingPolicies : public WaitingEdits {
 protected:
  bool Has(const std::string& object, const std::string& text) const {
    const auto written = files_.Written();
    const auto found = written.find(object);
    return found != written.end() && found->second.find(text) != std::string::npos;
  }
};

struct Change {
  const char* what;
  std::string before;
  std::string after;
};
void PrintTo(const Change& one, std::ostream* out) { *out << one.what; }

class WaitingPoliciesOf : public WaitingPolicies, public testing::WithParamInterface<Change> {};

TEST_P(WaitingPoliciesOf, EachChangeIsInForceWithTheEditThatNamesWhatIsNotThere) {
  Write("a.yaml", Route("web", "host: web") + GetParam().before);
  EXPECT_EQ(InForce().substr(0, 9), "web->web ");
  Write("a.yaml", Route("web", "host: wep") + GetParam().after);
  Look();
  EXPECT_TRUE(Has("VirtualService default/web", "wep")) << "the file is in force as it is";
  EXPECT_EQ(files_.Written().size(), 3U + (GetParam().after.empty() ? 0 : 1));
  EXPECT_NE(Said().find("Warning " + Path("a.yaml") +
                        ": this edit is in force although it names what is not there (VirtualService default/web: "
                        "Referenced host not found: \"wep\"): it changes "),
            std::string::npos)
      << Said();
  EXPECT_EQ(Said().find("Error"), std::string::npos) << Said();
  // It is the last good version: a bad edit takes back no policy.
  Write("a.yaml", "broken: [");
  Look();
  EXPECT_TRUE(Has("VirtualService default/web", "wep"));
}

const Change kChanges[] = {
    {"an AuthorizationPolicy is added", "", Deny("/a")},
    {"an AuthorizationPolicy is edited", Deny("/a"), Deny("/b")},
    {"an AuthorizationPolicy is removed", Deny("/a"), ""},
    {"a PeerAuthentication is added", "", Mtls("STRICT")},
    {"a PeerAuthentication is edited", Mtls("PERMISSIVE"), Mtls("STRICT")},
    {"a PeerAuthentication is removed", Mtls("STRICT"), ""},
};
INSTANTIATE_TEST_SUITE_P(Each, WaitingPoliciesOf, testing::ValuesIn(kChanges));

TEST_F(WaitingPolicies, ThatStayAsTheyAreLetTheirFileWait) {
  Write("a.yaml", Route("web", "host: web") + Deny("/a") + Mtls("STRICT"));
  Look();
  Write("a.yaml", "# it has moved\n" + Deny("/a") + Mtls("STRICT") + Route("web", "host: wep"));
  InForce();
  EXPECT_TRUE(Has("VirtualService default/web", "\"web\"}"));
  EXPECT_FALSE(Has("VirtualService default/web", "wep"));
  EXPECT_NE(Said().find("until then the last good version of this file stays in force"), std::string::npos) << Said();
}

TEST_F(WaitingPolicies, HoldNobodyElseInForceAndAreToldUntilTheNameIsThere) {
  Write("a.yaml", Route("web", "host: web") + Subsets("api", {"v1"}));
  Write("b.yaml", Route("api", "host: api"));
  Look();
  Write("a.yaml", Route("web", "host: new") + Deny("/a"));  // the subset v1 of api is gone
  Write("b.yaml", Route("api", "host: api, subset: v1"));
  Look();
  EXPECT_TRUE(Has("AuthorizationPolicy default/p", "/a"));
  EXPECT_FALSE(Has("VirtualService default/api", "subset")) << "what the other edit removed is not there";
  EXPECT_EQ(Blamed(), "a.yaml b.yaml ");
  // Another file's edit changes nothing of that.
  Write("c.yaml", Service("other"));
  Look();
  EXPECT_NE(Said().find("it changes AuthorizationPolicy default/p, and a security policy does not wait"),
            std::string::npos)
      << Said();
  Write("c.yaml", Service("new"));
  Look();
  EXPECT_EQ(Blamed(), "b.yaml ");
  // The next edit of the file is compared with what is in force.
  Write("a.yaml", Route("web", "host: wep") + Deny("/a"));
  EXPECT_EQ(InForce().substr(0, 9), "web->new ");
}

}  // namespace
}  // namespace plait::control::source
