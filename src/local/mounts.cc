#include "local/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include "core/io/unique_fd.h"

namespace plait::local {
namespace {
std::unexpected<Diagnostic> Failed(const std::string& what) {
  return Explain(errno == EPERM || errno == EACCES ? Errc::kDenied : Errc::kInternal,
                 "cannot " + what + ": " + strerror(errno));
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Outcome<> BindEntry(const std::string& from, const std::string& to, const std::string& called) {
  const auto unless_gone = [&] { return errno == ENOENT ? Outcome<>{} : Failed("read " + called); };
  struct stat info{};
  if (lstat(from.c_str(), &info) != 0) return unless_gone();
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = readlink(from.c_str(), target, sizeof target - 1);
    if (size < 0) return unless_gone();
    target[size] = '\0';
    return symlink(target, to.c_str()) == 0 ? Outcome<>{} : Failed("make " + to);
  }
  if (Outcome<> made = S_ISDIR(info.st_mode) ? MakeFolder(to) : WriteWholeFile(to, ""); !made) return made;
  return BindTree(from, to);
}
}  // namespace

Outcome<> MountTmpfs(const std::string& where, const char* options) {
  if (mount("tmpfs", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
    return Failed("mount a tmpfs at " + where);
  return {};
}

Outcome<> BindTree(const std::string& from, const std::string& to) {
  if (mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return Failed("bind " + from + " to " + to);
  return {};
}

Outcome<> BindEntries(const std::string& from, const std::string& to, const std::string& called) {
  const Folder entries(opendir(from.c_str()));
  if (!entries) return Failed("read " + called);
  for (errno = 0; const dirent* entry = readdir(entries.get()); errno = 0) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (Outcome<> bound = BindEntry(from + "/" + name, to + "/" + name, called + "/" + name); !bound) return bound;
  }
  return errno == 0 ? Outcome<>{} : Failed("read " + called);
}

Outcome<> MakeFolder(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) == 0) {
    if (chmod(path.c_str(), mode) != 0) return Failed("set the mode of " + path);
  } else if (errno != EEXIST) {
    return Failed("make " + path);
  }
  return {};
}

Outcome<> MakeParents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST)
      return Failed("make " + path.substr(0, slash));
  return {};
}

Outcome<> WriteWholeFile(const std::string& path, const std::string& text) {
  unlink(path.c_str());  // a link there may lead anywhere
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return Failed("write " + path);
  return {};
}

std::string ReadWholeFile(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char piece[16384];
  for (ssize_t n; fd && (n = read(fd.get(), piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(n));
  return text;
}

}  // namespace plait::local
