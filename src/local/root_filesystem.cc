#include "local/root_filesystem.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "local/etc_files.h"
#include "local/mount_points.h"
#include "local/mounts.h"

namespace plait::local {
namespace {

// Not the host's: made fresh, or mounted apart.
const std::set<std::string>& OwnFolders() {
  static const std::set<std::string> kNames = {"dev", "etc", "proc", "run", "sys", "tmp"};
  return kNames;
}

Outcome<> BindTopLevel(const std::string& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/", error)) {
    const std::string name = entry.path().filename().string();
    const std::string target = root + "/" + name;
    if (OwnFolders().contains(name)) continue;
    if (entry.is_symlink(error)) {
      std::filesystem::copy_symlink(entry.path(), target, error);
    } else if (entry.is_directory(error)) {
      if (Outcome<> made = MakeFolder(target); !made) return made;
      if (Outcome<> bound = BindTree(entry.path().string(), target); !bound) return bound;
    }
  }
  return {};
}

// The host's terminals and devices stay outside: with them an application could write to the user's terminal.
Outcome<> MakeDev(const std::string& dev) {
  if (Outcome<> made = MakeFolder(dev); !made) return made;
  if (Outcome<> mounted = MountTmpfs(dev, "mode=755,size=64k"); !mounted) return mounted;
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const std::string path = dev + "/" + name;
    if (Outcome<> made = WriteWholeFile(path, ""); !made) return made;
    if (Outcome<> bound = BindTree("/dev/" + std::string(name), path); !bound) return bound;
  }
  for (const char* name : {"pts", "shm"})
    if (Outcome<> made = MakeFolder(dev + "/" + name); !made) return made;
  if (mount("devpts", (dev + "/pts").c_str(), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") !=
      0)
    return Explain(Errc::kDenied, std::string("cannot mount devpts: ") + strerror(errno));
  if (Outcome<> mounted = MountTmpfs(dev + "/shm", "mode=1777"); !mounted) return mounted;
  std::error_code error;
  std::filesystem::create_symlink("pts/ptmx", dev + "/ptmx", error);
  std::filesystem::create_symlink("/proc/self/fd", dev + "/fd", error);
  std::filesystem::create_symlink("/proc/self/fd/0", dev + "/stdin", error);
  std::filesystem::create_symlink("/proc/self/fd/1", dev + "/stdout", error);
  std::filesystem::create_symlink("/proc/self/fd/2", dev + "/stderr", error);
  return {};
}

Outcome<> MakeFreshFolders(const std::string& root) {
  const std::pair<const char*, const char*> folders[] = {{"/run", "mode=755"}, {"/tmp", "mode=1777"}};
  for (const auto& [name, options] : folders) {
    if (Outcome<> made = MakeFolder(root + name); !made) return made;
    if (Outcome<> mounted = MountTmpfs(root + name, options); !mounted) return mounted;
  }
  for (const char* name : {"/proc", "/sys", "/etc"})
    if (Outcome<> made = MakeFolder(root + name); !made) return made;
  // The mesh's own /proc: only where a full one is visible may the container's user namespace mount a new one.
  if (Outcome<> bound = BindTree("/proc", root + "/proc"); !bound) return bound;
  // A sysfs of the workload's network namespace; where /sys is restricted on this host, the host's.
  if (mount("sysfs", (root + "/sys").c_str(), "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return BindTree("/sys", root + "/sys");
  return {};
}

// What lies below /tmp or /run on the host and must be seen all the same.
Outcome<> Show(MountPoints& points, const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code error;
    const std::string path = std::filesystem::canonical(folder, error).string();
    if (error || !(path.starts_with("/tmp/") || path.starts_with("/run/"))) continue;
    Outcome<io::UniqueFd> place = points.Find(path, MountPoints::Kind::kFolder);
    if (!place) return std::unexpected(place.error());
    if (Outcome<> bound = BindTree(path, PathOf(*place)); !bound) return bound;
  }
  return {};
}

}  // namespace

Outcome<> BuildRoot(const RootPlan& plan, uid_t application) {
  const std::string root = plan.mount_point + "/new";
  const std::string scratch = plan.mount_point + "/scratch";
  if (Outcome<> mounted = MountTmpfs(plan.mount_point, "mode=755,size=1m"); !mounted) return mounted;
  for (const std::string& folder : {root, scratch})
    if (Outcome<> made = MakeFolder(folder); !made) return made;
  // Mount points need a mount of their own to pivot to; the private layer of /etc is writable and stays outside.
  if (Outcome<> mounted = MountTmpfs(root, "mode=755,size=1m"); !mounted) return mounted;
  if (Outcome<> mounted = MountTmpfs(scratch, "mode=755,size=16m"); !mounted) return mounted;
  if (Outcome<> bound = BindTopLevel(root); !bound) return bound;
  if (Outcome<> made = MakeFreshFolders(root); !made) return made;
  if (Outcome<> made = MakeDev(root + "/dev"); !made) return made;
  if (Outcome<> made = MakePrivateEtc(root + "/etc", scratch); !made) return made;
  if (Outcome<> written = WriteEtcFiles(root + "/etc", plan); !written) return written;
  MountPoints points(root, scratch, {"/", "/dev", "/dev/shm", "/etc", "/run", "/tmp"}, application);
  if (Outcome<> mounted = MountVolumes(points, plan.volumes); !mounted) return mounted;
  if (Outcome<> shown = Show(points, plan.shown); !shown) return shown;
  if (Outcome<> hidden = HideFolders(root, plan.hidden); !hidden) return hidden;
  if (chdir(root.c_str()) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
      chdir("/") != 0)
    return Explain(Errc::kDenied, std::string("cannot enter the container's root: ") + strerror(errno));
  return {};
}

}  // namespace plait::local
