// Security policies of files without a last good version that cannot be told: they fail closed (semantics.md 5).
#include <gtest/gtest.h>

#include <filesystem>

#include "control/source/config_files.h"
#include "control/source/testing_folder.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;

class ClosedPolicies : public ConfigFolder {
 protected:
  ConfigFiles Store() const { return ConfigFiles(root_ + "/last-good", {}); }
  ConfigFiles Started() const {
    ConfigFiles files = Store();
    files.Update(Look());
    return files;
  }

  // "name@file:line" of each object; an invalid one is in "!".
  static std::string InForce(const ConfigFiles& files) {
    std::string out;
    for (const auto& object : files.objects()) {
      const model::Meta& meta = model::MetaOf(*object);
      const auto* rules = std::get_if<model::AuthorizationPolicy>(object.get());
      const auto* peers = std::get_if<model::PeerAuthentication>(object.get());
      const bool invalid = (rules && rules->invalid) || (peers && peers->invalid);
      out += (invalid ? "!" : "") + meta.name() + "@" + fs::path(meta.at.file).filename().string() + ":" +
             std::to_string(meta.at.line) + " ";
    }
    return out;
  }
  static std::string Policy(const std::string& kind, const std::string& spec) {
    return "apiVersion: security.istio.io/v1\nkind: " + kind + "\nmetadata: {name: p}\nspec: " + spec + "\n";
  }

  const std::string allow_ = Policy("AuthorizationPolicy", "{selector: {matchLabels: {app: a}}, rules: [{}]}");
  const std::string deny_ = Policy("AuthorizationPolicy", "{action: DENY, rules: [{}]}");
};

TEST_F(ClosedPolicies, FindNothingToFallBackOnInAVersionThatSaidNothing) {
  const std::string bad = Policy("AuthorizationPolicy", "{rulez: []}");
  for (const std::string& before : {std::string(), std::string("# only a comment\n---\n"), allow_}) {
    fs::remove_all(root_ + "/last-good");
    Write("a.yaml", before);
    ConfigFiles files = Started();
    if (before == allow_) {  // somebody takes the policy away
      Write("a.yaml", "");
      files.Update(Look());
    }
    EXPECT_EQ(InForce(files), "");
    Write("a.yaml", bad);
    files.Update(Look());
    EXPECT_EQ(InForce(files), "!p@a.yaml:3 ") << before;
    EXPECT_NE(Said(files).find("the file has no last good version"), std::string::npos) << Said(files);
    EXPECT_EQ(InForce(Started()), "!p@a.yaml:3 ") << "after a restart: " << before;
    Write("a.yaml", allow_);
    files.Update(Look());
    Write("a.yaml", bad);
    files.Update(Look());
    EXPECT_EQ(InForce(files), "p@a.yaml:3 ") << "now there is one";
  }
}

TEST_F(ClosedPolicies, AreToldWithWhatTheyClose) {
  Write("a.yaml", Policy("AuthorizationPolicy", "{selector: {matchLabels: {app: a, v: b}}, rulez: []}"));
  Write("b.yaml", Policy("PeerAuthentication", "{mtls: {mode: OPEN}}"));
  Write("c.yaml",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: [\n");
  Write(
      "d.yaml",
      "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: t, namespace: istio-system}\n");
  const std::string said = Said(Started());
  for (const std::string& line :
       {"Warning " + Path("a.yaml") +
            ":3:18: AuthorizationPolicy default/p: it is invalid, so it denies all requests to the workloads with the "
            "labels app=a,v=b in namespace default (correct the errors of this file, or remove the policy from it)\n",
        "Warning " + Path("b.yaml") +
            ":3:18: PeerAuthentication default/p: it is invalid, so it lets nothing but mutual TLS through to all "
            "workloads in namespace default (correct",
        "Warning " + Path("c.yaml") +
            ":1:1: what may be a security policy cannot be read, so it denies all requests to all workloads in "
            "namespace shop (correct the errors of this file, or remove the policy from it)\n",
        "Warning " + Path("d.yaml") +
            ":3:18: RequestAuthentication istio-system/t: it is invalid, so it denies all requests to all workloads "
            "of the mesh (correct"})
    EXPECT_NE(said.find(line), std::string::npos) << line << "\nis not in\n" << said;
}

TEST_F(ClosedPolicies, AreNotToldOfAFileWhoseLastGoodVersionIsInForce) {
  Write("a.yaml", allow_);
  ConfigFiles files = Started();
  Write("a.yaml", allow_ + "x: [\n");
  files.Update(Look());
  EXPECT_EQ(InForce(files), "p@a.yaml:3 ");
  EXPECT_EQ(Said(files).find("denies"), std::string::npos) << Said(files);
}

TEST_F(ClosedPolicies, OfOneNameInOneFileCannotBothBeMeant) {
  for (const std::string& text : {allow_ + "---\n" + deny_, deny_ + "---\n" + allow_}) {
    Write("a.yaml", text);
    ConfigFiles files = Started();
    EXPECT_EQ(InForce(files), "!p@a.yaml:3 !p@a.yaml:8 ");
    EXPECT_NE(Said(files).find("a.yaml:8:18: AuthorizationPolicy default/p: the object stands twice in this file; "
                               "first at " +
                               Path("a.yaml") + ":3:18 (remove or rename one of them)"),
              std::string::npos)
        << Said(files);
    EXPECT_EQ(InForce(Started()), InForce(files)) << "also after a restart";
  }
  Write("a.yaml", Policy("PeerAuthentication", "{mtls: {mode: STRICT}}") + "---\n" +
                      Policy("PeerAuthentication", "{mtls: {mode: DISABLE}}"));
  EXPECT_EQ(InForce(Started()), "!p@a.yaml:3 !p@a.yaml:8 ");
}

TEST_F(ClosedPolicies, ThatSayTheSameTwiceAreNotInvalid) {
  Write("a.yaml", allow_ + "---\n" + allow_);
  EXPECT_EQ(InForce(Started()), "p@a.yaml:3 ");
  Write("a.yaml", allow_);
  Write("b.yaml", allow_);
  EXPECT_EQ(InForce(Started()), "p@a.yaml:3 ");
  const auto with = [&](const std::string& metadata) {
    std::string out = allow_;
    return out.replace(out.find("{name: p}"), 9, "{name: p, " + metadata + "}");
  };
  for (const char* no_meaning : {"annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}",
                                 "labels: {team: a}", "creationTimestamp: 2026-01-02T03:04:05Z"}) {
    fs::remove_all(root_ + "/last-good");
    Write("b.yaml", with(no_meaning));
    EXPECT_EQ(InForce(Started()), "p@a.yaml:3 ") << no_meaning;
  }
  fs::remove_all(root_ + "/last-good");
  Write("b.yaml", with("annotations: {istio.io/dry-run: 'true'}"));
  EXPECT_EQ(InForce(Started()), "!p@a.yaml:3 !p@b.yaml:3 ") << "this one only counts what it would do";
}

TEST_F(ClosedPolicies, OfOneNameInTwoFilesCannotBothBeMeantWhenNeitherWasInForce) {
  Write("a.yaml", allow_);
  Write("b.yaml", deny_);
  ConfigFiles files = Started();
  EXPECT_EQ(InForce(files), "!p@a.yaml:3 !p@b.yaml:3 ");
  EXPECT_NE(
      Said(files).find("Error [IST0106] " + Path("b.yaml") +
                       ":3:18: AuthorizationPolicy default/p: the policy stands twice, also at " + Path("a.yaml") +
                       ":3:18, and neither was in force before, so it denies all requests to all workloads in "
                       "namespace default (remove or rename one of them)"),
      std::string::npos)
      << Said(files);
  EXPECT_NE(
      Said(files).find(Path("a.yaml") + ":3:18: AuthorizationPolicy default/p: the policy stands twice, also at " +
                       Path("b.yaml") + ":3:18"),
      std::string::npos)
      << Said(files);
  EXPECT_FALSE(files.Update(Look()));

  ConfigFiles restarted = Started();
  EXPECT_EQ(InForce(restarted), InForce(files));
  EXPECT_EQ(Said(restarted), Said(files));
  fs::remove(Path("a.yaml"));
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "p@b.yaml:3 ");
  EXPECT_EQ(Said(restarted), "");
  // From now on it is the one that was in force.
  Write("a.yaml", allow_);
  restarted.Update(Look());
  EXPECT_EQ(InForce(restarted), "p@b.yaml:3 ");
}

TEST_F(ClosedPolicies, WithoutANameDoNotTakeEachOthersPlace) {
  const std::string unnamed = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {}\n";
  fs::create_directory(Path("sub"));
  Write("a.yaml", unnamed + "spec: {selector: {matchLabels: {app: a}}}\n");
  ConfigFiles files = Started();
  Write("sub/a.yaml", unnamed + "spec: {selector: {matchLabels: {app: b}}}\n");
  files.Update(Look());
  EXPECT_EQ(files.objects().size(), 2U) << Said(files);
  EXPECT_EQ(Said(files).find("twice"), std::string::npos) << Said(files);
}

TEST_F(ClosedPolicies, OfAFileThatIsTooLargeCloseAsThoseOfABrokenOne) {
  const std::string large = "# " + std::string(std::size_t{5} << 20, 'x') + "\n";
  const std::string closed = "!" + Path("a.yaml") + ":1:1@a.yaml:1 ";
  for (const bool empty_before : {false, true}) {
    fs::remove_all(root_ + "/last-good");
    Write("a.yaml", empty_before ? "# later\n" : deny_ + large);
    ConfigFiles files = Started();
    if (empty_before) {
      Write("a.yaml", deny_ + large);
      files.Update(Look());
    }
    EXPECT_EQ(InForce(files), closed) << empty_before;
    for (const std::string& line :
         {"a.yaml: the file has " + std::to_string(deny_.size() + large.size()) +
              " bytes, more than 4194304 (split it into several files)\n",
          std::string("a.yaml: the file has no last good version: of what could be read of it, what is valid is in "
                      "force, and policies that are invalid or may be cut off deny; what follows, a policy too, is not "
                      "in force\n"),
          std::string("a.yaml:1:1: what may be a security policy cannot be read, so it denies all requests to all "
                      "workloads in namespace default (")})
      EXPECT_NE(Said(files).find(line), std::string::npos) << line << "\nis not in\n" << Said(files);
    EXPECT_FALSE(files.Update(Look())) << "nothing changed";
    ConfigFiles restarted = Started();
    EXPECT_EQ(InForce(restarted), closed);
    Write("a.yaml", deny_);
    restarted.Update(Look());
    EXPECT_EQ(InForce(restarted), "p@a.yaml:3 ");
    EXPECT_EQ(Said(restarted), "");
    Write("a.yaml", allow_ + large);
    restarted.Update(Look());
    EXPECT_EQ(InForce(restarted), "p@a.yaml:3 ") << "now there is one";
  }
}

TEST_F(ClosedPolicies, OfAFileThatIsTooLargeAreThoseThatMayBeCutOff) {
  const std::string large = "# " + std::string(std::size_t{5} << 20, 'x') + "\n";
  const std::string peers = Policy("PeerAuthentication", "{mtls: {mode: DISABLE}}");
  const std::string service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n";
  const std::pair<std::string, std::string> cases[] = {
      {allow_ + "---\n" + peers + large, "p@a.yaml:3 !" + Path("a.yaml") + ":6:1@a.yaml:6 "},
      {service + "---\n" + allow_ + "--- # last\n" + service + large, "s@a.yaml:3 p@a.yaml:8 "},
      {service + large, ""},
      {large + deny_, ""},  // nobody looks so far
  };
  for (const auto& [text, in_force] : cases) {
    Write("a.yaml", text);
    EXPECT_EQ(InForce(Started()), in_force) << text.substr(0, 400);
  }
}

TEST_F(ClosedPolicies, OpenWhenTheFileIsAByteSmallerAndMayBeRead) {
  const std::string limit = deny_ + std::string((std::size_t{4} << 20) - deny_.size(), '#');
  Write("a.yaml", limit + "#");
  ConfigFiles files = Started();
  EXPECT_EQ(InForce(files), "!" + Path("a.yaml") + ":1:1@a.yaml:1 ");
  Write("a.yaml", limit);
  files.Update(Look());
  EXPECT_EQ(InForce(files), "p@a.yaml:3 ");
  EXPECT_EQ(Said(files), "");
}

TEST_F(ClosedPolicies, OfABrokenFileOpenWhenItIsMended) {
  Write("a.yaml", allow_ + "x: [\n");
  ConfigFiles files = Started();
  EXPECT_EQ(InForce(files), "!" + Path("a.yaml") + ":1:1@a.yaml:1 ");
  Write("a.yaml", allow_);
  files.Update(Look());
  EXPECT_EQ(InForce(files), "p@a.yaml:3 ");
  EXPECT_EQ(Said(files), "");
}

}  // namespace
}  // namespace plait::control::source
