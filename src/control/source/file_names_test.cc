// Which files of a directory are read: those that kubectl reads; of a name that is nearly one of theirs it is told.
#include <gtest/gtest.h>

#include <filesystem>

#include "control/source/config_files.h"
#include "control/source/testing_folder.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;

constexpr char kDeny[] = R"({
	"apiVersion": "security.istio.io/v1",
	"kind": "AuthorizationPolicy",
	"metadata": {"name": "deny"},
	"spec": {
		"action": "DENY",
		"rules": [{"to": [{"operation": {"paths": ["\/admin"]}}]}]
	}
}
)";

class FileNames : public ConfigFolder {
 protected:
  void Look() { files_.Update(ConfigFolder::Look()); }
  std::string Names() const {
    std::string out;
    for (const auto& object : files_.objects()) out += model::MetaOf(*object).key.ToString() + "; ";
    return out;
  }
  std::string Said() const { return ConfigFolder::Said(files_); }

  ConfigFiles files_{root_ + "/last-good", {}};
};

TEST_F(FileNames, InJsonAreReadAsThoseInYaml) {
  Write("deny.json", kDeny);
  Write("list.json",
        R"({"kind": "List", "apiVersion": "v1", "items": [
             {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}},
             {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "y"}}]})");
  Write("one.yaml", Namespace("one"));
  Look();
  EXPECT_EQ(Names(),
            "AuthorizationPolicy default/deny; ServiceAccount default/x; ServiceAccount default/y; Namespace one; ");
  EXPECT_EQ(Said(), "");
  EXPECT_EQ(files_.Written().at("ServiceAccount default/y"),
            R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"y"}})");
}

TEST_F(FileNames, InJsonKeepTheirLastGoodVersionAndSayWhere) {
  const std::string broken = std::string(kDeny).replace(std::string(kDeny).find("\"DENY\","), 7, "\"DENY\" ");
  Write("deny.json", kDeny);
  Look();
  Write("deny.json", broken);
  Look();
  EXPECT_EQ(Names(), "AuthorizationPolicy default/deny; ");
  EXPECT_NE(Said().find(Path("deny.json") + ":7:3: did not find expected ',' or '}'"), std::string::npos) << Said();
  EXPECT_NE(Said().find("the last good version of this file stays in force"), std::string::npos) << Said();
}

TEST_F(FileNames, InJsonThatCannotBeReadCloseAsThoseInYaml) {
  Write("deny.json", std::string(kDeny).replace(std::string(kDeny).find("\"DENY\","), 7, "\"DENY\" "));
  Look();
  EXPECT_NE(Said().find("deny.json:2:3: what may be a security policy cannot be read, so it denies all requests to "
                        "all workloads in namespace default"),
            std::string::npos)
      << Said();
}

TEST_F(FileNames, ThatAreNearlyReadAreToldOnceWithWhatToDo) {
  for (const char* name : {"a.YAML", "b.Yml", "c.JSON", "d.ymal"}) Write(name, kDeny);
  for (const char* name : {"e.yml.txt", "f.yaml~", "g.yaml.bak", "h.xml", "README", ".i.YAML", "yaml", "j.raml"})
    Write(name, kDeny);
  Look();
  EXPECT_EQ(Names(), "");
  const auto told = [&](const std::string& name, const std::string& end, const std::string& better) {
    return "Warning " + Path(name) + ": the file is not read, since its name ends in " + end +
           " and not in .yaml, .yml or .json (rename it to " + better +
           ", or move it elsewhere if it is not meant to be in force)\n";
  };
  EXPECT_EQ(Said(), told("a.YAML", ".YAML", "a.yaml") + told("b.Yml", ".Yml", "b.yml") +
                        told("c.JSON", ".JSON", "c.json") + told("d.ymal", ".ymal", "d.yaml"));
  for (const char* name : {"b.Yml", "c.JSON", "d.ymal"}) fs::remove(Path(name));
  fs::rename(Path("a.YAML"), Path("a.yaml"));
  Look();
  EXPECT_EQ(Names(), "AuthorizationPolicy default/deny; ");
  EXPECT_EQ(Said(), "");
}

TEST_F(FileNames, ThatAreNearlyReadAreNotToldWhereALinkOfAnotherNameLeadsToTheFile) {
  Write("ONE.YAML", Namespace("one"));
  fs::create_symlink("ONE.YAML", Path("two.yaml"));
  Look();
  EXPECT_EQ(Names(), "Namespace one; ");
  EXPECT_EQ(Said(), "");
}

TEST_F(FileNames, OfLocalImagesThatBecomeTooLargeSayOnlyThatAndWhatTheyHeldStays) {
  Write("local.yaml", "images:\n  good: [program]\n  bad: program\n");
  Look();
  ASSERT_NE(Said().find("the image bad needs a list of words"), std::string::npos) << Said();
  fs::resize_file(Path("local.yaml"), std::uintmax_t{5} << 20);
  Look();
  EXPECT_EQ(Said(), "Error " + Path("local.yaml") +
                        ": the file has 5242880 bytes, more than 4194304 (split it into several files)\n");
  EXPECT_NE(files_.images().Find("good"), nullptr);
  Write("local.yaml", "images:\n  bad: program\n");
  Look();
  EXPECT_NE(Said().find("the image bad needs a list of words"), std::string::npos) << Said();
}

}  // namespace
}  // namespace plait::control::source
