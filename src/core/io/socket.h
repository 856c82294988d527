#pragma once
// TCP and Unix sockets: options, non-blocking streams on them, listeners, original destination, inherited descriptors.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/address.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/unique_fd.h"

namespace plait::io {

// Marks that the capture rules know (semantics.md 8): sockets to the own application, and sockets to others.
inline constexpr std::uint32_t kMarkToApplication = 0x539;
inline constexpr std::uint32_t kMarkOutbound = 0x53a;

struct KeepAlive {
  Duration idle = std::chrono::hours(2);
  Duration interval = std::chrono::seconds(75);
  std::uint32_t probes = 9;
};

struct ConnectOptions {
  std::optional<SocketAddress> bind;  // source; with IP_BIND_ADDRESS_NO_PORT when its port is 0
  std::uint32_t mark = 0;             // SO_MARK; EPERM is tolerated (no capture without the right to mark)
  std::optional<KeepAlive> keep_alive;
  Duration timeout = std::chrono::seconds(10);  // connect; kTimedOut
};

// Starts to connect. Failure, also an immediate one, is told by OnFailed in a later round.
std::unique_ptr<Stream> Connect(Loop& loop, const SocketAddress& to, const ConnectOptions& options = {});
// A stream on a connected non-blocking socket (accepted, or passed by another process). TCP_NODELAY is set.
std::unique_ptr<Stream> AdoptSocket(Loop& loop, UniqueFd fd, const std::optional<KeepAlive>& keep_alive = {});
// Two streams connected to each other (a socketpair): tests, in-process wiring.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> StreamPair(Loop& loop);

struct ListenOptions {
  int backlog = 4096;
  bool v6_only = false;      // [::] takes both families by default
  bool transparent = false;  // IP_TRANSPARENT
};
// Binds and listens; the socket is non-blocking and close-on-exec. Never SO_REUSEPORT (semantics.md 8).
Outcome<UniqueFd> ListenOn(const SocketAddress& address, const ListenOptions& options = {});
SocketAddress LocalAddress(int fd);
SocketAddress PeerAddress(int fd);

// Accepts on a listening socket that it does not own, in bounded batches; EMFILE pauses for 100 ms.
class Listener final : private FdEvents {
 public:
  using OnAccept = std::move_only_function<void(UniqueFd)>;  // non-blocking socket
  // `shared`: several loops watch the same socket (EPOLLEXCLUSIVE).
  Listener(Loop& loop, int fd, bool shared, OnAccept on_accept);
  ~Listener() override;
  void Pause();  // stops accepting; connections wait in the backlog
  void Resume();

 private:
  void OnFdReady(std::uint32_t events) override;
  void Watch();
  void WaitForDescriptors();
  Loop& loop_;
  int fd_;
  bool shared_;
  bool paused_ = false;
  bool starved_ = false;  // of descriptors or memory; not watched, until the timer
  MonotonicTime told_ = {};
  OnAccept on_accept_;
  Timer resume_;
};

// The destination before nftables redirected the connection (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST).
// kNotFound when it was not redirected or there is no connection tracking.
Result<SocketAddress> OriginalDestination(int fd);

// Sockets given by the parent: LISTEN_FDS, LISTEN_FDNAMES (sd_listen_fds(3)); LISTEN_PID is checked when set.
// Reads the environment once, removes it, sets close-on-exec.
struct InheritedFd {
  std::string name;
  UniqueFd fd;
};
std::vector<InheritedFd> TakeInheritedFds();

// Descriptors over a Unix socket (SCM_RIGHTS). At most 64 descriptors and 64 KiB a message.
Result<> SendFds(int socket, std::string_view message, const std::vector<int>& fds);
struct FdMessage {
  std::string message;
  std::vector<UniqueFd> fds;
};
Result<FdMessage> ReceiveFds(int socket);  // kPeerClosed at the end; kUnavailable when it would block

}  // namespace plait::io
