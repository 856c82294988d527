#pragma once
// Where a mesh keeps its files (semantics.md 8): run files go with the mesh, state (CA root, last good) stays.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait::local {

// " --name shop": what commands need to mean this mesh; empty: it is the default one.
inline std::string Named(const std::string& mesh) { return mesh == "default" ? "" : " --name " + mesh; }

struct MeshPaths {
  std::string name;   // "default" or --name
  std::string run;    // $XDG_RUNTIME_DIR/plait/<name> or /tmp/plait-<uid>/<name>
  std::string state;  // $PLAIT_STATE_DIR, $XDG_STATE_HOME/plait/<name> or ~/.local/state/plait/<name>

  std::string named() const { return Named(name); }
  std::string lock() const { return run + "/lock"; }
  std::string control_socket() const { return run + "/control.sock"; }
  std::string dial_socket() const { return run + "/dial.sock"; }  // of the dial helper, for proxies
  std::string logs() const { return run + "/logs"; }
  std::string overlay() const { return run + "/overlay"; }   // YAML that `plait test` adds
  std::string proxies() const { return run + "/proxies"; }   // bootstrap and token of each proxy
  std::string volumes() const { return run + "/volumes"; }   // of pods; mounted in the mesh's own namespace only
  std::string mount_point() const { return run + "/root"; }  // where roots of containers are built, in their namespace
  // Folders that no application may reach: run and state files of this mesh and, as far as they stand where the
  // environment says, of the user's other meshes.
  std::vector<std::string> Hidden() const;
  friend bool operator==(const MeshPaths&, const MeshPaths&) = default;
  // logs/<namespace>/<pod>/<container>.log
  std::string LogOf(std::string_view ns, std::string_view pod, std::string_view container) const;
};

// From the environment and the user's id. Touches nothing but stat. Errors: an impossible name, no home.
Outcome<MeshPaths> ResolvePaths(std::string_view name);

// The folder of the running executable; plaitd, plait-proxy and samples are found from there.
std::string BinaryFolder();

// The folder and those above it that are not there, innermost first: what MakeFolders will make. A link that leads
// nowhere is there.
std::vector<std::string> MissingFolders(const std::string& path);
// mkdir -p with mode 0700 for what it makes.
Outcome<> MakeFolders(const std::string& path);
// Below a folder that others can write (/tmp) the parent must be ours alone: made 0700, and refused if it is not.
Outcome<> MakePrivateFolder(const std::string& path);
// A file that only its owner may read.
Outcome<> WritePrivate(const std::string& path, const std::string& text);
// rm -r of a folder that is ours; missing is fine. Does not follow links nor cross into other file systems.
void RemoveTree(const std::string& path);
// The same for whom it was promised to; false: it was not there. Errors: kDenied with the first that stays and who
// keeps it; what came before it is gone.
Outcome<bool> RemoveTreeOrExplain(const std::string& path);
// rmdir of each in turn. One that somebody has put something into stays, and so do those above it.
void RemoveEmptyFolders(const std::vector<std::string>& innermost_first);

}  // namespace plait::local
