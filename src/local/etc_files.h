#pragma once
// The files of /etc that are a container's own, as the kubelet and the container engine make them.
#include <string>

#include "core/base/result.h"
#include "local/root_filesystem.h"

namespace plait::local {

// Puts an overlay over `etc` (the host's /etc in the new root): a private writable top, the host's files below. Where
// the kernel refuses overlays (a container engine binds files into /etc) a tmpfs with a bind an entry does instead.
// `scratch` is a folder outside the new root that holds the private layer.
Outcome<> MakePrivateEtc(const std::string& etc, const std::string& scratch);
// resolv.conf, hosts, hostname, nsswitch.conf, passwd and group.
Outcome<> WriteEtcFiles(const std::string& etc, const RootPlan& plan);

// Host file with the lines of `uid` (third field) replaced by `line`.
std::string WithAccount(const std::string& accounts, const std::string& uid, const std::string& line);

}  // namespace plait::local
