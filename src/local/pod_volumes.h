#pragma once
// The volumes of one pod: folders of a file system in memory that is mounted in the mesh's own namespace, where no path
// of the host and of no other pod leads to. They outlive containers that are restarted and go with the pod, at the
// latest with the mesh. Owned by the Pod.
#include <string>

#include "local/desired.h"
#include "local/mesh_context.h"

namespace plait::local {

class PodVolumes {
 public:
  PodVolumes(const MeshContext& mesh, const PodSpec& pod);
  ~PodVolumes();

  // Makes the folders and writes the files; nothing for a pod without volumes, or where a process has no root of its
  // own (mode loopback). Errors: what cannot be made; may be called again.
  Outcome<> Make();

  // What a container mounts, as its spec says.
  std::vector<VolumeMount> For(const ContainerSpec& container) const;

 private:
  Outcome<> Fill(const VolumeSpec& volume, const std::string& folder) const;
  Outcome<> WriteFile(const VolumeFile& file, const std::string& path) const;
  std::string FolderOf(std::size_t volume) const { return folder_ + "/" + std::to_string(volume); }

  const MeshContext& mesh_;
  const PodSpec& pod_;
  const std::string folder_;
  bool mounted_ = false;
};

}  // namespace plait::local
