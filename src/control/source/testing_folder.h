#pragma once
// For tests: configuration files in a folder of their own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "control/model/objects.h"
#include "control/source/scan.h"

namespace plait::control::source {

inline std::string Namespace(const std::string& name) {
  return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n";
}

// `root_` is new and goes with the test; the files stand in "conf" below it, and there is room for others beside that.
class ConfigFolder : public testing::Test {
 public:
  ~ConfigFolder() override { std::filesystem::remove_all(root_); }

 protected:
  ConfigFolder() { std::filesystem::create_directory(root_ + "/conf"); }

  std::string Path(const std::string& name) const { return root_ + "/conf/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary | std::ios::trunc) << text;
  }
  Scan Look() const { return ScanFolders({root_ + "/conf"}); }

  // Of ConfigFiles or a DirectorySource: the names of the objects that are in force; what is wrong.
  template <class Source>
  static std::string Names(const Source& source) {
    std::string out;
    for (const auto& object : source.objects()) out += model::MetaOf(*object).name() + " ";
    return out;
  }
  template <class Source>
  static std::string Said(const Source& source) {
    std::string out;
    for (const auto& finding : source.findings()) out += finding.ToString() + "\n";
    return out;
  }

  const std::string root_ = [] {
    char name[] = "/tmp/plait-config-XXXXXX";
    return std::string(::mkdtemp(name));
  }();
};

}  // namespace plait::control::source
