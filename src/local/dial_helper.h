#pragma once
// The mesh's way to the outside (semantics.md 8, "Outside world"): a process on the host that opens connections for the
// proxies, which have no way out of their network namespaces, and passes the sockets. It decides nothing: a proxy asks
// only after the outbound policy allowed it, and nobody but proxies reaches the socket, which lies in the run folder.
// The host's resolvers, which proxies ask for names over TCP too, are dialled at whatever address resolv.conf has.
// It ends with `plait`, at the end of their socketpair.
#include <sys/types.h>

#include <expected>
#include <string>

#include "core/base/port.h"
#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"

namespace plait::local {

// The host's own 127.0.0.1 as workloads name it, "host.plait.internal": a loopback address would be their own.
io::IpAddress HostLoopback();
inline constexpr const char* kHostLoopbackName = "host.plait.internal";

// What the helper dials for `to`; the error is an errno. Other loopback addresses, and plaitd's debug pages on
// HostLoopback():`debug_port`, are refused (EACCES): they trust whoever is on this host. Pure.
std::expected<io::SocketAddress, int> TranslateOutside(const io::SocketAddress& to, Port debug_port);

// The side of `plait`: owns the process and the listening socket, which outlives it. Single-threaded.
class DialHelper {
 public:
  // Opens `path` and starts the process.
  static Outcome<DialHelper> Start(const std::string& path, Port debug_port);
  DialHelper() = default;
  DialHelper(DialHelper&& other) noexcept = default;
  DialHelper& operator=(DialHelper&& other) noexcept = default;
  ~DialHelper();  // it ends at the end of `alive_`; waits for it

  int pidfd() const noexcept { return pidfd_.get(); }  // readable when it has ended; -1 when it is not to be watched
  // After it has ended: another takes its place, at once or, when it lived for less than a second, after one; false
  // then.
  bool Restart();
  int RestartsIn() const noexcept;  // milliseconds; -1: none is awaited
  void RestartIfDue();

 private:
  Outcome<> Spawn();

  io::UniqueFd listener_;
  io::UniqueFd alive_;
  io::UniqueFd pidfd_;
  Port debug_port_;
  std::int64_t started_ms_ = 0;
  std::int64_t restart_ms_ = 0;  // when the next one is started; 0: it runs
};

// `plait @dial-helper <alive> <listener> <debug port>`: main of the process. Returns the exit code.
int DialHelperMain(int alive, int listener, Port debug_port);

}  // namespace plait::local
