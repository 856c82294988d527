#pragma once
// The configuration of a mesh from directories of YAML files, followed live. An edit is in force some 20 ms after it
// was written, of a file whose writers cannot be asked for (another user's) some 50 ms; a file that became bad keeps
// its last good meaning, and one that somebody is writing that of before. Owned by plaitd; lives on one loop.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/source/config_files.h"
#include "control/source/folder_watch.h"

namespace plait::control::source {

struct DirectoryOptions {
  std::vector<std::string> directories;
  std::string state_dir = {};  // holds `last-good/`; empty: nothing is kept
  std::string default_namespace = "default";
  std::string root_namespace = model::MeshConfig{}.root_namespace;
  WatchTiming timing = {.all_closed = false};  // it asks of each file
  // How long what stands in a file that is open for writing waits to be in force.
  Duration unfinished = std::chrono::seconds(30);
};

class DirectorySource {
 public:
  // Reads everything once (blocking); `on_change` is called later, whenever objects, images or findings changed.
  DirectorySource(io::Loop& loop, DirectoryOptions options, std::function<void()> on_change);

  const std::vector<model::ObjectRef>& objects() const noexcept { return files_.objects(); }
  const LocalImages& images() const noexcept { return files_.images(); }
  std::map<std::string, std::string> Written() const { return files_.Written(); }  // ConfigFiles::Written
  Contents contents() const { return files_.contents(); }
  // What is wrong with the files now; the whole list, sorted by file.
  const model::Findings& findings() const noexcept { return files_.findings(); }
  model::Findings OfVersionsInForce(model::Findings findings) const {  // as in ConfigFiles
    return files_.OfVersionsInForce(std::move(findings));
  }

 private:
  struct Unfinished {
    std::optional<MonotonicTime> since;  // what stands in it is not in force
    bool overdue = false;                // some of what stood in it is in force
  };
  // What a file says newly whose writers nobody can be asked for.
  struct Seen {
    std::string text;
    std::int64_t changed_ns;
    MonotonicTime since;
  };

  bool Rescan();
  void HoldUnfinished(Scan& scan);
  bool IsUnfinished(const ScannedFile& file) const;
  void NoteSeen(const Scan& scan);
  bool IsUnsure(const ScannedFile& file) const;
  // What to tell of it; nullopt: nothing yet.
  std::optional<model::Finding> Tell(const ScannedFile& file, const Unfinished& unfinished) const;

  io::Loop& loop_;
  DirectoryOptions options_;
  ConfigFiles files_;
  std::function<void()> on_change_;
  FolderWatch watch_;
  std::map<std::string, Unfinished> unfinished_;  // by real path
  std::map<std::string, Seen> seen_;              // as well
  io::Timer again_;                               // looks at these again
  bool first_ = true;
};

}  // namespace plait::control::source
