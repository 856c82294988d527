#pragma once
// Places for mounts in a container's root that is being built from outside, by the setter. A path is what it is inside:
// no link leads out of the root, whoever made it. Where a folder has to be made in one of the host's, that one is
// covered by a folder of the container's own first, with everything that was there: the host's files stay as they are.
// A folder of the host that the application may not enter is covered by an empty one; one that it may enter and whose
// names the setter cannot read is an error.
#include <sys/types.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/root_filesystem.h"

namespace plait::local {

class MountPoints {
 public:
  enum class Kind { kFolder, kFile };
  // `own`: folders of `root` whose file systems are the container's own, to make folders in. `scratch`: a folder of the
  // setter's, outside of the root. `application`: the application's uid and gid.
  MountPoints(const std::string& root, std::string scratch, const std::vector<std::string>& own, uid_t application);

  // An O_PATH descriptor of what `path` leads to, or of what is made there. Its mount is the topmost one.
  Outcome<io::UniqueFd> Find(std::string_view path, Kind kind);
  // The same for what is there; -1 with errno when nothing is.
  io::UniqueFd Open(const std::string& path) const;
  void MakeWith(mode_t mode) { mode_ = mode; }  // folders that are made; before: 0755
  void AddOwn(const io::UniqueFd& of);          // its file system

 private:
  Outcome<> Make(io::UniqueFd& parent, const std::string& path, const std::string& name, Kind kind);
  Outcome<> Cover(io::UniqueFd& folder, const std::string& path);
  bool IsOwn(const io::UniqueFd& fd) const;
  bool IsForApplication(const io::UniqueFd& folder) const;  // it may enter it

  std::string scratch_;
  io::UniqueFd root_;
  std::set<dev_t> own_;
  uid_t application_;
  mode_t mode_ = 0755;
  int covers_ = 0;
};

// A path that leads to what the descriptor is of, for mount(2).
std::string PathOf(const io::UniqueFd& fd);

// Mounts volumes in the root, outer ones first. Errors name the volume and the place.
Outcome<> MountVolumes(MountPoints& points, std::vector<VolumeMount> volumes);

}  // namespace plait::local
