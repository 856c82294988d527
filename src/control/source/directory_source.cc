#include "control/source/directory_source.h"

namespace plait::control::source {

DirectorySource::DirectorySource(io::Loop& loop, DirectoryOptions options, std::function<void()> on_change)
    : options_(std::move(options)),
      files_(options_.state_dir.empty() ? "" : options_.state_dir + "/last-good",
             {.default_namespace = options_.default_namespace}, {.root_namespace = options_.root_namespace}),
      on_change_(std::move(on_change)),
      watch_(loop, options_.timing, [this] {
        if (Rescan()) on_change_();
      }) {
  Rescan();
}

bool DirectorySource::Rescan() {
  Scan scan = ScanFolders(options_.directories);
  // A folder is watched only after it was read; what changed in between is found by reading once more.
  for (int round = 0; watch_.Watch(scan.folders) && round < 3; ++round) scan = ScanFolders(options_.directories);
  watch_.Poll(!scan.unreadable_roots.empty() || !scan.unreadable_files.empty());
  return files_.Update(scan);
}

}  // namespace plait::control::source
