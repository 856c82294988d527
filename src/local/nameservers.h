#pragma once
// The host's resolvers, for proxies inside the mesh: they have no way out, but a socket that was connected outside
// keeps its network wherever it is used. Called by `plait` outside.
#include <expected>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"
#include "node/capture_sockets.h"

namespace plait::local {

// The nameservers of a resolv.conf(5), at most three as the C library; port 53 unless it says "[address]:port" (as
// OpenBSD). Without any: 127.0.0.1, as the C library. Lines that name no address are left out.
std::vector<std::string> ReadNameservers(const std::string& resolv_conf);

// A UDP socket a nameserver, "resolver-udp-<i>", non-blocking. A nameserver that this host cannot reach at all has
// none. Never more than three.
std::vector<node::NamedSocket> ConnectToNameservers(const std::vector<std::string>& nameservers);

// A TCP socket that connects to the nameserver at `to`, non-blocking. The error is an errno: EACCES if that is none.
std::expected<io::UniqueFd, int> DialNameserver(const std::vector<std::string>& nameservers,
                                                const io::SocketAddress& to);

// $PLAIT_RESOLV_CONF (for tests), else /etc/resolv.conf.
std::string ResolvConfPath();

}  // namespace plait::local
