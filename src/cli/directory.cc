#include "cli/directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace plait::cli {

Outcome<> CheckDirectory(const std::string& path) {
  const char* const wanted = "give a directory of Kubernetes and Istio YAML";
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return Explain(Errc::kInvalidInput, "there is no directory " + path, wanted);
    return Explain(Errc::kInvalidInput, "cannot look at the directory " + path + ": " + strerror(errno), wanted);
  }
  if (S_ISDIR(info.st_mode)) return {};
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return Explain(
      Errc::kInvalidInput, path + " is a file, and a directory is needed",
      "give the directory that it is in, whose YAML files are read together: " + (parent.empty() ? "." : parent));
}

}  // namespace plait::cli
