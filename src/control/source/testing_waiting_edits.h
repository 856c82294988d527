#pragma once
// For tests: files that name each other's objects, and what of them is in force.
#include <filesystem>
#include <string>
#include <vector>

#include "control/source/config_files.h"
#include "control/source/testing_folder.h"

namespace plait::control::source {

inline std::string Istio(const std::string& kind, const std::string& name, const std::string& spec) {
  return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec +
         "\n---\n";
}
inline std::string Service(const std::string& name) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         "}\nspec: {ports: [{name: http, port: 80}]}\n---\n";
}
// A VirtualService `name` for the host `name`.
inline std::string Route(const std::string& name, const std::string& destination) {
  return Istio("VirtualService", name,
               "{hosts: [" + name + "], http: [{route: [{destination: {" + destination + "}}]}]}");
}
// "v1, v2" -> a DestinationRule `name` for the host `name` with these subsets.
inline std::string Subsets(const std::string& name, const std::vector<std::string>& subsets) {
  std::string list;
  for (const std::string& subset : subsets)
    list.append(list.empty() ? "" : ", ").append("{name: " + subset + ", labels: {v: " + subset + "}}");
  return Istio("DestinationRule", name, "{host: " + name + ", subsets: [" + list + "]}");
}

// In "services.yaml" are the Services web and api.
class WaitingEdits : public ConfigFolder {
 protected:
  WaitingEdits() { Write("services.yaml", Service("web") + Service("api")); }

  void Look() { files_.Update(ConfigFolder::Look()); }
  // Reads what lies there; then what is in force as "web->api+v1", "web{v1,v2}" or the name, Services left out. A
  // plaitd that is started now must say the same.
  std::string InForce() {
    Look();
    ConfigFiles restarted(root_ + "/last-good", {});
    restarted.Update(ConfigFolder::Look());
    EXPECT_EQ(Told(restarted), Told(files_)) << "after a restart";
    EXPECT_EQ(ConfigFolder::Said(restarted), Said()) << "after a restart";
    return Told(files_);
  }
  std::string Said() const { return ConfigFolder::Said(files_); }
  // The names of the files of which something is said.
  std::string Blamed() const {
    std::string out;
    for (const auto& finding : files_.findings()) {
      const std::string name = std::filesystem::path(finding.diagnostic.at.file).filename();
      if (!out.ends_with(name + " ")) out += name + " ";
    }
    return out;
  }

  ConfigFiles files_{root_ + "/last-good", {}};

 private:
  static std::string Told(const model::AnyObject& object) {
    const std::string& name = model::MetaOf(object).name();
    if (std::holds_alternative<model::Service>(object)) return "";
    std::string out;
    if (const auto* route = std::get_if<model::VirtualService>(&object))
      for (const auto& rule : route->http)
        for (const auto& [to, weight, headers] : rule.destinations)
          out += (out.empty() ? "->" : "|") + to.host + (to.subset.empty() ? "" : "+" + to.subset);
    if (const auto* rule = std::get_if<model::DestinationRule>(&object)) {
      for (const auto& subset : rule->subsets) out += (out.empty() ? "" : ",") + subset.name;
      out = "{" + out + "}";
    }
    return name + out + " ";
  }
  static std::string Told(const ConfigFiles& files) {
    std::string out;
    for (const auto& object : files.objects()) out += Told(*object);
    return out;
  }
};

}  // namespace plait::control::source
