#include "local/etc_files.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/strings.h"
#include "local/confine.h"
#include "local/dial_helper.h"
#include "local/mounts.h"

namespace plait::local {
namespace {

// A bound file is a mount point: it cannot be unlinked before it is unmounted.
void Unbind(const std::string& path) { umount2(path.c_str(), MNT_DETACH); }

}  // namespace

Outcome<> MakePrivateEtc(const std::string& etc, const std::string& scratch) {
  const std::string upper = scratch + "/etc";
  const std::string work = scratch + "/etc.work";
  for (const std::string& folder : {upper, work})
    if (Outcome<> made = MakeFolder(folder); !made) return made;
  const std::string options = "lowerdir=/etc,upperdir=" + upper + ",workdir=" + work + ",userxattr";
  if (mount("overlay", etc.c_str(), "overlay", 0, options.c_str()) == 0) return {};
  if (Outcome<> mounted = MountTmpfs(etc, "mode=755"); !mounted) return mounted;
  if (Outcome<> bound = BindEntries("/etc", etc, "/etc"); !bound) return bound;
  for (const char* name : {"resolv.conf", "hosts", "hostname", "nsswitch.conf", "passwd", "group"})
    Unbind(etc + "/" + name);
  return {};
}

std::string WithAccount(const std::string& accounts, const std::string& uid, const std::string& line) {
  std::string out;
  for (const std::string_view entry : Split(accounts, '\n')) {
    const std::vector<std::string_view> fields = Split(entry, ':');
    if (!entry.empty() && !(fields.size() > 2 && fields[2] == uid)) out.append(entry).append("\n");
  }
  return out + line + "\n";
}

Outcome<> WriteEtcFiles(const std::string& etc, const RootPlan& plan) {
  const std::string uid = std::to_string(kApplicationUid);
  std::string hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const std::string& ip : plan.ips)
    hosts += ip + "\t" + (plan.fqdn.empty() ? "" : plan.fqdn + "\t") + plan.hostname + "\n";
  hosts += HostLoopback().ToString() + "\t" + kHostLoopbackName + "\n" + plan.host_aliases;
  const std::pair<const char*, std::string> files[] = {
      {"resolv.conf", plan.resolv_conf},
      {"hosts", hosts},
      {"hostname", plan.hostname + "\n"},
      {"nsswitch.conf",
       "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
       "protocols: files\nservices: files\n"},
      {"passwd", WithAccount(ReadWholeFile("/etc/passwd"), uid, "app:x:" + uid + ":" + uid + "::/tmp:/bin/sh")},
      {"group", WithAccount(ReadWholeFile("/etc/group"), uid, "app:x:" + uid + ":")},
  };
  for (const auto& [name, text] : files)
    if (Outcome<> written = WriteWholeFile(etc + "/" + name, text); !written) return written;
  return {};
}

}  // namespace plait::local
