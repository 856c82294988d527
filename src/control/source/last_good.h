#pragma once
// The last good version of each configuration file, in the state directory (semantics.md 5): a file that became bad
// keeps that meaning, also after a restart. Keyed by the file's real path. Blocking file system calls; one thread.
#include <optional>
#include <string>

#include "core/base/result.h"

namespace plait::control::source {

class LastGood {
 public:
  // `folder` is made (0700) when the first version is kept; empty: nothing is kept.
  explicit LastGood(std::string folder) : folder_(std::move(folder)) {}

  Outcome<> Keep(const std::string& real_path, const std::string& text);
  std::optional<std::string> Find(const std::string& real_path) const;
  void Forget(const std::string& real_path);
  // Forgets the versions of files that are no more: deleted while nobody watched.
  void ForgetDeleted();

 private:
  std::string FileOf(const std::string& real_path) const;
  std::string folder_;
};

}  // namespace plait::control::source
