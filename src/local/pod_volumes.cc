#include "local/pod_volumes.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "local/bootstrap.h"
#include "local/mounts.h"

namespace plait::local {

PodVolumes::PodVolumes(const MeshContext& mesh, const PodSpec& pod)
    : mesh_(mesh), pod_(pod), folder_(mesh.options.paths.volumes() + "/" + pod.uid) {}

PodVolumes::~PodVolumes() {
  if (!mounted_) return;
  umount2(folder_.c_str(), MNT_DETACH);  // who still uses it keeps it
  rmdir(folder_.c_str());
}

Outcome<> PodVolumes::Make() {
  if (pod_.volumes.empty() || mesh_.options.mode == Mode::kLoopback) return {};
  if (!mounted_) {
    for (const std::string& folder : {mesh_.options.paths.volumes(), folder_})
      if (Outcome<> made = MakeFolder(folder); !made) return made;
    if (Outcome<> mounted = MountTmpfs(folder_, "mode=755"); !mounted) return mounted;
    mounted_ = true;
  }
  for (std::size_t i = 0; i < pod_.volumes.size(); ++i)
    if (Outcome<> filled = Fill(pod_.volumes[i], FolderOf(i)); !filled)
      return Explain(filled.error().code, "volume " + pod_.volumes[i].name + ": " + filled.error().message);
  return {};
}

Outcome<> PodVolumes::Fill(const VolumeSpec& volume, const std::string& folder) const {
  if (Outcome<> made = MakeFolder(folder, volume.empty_dir ? 0777 : 0755); !made) return made;
  for (const VolumeFile& file : volume.files)
    if (Outcome<> written = WriteFile(file, folder + "/" + file.path); !written) return written;
  return {};
}

// The application's, so that it can read one of mode 0400 as an image's user can.
Outcome<> PodVolumes::WriteFile(const VolumeFile& file, const std::string& path) const {
  if (Outcome<> made = MakeParents(path); !made) return made;
  const std::string text = file.field.empty() ? file.text : FieldOf(pod_, {}, file.field);
  if (Outcome<> written = WriteWholeFile(path, text); !written) return written;
  const uid_t owner = mesh_.ids.application;
  if (chmod(path.c_str(), file.mode) == 0 && chown(path.c_str(), owner, owner) == 0) return {};
  return Explain(Errc::kDenied, "cannot set owner and mode of " + file.path + ": " + strerror(errno));
}

std::vector<VolumeMount> PodVolumes::For(const ContainerSpec& container) const {
  std::vector<VolumeMount> out;
  for (const MountSpec& mount : container.mounts)
    for (std::size_t i = 0; i < pod_.volumes.size(); ++i) {
      const VolumeSpec& volume = pod_.volumes[i];
      if (volume.name != mount.volume) continue;
      out.push_back({.name = volume.name,
                     .from = FolderOf(i),
                     .sub_path = mount.sub_path,
                     .at = mount.path,
                     .read_only = mount.read_only || !volume.empty_dir,
                     .make_sub_path = volume.empty_dir});
    }
  return out;
}

}  // namespace plait::local
