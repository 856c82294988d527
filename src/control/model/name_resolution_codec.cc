// What a pod's containers know of names: hostAliases, dnsPolicy and dnsConfig.
#include <k8s.io/api/core/v1/generated.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/pod_reading.h"

namespace plait::control::model {
namespace {
namespace core = k8s::io::api::core::v1;

// Parts of lines of files that are read word by word.
bool IsWord(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

bool ReadHostAliases(ObjectReader& reader, const std::string& path, const core::PodSpec& from, PodSpec& to) {
  for (int i = 0; i < from.hostaliases_size(); ++i) {
    const std::string at = Indexed(Dotted(path, "hostAliases"), static_cast<std::size_t>(i));
    const core::HostAlias& alias = from.hostaliases(i);
    if (!io::IpAddress::Parse(alias.ip())) {
      reader.Error(at + ".ip", "\"" + alias.ip() + "\" is no IP address", "write one, such as 192.0.2.7", {});
      return false;
    }
    HostAlias& line = to.host_aliases.emplace_back(HostAlias{.ip = alias.ip(), .names = {}});
    for (const std::string& name : alias.hostnames()) {
      if (!IsHostPattern(name) || IsWildcard(name)) {
        reader.Error(at + ".hostnames", "\"" + name + "\" is no name of a host", "write one, such as db.example.com",
                     {});
        return false;
      }
      line.names.push_back(name);
    }
  }
  return true;
}

bool ReadDnsPolicy(ObjectReader& reader, const std::string& path, const core::PodSpec& from, PodDns& to) {
  if (!from.dnspolicy().empty()) to.policy = from.dnspolicy();
  const std::string at = Dotted(path, "dnsPolicy");
  if (to.policy == "None" && from.dnsconfig().nameservers_size() == 0) {
    reader.Error(at, "Kubernetes refuses the DNS policy None without nameservers in dnsConfig",
                 "add one (here the mesh's DNS is asked all the same)", {});
    return false;
  }
  for (const char* known : {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"})
    if (to.policy == known) return true;
  reader.Error(at, "there is no DNS policy \"" + to.policy + "\"",
               "ClusterFirst, ClusterFirstWithHostNet, Default or None", {});
  return false;
}

bool ReadDnsConfig(ObjectReader& reader, const std::string& path, const core::PodDNSConfig& from, PodDns& to) {
  if (from.nameservers_size() > 0)
    reader.Warning(
        path + ".nameservers",
        "nameservers are not honoured: the mesh's DNS has all questions of the pod, and asks the resolvers of "
        "this host what is not of the mesh",
        "name what these do not know in hostAliases or a ServiceEntry");
  for (const std::string& search : from.searches()) {
    if (!IsWord(search)) {
      reader.Error(path + ".searches", "\"" + search + "\" is no domain", "write one, such as example.com", {});
      return false;
    }
    to.searches.push_back(search);
  }
  for (const core::PodDNSConfigOption& option : from.options()) {
    if (!IsWord(option.name()) || (!option.value().empty() && !IsWord(option.value()))) {
      reader.Error(path + ".options",
                   "\"" + option.name() + "\" with the value \"" + option.value() + "\" is no option of resolv.conf",
                   "write its name, such as ndots, and its value", {});
      return false;
    }
    to.options.emplace_back(option.name(), option.value());
  }
  return true;
}

}  // namespace

bool ReadNameResolution(ObjectReader& reader, const std::string& path, const core::PodSpec& from, PodSpec& to) {
  return ReadHostAliases(reader, path, from, to) && ReadDnsPolicy(reader, path, from, to.dns) &&
         ReadDnsConfig(reader, Dotted(path, "dnsConfig"), from.dnsconfig(), to.dns);
}

}  // namespace plait::control::model
