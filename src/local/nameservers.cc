#include "local/nameservers.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "core/base/port.h"
#include "core/base/strings.h"

namespace plait::local {
namespace {

constexpr std::size_t kMostNameservers = 3;

// "fe80::1%eth0" has a scope, which only getaddrinfo reads.
struct Native {
  sockaddr_storage address{};
  socklen_t length = 0;
};
Native Resolve(std::string_view nameserver) {
  std::string host(nameserver);
  std::string port = "53";
  if (host.starts_with('[')) {
    const auto [inner, rest] = SplitOnce(nameserver.substr(1), ']');
    if (!rest || !(rest->empty() || rest->starts_with(':'))) return {};
    host = inner;
    // getaddrinfo takes any number for a port, of which the kernel then sees 16 bits.
    if (!rest->empty() && !ParsePort(rest->substr(1))) return {};
    if (!rest->empty()) port = rest->substr(1);
  }
  if (host.find('\0') != std::string::npos) return {};
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  Native native;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return native;
  native.length = found->ai_addrlen;
  std::copy_n(reinterpret_cast<const char*>(found->ai_addr), native.length, reinterpret_cast<char*>(&native.address));
  freeaddrinfo(found);
  return native;
}

std::expected<io::UniqueFd, int> Connect(const Native& to, int type) {
  io::UniqueFd fd(socket(to.address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.address), to.length) == 0 || errno == EINPROGRESS)
    return fd;
  return std::unexpected(errno);
}

}  // namespace

std::vector<std::string> ReadNameservers(const std::string& resolv_conf) {
  std::vector<std::string> out;
  for (const std::string_view line : Split(resolv_conf, '\n')) {
    constexpr std::string_view kKeyword = "nameserver";
    if (!line.starts_with(kKeyword) || line.size() == kKeyword.size()) continue;
    if (line[kKeyword.size()] != ' ' && line[kKeyword.size()] != '\t') continue;
    const std::string_view rest = Trim(line.substr(kKeyword.size()));
    std::string address(rest.substr(0, rest.find_first_of(" \t")));
    if (out.size() < kMostNameservers && Resolve(address).length != 0) out.push_back(std::move(address));
  }
  if (out.empty()) out.emplace_back("127.0.0.1");
  return out;
}

std::vector<node::NamedSocket> ConnectToNameservers(const std::vector<std::string>& nameservers) {
  std::vector<node::NamedSocket> out;
  for (std::size_t i = 0; i < nameservers.size() && i < kMostNameservers; ++i) {
    const Native to = Resolve(nameservers[i]);
    if (to.length == 0) continue;
    if (std::expected<io::UniqueFd, int> fd = Connect(to, SOCK_DGRAM))
      out.push_back({"resolver-udp-" + std::to_string(i), std::move(*fd)});
  }
  return out;
}

std::expected<io::UniqueFd, int> DialNameserver(const std::vector<std::string>& nameservers,
                                                const io::SocketAddress& to) {
  for (const std::string& nameserver : nameservers) {
    // With the scope of a link-local address, which `to` does not have.
    const Native native = Resolve(nameserver);
    if (native.length == 0) continue;
    if (io::SocketAddress::FromNative(reinterpret_cast<const sockaddr*>(&native.address), native.length) == to)
      return Connect(native, SOCK_STREAM);
  }
  return std::unexpected(EACCES);
}

std::string ResolvConfPath() {
  const char* path = std::getenv("PLAIT_RESOLV_CONF");
  return path && *path ? path : "/etc/resolv.conf";
}

}  // namespace plait::local
