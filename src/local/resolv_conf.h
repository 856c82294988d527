#pragma once
// How the containers of a pod look up names: its dnsPolicy, dnsConfig and hostAliases as the kubelet applies them.
// Pure.
#include <string>
#include <vector>

#include "local/desired.h"

namespace plait::local {

// /etc/resolv.conf. The nameserver is the mesh's DNS always: it has every question of a workload, whomever that asks.
// `host`: the text of this host's own file, for what dnsPolicy Default takes over.
std::string ResolvConf(const PodSpec& pod, const std::string& host);

// The end of /etc/hosts; empty: there are none.
std::string HostAliasLines(const std::vector<HostAlias>& aliases);

}  // namespace plait::local
