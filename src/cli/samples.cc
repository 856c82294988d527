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

}  // namespace plait::cli
