#include "cli/samples.h"

#include <filesystem>

#include "local/paths.h"

namespace plait::cli {

Outcome<std::string> SampleFolder(const std::string& name) {
  const std::string binaries = local::BinaryFolder();
  for (const char* place : {"/../../../samples/", "/../share/plait/samples/"}) {
    std::error_code error;
    const std::filesystem::path sample =
        std::filesystem::canonical(std::string(binaries).append(place).append(name), error);
    if (!error) return sample.string();
  }
  return Explain(Errc::kNotFound,
                 "the sample " + name + " is neither beside the build nor in ../share/plait/samples of " + binaries,
                 "build or install all of Plait");
}

Outcome<std::string> CopySample(const std::string& name, const std::string& folder) {
  const Outcome<std::string> sample = SampleFolder(name);
  if (!sample) return sample;
  namespace fs = std::filesystem;
  std::error_code error;
  fs::remove_all(folder, error);
  if (const Outcome<> made = local::MakeFolders(folder); !made) return std::unexpected(made.error());
  fs::copy(*sample, folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  // Installed files are root's and closed to writers.
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    fs::permissions(*entry, fs::perms::owner_write, fs::perm_options::add, error);
  if (error)
    return Explain(Errc::kDenied, "cannot copy " + *sample + " to " + folder + ": " + error.message(),
                   "make room there, or set PLAIT_STATE_DIR to another folder");
  return folder;
}

}  // namespace plait::cli
