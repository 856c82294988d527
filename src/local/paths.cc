#include "local/paths.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/base/strings.h"
#include "core/io/unique_fd.h"

namespace plait::local {
namespace {

// sockaddr_un holds 107 characters.
constexpr std::size_t kMaxSocketPath = 107;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool IsOwnFolder(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > 40 || name.front() == '-') return false;
  for (const char c : name)
    if (!(c >= 'a' && c <= 'z') && !IsDigit(c) && c != '-') return false;
  return true;
}

std::string Home() {
  if (const std::string home = Env("HOME"); !home.empty()) return home;
  const passwd* entry = getpwuid(geteuid());
  return entry && entry->pw_dir ? entry->pw_dir : "";
}

std::string NameOf(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry ? entry->pw_name : "user " + std::to_string(user);
}

// What is left of `tree`, down to the first that stays.
std::filesystem::path FirstLeft(const std::string& tree) {
  std::filesystem::path at = tree;
  std::error_code error;
  while (is_directory(symlink_status(at, error))) {
    const std::filesystem::directory_iterator first(at, error);
    if (error || first == std::filesystem::directory_iterator()) break;
    at = first->path();
  }
  return at;
}

std::unexpected<Diagnostic> CannotRemove(const std::string& tree, const std::error_code& why) {
  const std::filesystem::path left = FirstLeft(tree);
  // It is kept by the folder that it is in, or is a folder that cannot be read.
  std::filesystem::path keeper = left.parent_path();
  if (faccessat(AT_FDCWD, keeper.c_str(), W_OK | X_OK, AT_EACCESS) == 0) keeper = left;
  struct stat info{};
  std::string message = "cannot remove " + left.string() + ": " + why.message();
  const bool refused = why == std::errc::permission_denied || why == std::errc::operation_not_permitted;
  if (!refused || lstat(keeper.c_str(), &info) != 0)
    return Explain(Errc::kDenied, std::move(message), "rm -r " + tree + " once that is mended");
  message += keeper == left ? "; it " : "; the folder " + keeper.string() + " ";
  const bool above = keeper == std::filesystem::path(tree).parent_path();
  if (info.st_uid == geteuid())
    return Explain(Errc::kDenied, message + "may not be written",
                   (above ? "chmod u+wx " + keeper.string() : "chmod -R u+rwX " + tree) + ", then again");
  const std::string owner = NameOf(info.st_uid);
  return Explain(Errc::kDenied, message + "belongs to " + owner, "rm -r " + tree + " as " + owner);
}

}  // namespace

std::string MeshPaths::LogOf(std::string_view ns, std::string_view pod, std::string_view container) const {
  return logs() + "/" + std::string(ns) + "/" + std::string(pod) + "/" + std::string(container) + ".log";
}

std::vector<std::string> MeshPaths::Hidden() const {
  const auto with_siblings = [](const std::string& folder) {
    const std::filesystem::path parent = std::filesystem::path(folder).parent_path();
    return parent.filename().string().starts_with("plait") ? parent.string() : folder;
  };
  std::vector<std::string> out = {with_siblings(run), with_siblings(state)};
  if (const std::string xdg = Env("XDG_STATE_HOME"); !xdg.empty()) out.push_back(xdg + "/plait");
  if (const std::string home = Home(); !home.empty()) out.push_back(home + "/.local/state/plait");
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Outcome<MeshPaths> ResolvePaths(std::string_view name) {
  if (!IsName(name))
    return Explain(Errc::kInvalidInput, "\"" + std::string(name) + "\" cannot be the name of a mesh",
                   "use up to 40 lower-case letters, digits and '-'");
  MeshPaths paths{.name = std::string(name)};
  const std::string runtime = Env("XDG_RUNTIME_DIR");
  paths.run = runtime + "/plait/" + paths.name;
  if (runtime.empty() || !IsOwnFolder(runtime) || paths.control_socket().size() > kMaxSocketPath)
    paths.run = "/tmp/plait-" + std::to_string(geteuid()) + "/" + paths.name;

  if (const std::string state = Env("PLAIT_STATE_DIR"); !state.empty()) {
    paths.state = std::filesystem::absolute(state).string();
  } else if (const std::string xdg = Env("XDG_STATE_HOME"); !xdg.empty()) {
    paths.state = xdg + "/plait/" + paths.name;
  } else {
    const std::string home = Home();
    if (home.empty() || home == "/")
      return Explain(Errc::kNotFound, "this user has no home folder for the mesh's certificates",
                     "set PLAIT_STATE_DIR");
    paths.state = home + "/.local/state/plait/" + paths.name;
  }
  return paths;
}

std::string BinaryFolder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

std::vector<std::string> MissingFolders(const std::string& path) {
  std::vector<std::string> missing;
  std::error_code error;
  for (std::filesystem::path at = path; at.has_relative_path() && !exists(symlink_status(at, error));
       at = at.parent_path())
    missing.push_back(at.string());
  return missing;
}

Outcome<> MakeFolders(const std::string& path) {
  for (std::size_t slash = 1; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return Explain(Errc::kDenied, "cannot make the folder " + part + ": " + strerror(errno),
                     "let PLAIT_STATE_DIR and XDG_RUNTIME_DIR name folders that this user may write");
  }
  return {};
}

Outcome<> MakePrivateFolder(const std::string& path) {
  if (Outcome<> made = MakeFolders(path); !made) return made;
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
      (info.st_mode & 0077) != 0)
    return Explain(Errc::kDenied, path + " is not a folder of this user alone", "remove it, or set XDG_RUNTIME_DIR");
  return {};
}

Outcome<> WritePrivate(const std::string& path, const std::string& text) {
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return Explain(Errc::kDenied, "cannot write " + path + ": " + strerror(errno),
                 "make room there, or let it be writable");
}

void RemoveTree(const std::string& path) {
  std::error_code ignored;  // what cannot be removed belongs to somebody else or is in use: the next start says so
  std::filesystem::remove_all(path, ignored);
}

Outcome<bool> RemoveTreeOrExplain(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return Explain(Errc::kDenied, "cannot look at " + path + ": " + strerror(errno),
                   "let this user search the folders above it");
  }
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return CannotRemove(path, error);
  return true;
}

void RemoveEmptyFolders(const std::vector<std::string>& innermost_first) {
  for (const std::string& folder : innermost_first) rmdir(folder.c_str());
}

}  // namespace plait::local
