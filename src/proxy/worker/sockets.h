#pragma once
// The listening sockets of the process: inherited ones by the number of their port (contract with who starts us), and
// own ones. Main thread. A socket lives as long as a listener uses it; it is never re-bound while it does. When its
// listener lets it go, it stays until no worker watches it any more, and meanwhile another listener of the same address
// may take it over with what waits in it.
//
// Where nothing is captured (`plait up --net loopback`), a listener that restores destinations has a socket for each of
// them: "15001@10.96.3.4@9080" takes what is for 10.96.3.4:9080.
#include <map>
#include <memory>
#include <set>
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

  // What the local address of an accepted connection is in terms of listeners: a socket that was inherited as "80"
  // stands for port 80, whichever one it is bound to on its host; and on a gateway, a host's loopback for the gateway's
  // own address. Any thread.
  io::SocketAddress AsConfigured(io::SocketAddress local) const;
  // The process is a gateway at these addresses. If it inherited sockets, whoever gave them opens those of its other
  // ports, too, and starts a process in its place that has them: it opens a port that is not among them itself only
  // after `patience`. Before the first listener.
  void ServeGateway(std::vector<io::IpAddress> own, Duration patience = kPatience);

  // The sockets for all addresses of a listener, opened where they are not there; also when one cannot be had, the
  // others are opened. Errors name the first such address and what to do. `patient`: sockets that may still be given to
  // the process are not opened.
  Outcome<std::vector<int>> For(const xds::Listener& listener, bool patient = false);
  // Those of its sockets that it has already.
  std::vector<int> Has(const xds::Listener& listener) const;
  // Listeners by name, in the forms that are to serve next.
  using Forms = std::map<std::string, const xds::Listener*>;
  // Whether what For has failed of may be gone within patience().
  bool MayComeFree(const xds::Listener& listener) const;
  // Whether others let go of ports of the listener once these forms of them serve.
  bool IsLetGoBy(const Forms& forms, const xds::Listener& listener) const;
  // Whether For would succeed once these forms serve, by sockets that are open already.
  bool HasAllOnce(const Forms& forms, const xds::Listener& listener) const;
  Duration patience() const noexcept { return patience_; }

  // Of sockets that a listener has let go of; 0: it had none.
  enum class Ticket : std::uint64_t { kNone = 0 };
  // The listener is gone; or all its sockets that none of these forms of it wants.
  Ticket LetGo(const std::string& listener, const std::vector<const xds::Listener*>& wanted = {});
  // No worker watches them any more. Those that another listener has taken over meanwhile are its own.
  void Release(Ticket ticket);
  // The same where nobody is served for the rest of the process: connections to inherited sockets, which cannot be
  // closed, are reset on `loop`.
  void ReleaseAndRefuse(Ticket ticket, io::Loop& loop);
  // Another process serves the inherited sockets: from now on nothing is accepted from them here.
  void Leave() noexcept;
  // An inherited socket that no listener takes ("15021", "15053-udp4", "resolver-udp-0").
  io::UniqueFd Take(std::string_view name);
  std::vector<io::UniqueFd> TakeAll(std::string_view prefix);
  // Addresses that are bound for a listener, until they are released.
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
    Ticket left = Ticket::kNone;  // no listener's any more
  };
  // What connections to an inherited socket are for where its own address does not say it.
  struct StandIn {
    io::SocketAddress bound;
    Port port;
  };
  static constexpr Duration kPatience = std::chrono::seconds(2);
  static bool Serves(const Open& open, const io::SocketAddress& address);
  static bool IsWanted(const Open& open, const xds::Listener& form);
  static bool IsLetGo(const Open& open, const Forms& forms);
  Outcome<> Have(const xds::Listener& listener, const xds::ListenerAddress& wanted, bool patient,
                 std::vector<int>& into);
  bool Find(const std::string& listener, const io::SocketAddress& address, std::vector<int>& into) const;
  void TakeOver(const std::string& listener, const io::SocketAddress& address);
  bool MayBeGiven(Port port) const;
  const Bind bind_;
  std::vector<io::InheritedFd> inherited_;
  std::set<Port> given_;  // ports that were inherited, as in the beginning
  std::vector<StandIn> stand_ins_;
  std::vector<io::IpAddress> own_;  // a gateway's
  bool more_are_given_ = false;
  Duration patience_ = kPatience;
  std::uint64_t tickets_ = 0;
  std::vector<Open> open_;
  std::map<std::string, io::SocketAddress> destinations_;  // as in the beginning
  bool left_ = false;
  std::vector<std::unique_ptr<io::Listener>> refusing_;  // of inherited_, which they do not own
};

}  // namespace plait::proxy::worker
