#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/base/strings.h"
#include "local/mounts.h"
#include "local/root_filesystem.h"

namespace plait::local {
namespace {

struct Mount {
  std::string device;  // "major:minor"
  std::string root;    // the folder of the file system that is mounted
  std::string where;
};

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<Mount> ReadMounts() {
  std::vector<Mount> out;
  const std::string text = ReadWholeFile("/proc/thread-self/mountinfo");
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> fields = Split(line, ' ');
    if (fields.size() > 4) out.push_back({std::string(fields[2]), Unescape(fields[3]), Unescape(fields[4])});
  }
  return out;
}

bool IsBelow(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string Under(const std::string& folder, std::string_view rest) {
  return (folder == "/" ? "" : folder) + std::string(rest);
}

// The place of a folder within its file system: the deepest mount that holds its path tells.
std::optional<Mount> PlaceOf(const std::vector<Mount>& mounts, const std::string& path) {
  const Mount* best = nullptr;
  for (const Mount& mount : mounts)  // later mounts cover earlier ones at the same place
    if (IsBelow(path, mount.where) && (!best || mount.where.size() >= best->where.size())) best = &mount;
  if (!best) return std::nullopt;
  const std::string rest = best->where == "/" ? path : path.substr(best->where.size());
  std::string inside = Under(best->root, rest);
  return Mount{best->device, inside.empty() ? "/" : inside, path};
}

bool IsFolder(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Each folder between `mount` and `path` becomes a mount point, outermost first: renaming one is EBUSY then.
Outcome<> PinParents(const std::string& mount, const std::string& path) {
  const std::string base = mount == "/" ? "" : mount;
  for (std::size_t slash = path.find('/', base.size() + 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (Outcome<> bound = BindTree(parent, parent); !bound) return bound;
  }
  return {};
}

}  // namespace

Outcome<> HideFolders(const std::string& root, const std::vector<std::string>& folders) {
  const std::vector<Mount> before = ReadMounts();
  std::vector<std::string> targets;
  for (const std::string& folder : folders) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(folder, error);
    if (error) continue;  // not there: nothing to hide
    const std::optional<Mount> place = PlaceOf(before, real.string());
    if (!place) return Explain(Errc::kInternal, "cannot find the file system of " + folder);
    for (const Mount& mount : before) {
      if (mount.device != place->device || !IsBelow(mount.where, root.empty() ? "/" : root)) continue;
      if (IsBelow(place->root, mount.root)) {
        const std::string rest = mount.root == "/" ? place->root : place->root.substr(mount.root.size());
        const std::string path = Under(mount.where, rest);
        if (!IsFolder(path)) continue;  // another mount covers it
        if (Outcome<> pinned = PinParents(mount.where, path); !pinned) return pinned;
        targets.push_back(path);
      } else if (IsBelow(mount.root, place->root)) {
        targets.push_back(mount.where);  // a folder within it, mounted elsewhere
      }
    }
  }
  for (const std::string& path : targets) {
    if (mount("hidden", path.c_str(), "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=000,size=4k") != 0 &&
        errno != ENOTDIR && errno != ENOENT)
      return Explain(Errc::kDenied, "cannot hide " + path + " from applications: " + strerror(errno));
  }
  return {};
}

}  // namespace plait::local
