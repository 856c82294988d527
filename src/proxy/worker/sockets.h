#pragma once
// The listening sockets of the process: inherited ones by the number of their port (contract with who starts us), and
// own ones. Main thread. A socket lives as long as a listener uses it; it is never re-bound while it does.
//
// Where nothing is captured (`plait up --net loopback`), a listener that restores destinations has a socket for each of
// them: "15001@10.96.3.4@9080" takes what is for 10.96.3.4:9080.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/socket.h"
#include "core/xds/listener.h"

namespace plait::proxy::worker {

class Sockets {
 public:
  enum class Bind : std::uint8_t { kAsNeeded, kNever };  // kNever: listeners are only checked
  explicit Sockets(std::vector<io::InheritedFd> inherited, Bind bind = Bind::kAsNeeded);

  // What connections to an inherited socket, by its own address, are for; null: nothing is said. Any thread.
  const io::SocketAddress* DestinationOf(const io::SocketAddress& local) const {
    if (destinations_.empty()) return nullptr;  // nearly always
    const auto found = destinations_.find(local.ToString());
    return found == destinations_.end() ? nullptr : &found->second;
  }

  // The sockets for all addresses of a listener, opened where they are not there. Errors name the address and what to
  // do.
  Outcome<std::vector<int>> For(const xds::Listener& listener);
  // The listener is gone and no worker watches its sockets any more.
  void Release(const std::string& listener);
  // The same for a listener that serves nobody for the rest of the process: connections to its inherited sockets, which
  // cannot be closed, are reset on `loop`.
  void ReleaseAndRefuse(const std::string& listener, io::Loop& loop);
  // Another process serves the inherited sockets: from now on nothing is accepted from them here.
  void Leave() noexcept;
  // An inherited socket that no listener takes ("15021", "15053-udp4", "resolver-udp-0").
  io::UniqueFd Take(std::string_view name);
  std::vector<io::UniqueFd> TakeAll(std::string_view prefix);
  // Addresses that are bound for a listener.
  std::vector<io::SocketAddress> AddressesOf(const std::string& listener) const;
  // Where a listener can be reached: its addresses as bound. One inherited socket may stand for several of them ([::]
  // takes IPv4 as well).
  std::vector<io::SocketAddress> AddressesOf(const xds::Listener& listener) const;

 private:
  struct Open {
    std::string listener;
    std::string address;    // as configured
    std::string inherited;  // as what; empty: an own one
    io::UniqueFd fd;
  };
  bool Find(const std::string& listener, const std::string& address, std::vector<int>& into) const;
  const Bind bind_;
  std::vector<io::InheritedFd> inherited_;
  std::vector<Open> open_;
  std::map<std::string, io::SocketAddress> destinations_;  // as in the beginning
  bool left_ = false;
  std::vector<std::unique_ptr<io::Listener>> refusing_;  // of inherited_, which they do not own
};

}  // namespace plait::proxy::worker
