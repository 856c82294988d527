#pragma once
// Builds the root of a container in the calling process's own mount namespace (local-processes.md 4): a tmpfs into
// which the host's top-level folders are bound, with fresh /run, /tmp and /dev, own files in /etc, and the mesh's own
// folders hidden from every path that leads to them. Called by the setter (a fork of the supervisor), as mesh root.
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/result.h"

namespace plait::local {

// What a container has in a place of its root: a folder of the mesh's own mount namespace, or what is in it.
struct VolumeMount {
  std::string name;  // for messages
  std::string from;
  std::string sub_path;  // below `from`; empty: all of it
  std::string at;
  bool read_only = false;
  bool make_sub_path = false;  // a folder, when nothing is there
};

struct RootPlan {
  std::string mount_point;          // any folder; covered inside this namespace only
  std::string hostname;             // of the pod
  std::string fqdn;                 // hostname.subdomain.namespace.svc...; empty: none
  std::vector<std::string> ips;     // for /etc/hosts
  std::string host_aliases = {};    // further lines of /etc/hosts
  std::string resolv_conf;          // whole text
  std::vector<std::string> hidden;  // folders that no application may reach: state and run folder
  // Folders that must be reachable even below /tmp or /run, where this host has them: the binaries, the manifests, a
  // working directory.
  std::vector<std::string> shown;
  std::vector<VolumeMount> volumes = {};
};

// Builds the root and makes it the root of this mount namespace; nothing of the old one can be reached afterwards.
// The host's root is expected to be private (MS_REC | MS_PRIVATE). `application`: the application's uid. 2 to 8 ms.
Outcome<> BuildRoot(const RootPlan& plan, uid_t application);

// Makes `folders` unreachable below `root` ("" when it is the real root): through every mount of the same files, and
// their parents cannot be renamed. Part of BuildRoot; apart for its test.
Outcome<> HideFolders(const std::string& root, const std::vector<std::string>& folders);

}  // namespace plait::local
