#include "local/mount_points.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/strings.h"
#include "local/mounts.h"

namespace plait::local {
namespace {

std::unexpected<Diagnostic> Failed(const std::string& what) {
  return Explain(errno == ENOENT ? Errc::kNotFound : Errc::kDenied, "cannot " + what + ": " + strerror(errno));
}

// `path` as if `root` were the root of everything.
io::UniqueFd OpenBelow(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  do {  // EAGAIN: somebody renames folders on the way
    fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
  return io::UniqueFd(static_cast<int>(fd));
}

struct stat StatOf(const io::UniqueFd& fd) {
  struct stat info{};
  fstat(fd.get(), &info);  // of an open descriptor: it cannot fail
  return info;
}
bool IsFolder(const io::UniqueFd& fd) { return S_ISDIR(StatOf(fd).st_mode); }

std::string Words(const VolumeMount& volume) { return "volume " + volume.name + " at " + volume.at; }

// What of the volume is mounted.
Outcome<io::UniqueFd> SourceOf(const VolumeMount& volume) {
  MountPoints inside(volume.from, "", {"/"}, 0);
  inside.MakeWith(0777);  // as the volume itself: several users may share it
  io::UniqueFd found = inside.Open("/" + volume.sub_path);
  if (found) return found;
  if (errno == ENOENT && volume.make_sub_path) return inside.Find(volume.sub_path, MountPoints::Kind::kFolder);
  return Failed("find " + volume.sub_path + " in it");
}

Outcome<> MountVolume(MountPoints& points, const VolumeMount& volume) {
  Outcome<io::UniqueFd> from = SourceOf(volume);
  if (!from) return std::unexpected(from.error());
  Outcome<io::UniqueFd> place =
      points.Find(volume.at, IsFolder(*from) ? MountPoints::Kind::kFolder : MountPoints::Kind::kFile);
  if (!place) return std::unexpected(place.error());
  if (mount(PathOf(*from).c_str(), PathOf(*place).c_str(), nullptr, MS_BIND, nullptr) != 0) return Failed("bind it");
  points.AddOwn(*from);  // a place in it is made in it, as on Kubernetes
  if (!volume.read_only) return {};
  const io::UniqueFd mounted = points.Open(volume.at);
  if (!mounted || mount(nullptr, PathOf(mounted).c_str(), nullptr,
                        MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    return Failed("make it read-only");
  return {};
}

}  // namespace

std::string PathOf(const io::UniqueFd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

MountPoints::MountPoints(const std::string& root, std::string scratch, const std::vector<std::string>& own,
                         uid_t application)
    : scratch_(std::move(scratch)),
      root_(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      application_(application) {
  for (const std::string& folder : own)
    if (const io::UniqueFd fd = Open(folder)) AddOwn(fd);
}

void MountPoints::AddOwn(const io::UniqueFd& of) { own_.insert(StatOf(of).st_dev); }
bool MountPoints::IsOwn(const io::UniqueFd& fd) const { return own_.contains(StatOf(fd).st_dev); }

// The setter may be the host's root, so the kernel cannot be asked.
bool MountPoints::IsForApplication(const io::UniqueFd& folder) const {
  const struct stat info = StatOf(folder);
  const mode_t bit = info.st_uid == application_ ? S_IXUSR : info.st_gid == application_ ? S_IXGRP : S_IXOTH;
  return (info.st_mode & bit) != 0;
}

io::UniqueFd MountPoints::Open(const std::string& path) const { return OpenBelow(root_.get(), path); }

Outcome<io::UniqueFd> MountPoints::Find(std::string_view path, Kind kind) {
  std::vector<std::string_view> parts = Split(path, '/');
  std::erase_if(parts, [](std::string_view part) { return part.empty() || part == "."; });
  std::string done;
  io::UniqueFd at = Open("/");
  for (std::size_t i = 0; at && i < parts.size(); ++i) {
    const std::string name(parts[i]);
    const std::string next = done + "/" + name;
    if (IsFolder(at) && !IsOwn(at) && !IsForApplication(at))
      if (Outcome<> covered = Cover(at, done); !covered) return std::unexpected(covered.error());
    io::UniqueFd found = Open(next);
    if (!found && errno == ENOENT) {
      const Kind wanted = i + 1 == parts.size() ? kind : Kind::kFolder;
      if (Outcome<> made = Make(at, done, name, wanted); !made) return std::unexpected(made.error());
      found = Open(next);
    }
    at = std::move(found);
    done = next;
  }
  if (!at) return Failed("reach " + done);
  if (IsFolder(at) != (kind == Kind::kFolder))
    return Explain(Errc::kInvalidInput, std::string(path) + (kind == Kind::kFolder ? " is a file" : " is a folder"));
  return at;
}

Outcome<> MountPoints::Make(io::UniqueFd& parent, const std::string& path, const std::string& name, Kind kind) {
  if (!IsOwn(parent))
    if (Outcome<> covered = Cover(parent, path); !covered) return covered;
  const mode_t mask = umask(0);
  bool made = false;
  if (kind == Kind::kFolder)
    made = mkdirat(parent.get(), name.c_str(), mode_) == 0;
  else
    made = bool(io::UniqueFd(openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)));
  const int error = errno;
  umask(mask);
  errno = error;
  if (!made && errno != EEXIST) return Failed("make " + path + "/" + name);  // another container may just have made it
  return {};
}

// The covering folder is filled aside and then moved to its place.
Outcome<> MountPoints::Cover(io::UniqueFd& folder, const std::string& path) {
  const std::string cover = scratch_ + "/cover" + std::to_string(covers_++);
  if (Outcome<> made = MakeFolder(cover); !made) return made;
  if (Outcome<> mounted = MountTmpfs(cover, "mode=755,size=1m"); !mounted) return mounted;
  const std::string covered = PathOf(folder);
  if (IsForApplication(folder)) {
    if (Outcome<> filled = BindEntries(covered, cover, path); !filled)
      return Explain(filled.error().code, "a place in " + path + " would hide what is in it: " + filled.error().message,
                     "choose another mountPath");
    if (chmod(cover.c_str(), StatOf(folder).st_mode & 07777) != 0) return Failed("set the mode of " + path);
  }
  if (mount(cover.c_str(), covered.c_str(), nullptr, MS_MOVE, nullptr) != 0) return Failed("cover " + path);
  folder = Open(path);
  if (!folder) return Failed("reach " + path);
  AddOwn(folder);
  return {};
}

Outcome<> MountVolumes(MountPoints& points, std::vector<VolumeMount> volumes) {
  const auto depth = [](const VolumeMount& volume) { return std::count(volume.at.begin(), volume.at.end(), '/'); };
  std::stable_sort(volumes.begin(), volumes.end(),
                   [&](const VolumeMount& a, const VolumeMount& b) { return depth(a) < depth(b); });
  for (const VolumeMount& volume : volumes) {
    const std::string folder = volume.at.substr(0, volume.at.find('/', 1));
    if (folder == "/" || folder == "/proc" || folder == "/sys")
      return Explain(Errc::kInvalidInput, "cannot mount " + Words(volume) + ": that place is the container's own",
                     "choose another mountPath");
    if (Outcome<> mounted = MountVolume(points, volume); !mounted)
      return Explain(mounted.error().code, "cannot mount " + Words(volume) + ": " + mounted.error().message,
                     mounted.error().hint);
  }
  return {};
}

}  // namespace plait::local
