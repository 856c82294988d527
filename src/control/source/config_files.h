#pragma once
// From scanned files to the objects that are in force: decodes what changed, falls back to the last good version of a
// file that became bad, and finds objects that stand twice: the one that was in force keeps its place, whatever the
// names of the files. No loop, no watch: those are in directory_source.h.
#include <map>
#include <string>
#include <vector>

#include "control/model/decode.h"
#include "control/source/last_good.h"
#include "control/source/local_images.h"
#include "control/source/scan.h"

namespace plait::control::source {

// "<kind> <namespace>/<name>"; what has no namespace, or names none, is told as if in "default".
std::string ObjectName(const model::Meta& meta);

class ConfigFiles {
 public:
  ConfigFiles(std::string last_good_folder, model::DecodeContext context)
      : last_good_(std::move(last_good_folder)), context_(std::move(context)) {}

  // Takes a new state of the files. Returns whether objects, images or findings changed.
  bool Update(const Scan& scan);

  const std::vector<model::ObjectRef>& objects() const noexcept { return objects_; }
  const LocalImages& images() const noexcept { return images_; }
  const model::Findings& findings() const noexcept { return findings_; }
  // Every object of the versions in force as it was written, as JSON, by ObjectName. Reads all texts again: for people.
  std::map<std::string, std::string> Written() const;

 private:
  struct File {
    std::string path;
    std::string real_path;
    std::string text;      // as last seen
    std::string in_force;  // the last good version, where it stands in for `text`
    bool local_images = false;
    std::vector<model::ObjectRef> objects;
    model::Findings findings;
    std::vector<std::string> ignored_kinds;
  };
  void Decode(const ScannedFile& scanned, File& file);
  void KeepLastGood(const ScannedFile& scanned, File& file);
  bool RemoveDeleted(const Scan& scan);
  void Collect(const Scan& scan);
  void CollectObjects(const std::vector<const File*>& in_order, bool complete);
  void KeepOwners(std::map<std::string, std::string> owners, bool complete);

  LastGood last_good_;
  model::DecodeContext context_;
  std::map<std::string, File> files_;          // by real path
  std::map<std::string, std::string> owners_;  // the real path of the file of each object in force, by ObjectName
  bool owners_kept_ = true;
  std::vector<model::ObjectRef> objects_;
  LocalImages images_;
  model::Findings findings_;
  bool first_ = true;
};

}  // namespace plait::control::source
