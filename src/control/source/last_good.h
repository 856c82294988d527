#pragma once
// The last good version of each configuration file, in the state directory (semantics.md 5): a file that became bad
// keeps that meaning, also after a restart. Keyed by the file's real path. Beside them, which file each object came
// from: of two files with the same object the one that had it first has it after a restart, too. Blocking file system
// calls; one thread.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace plait::control::source {

class LastGood {
 public:
  // `folder` is made (0700) when the first version is kept; empty: nothing is kept.
  explicit LastGood(std::string folder) : folder_(std::move(folder)) {}

  bool keeps() const noexcept { return !folder_.empty(); }
  Outcome<> Keep(const std::string& real_path, const std::string& text) const;
  std::optional<std::string> Find(const std::string& real_path) const;
  void Forget(const std::string& real_path) const;
  // Of the files below a folder, as it was given: by the path, the real path of those that have a version. Not of files
  // that only a link leads to.
  std::map<std::string, std::string> FindBelow(const std::string& folder) const;
  // Forgets the versions of files that are no more: deleted while nobody watched. Not below `unreadable` folders, which
  // may be away only for now.
  void ForgetDeleted(const std::vector<std::string>& unreadable) const;

  // The real path of the file that each object in force stands in, by the object's name.
  Outcome<> KeepOwners(const std::map<std::string, std::string>& owners) const;
  std::map<std::string, std::string> FindOwners() const;  // empty when none were kept

 private:
  std::map<std::string, std::string> Kept() const;  // the real path of each version, by the file that it is kept in
  std::string FileOf(const std::string& real_path) const;
  std::string OwnersFile() const { return folder_ + "/owners"; }
  Outcome<> Write(const std::string& target, const std::string& content, const char* what, const char* hint) const;
  std::string folder_;
};

}  // namespace plait::control::source
