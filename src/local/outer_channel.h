#pragma once
// What `plait` (outside, on the host) and the supervisor (pid 1 of the mesh) tell each other over a SEQPACKET
// socketpair. The end of it is the end of the mesh: only `plait` holds the other end.
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/mesh_context.h"

namespace plait::local {

struct OuterMessage {
  enum class Kind : std::uint8_t {
    kOptions,    // -> supervisor: first message; sockets: plait-init, 15014, lock
    kListen,     // -> plait: open a host socket for this gateway port
    kListening,  // -> supervisor: here it is (one socket), on `host_port`
    kNotice,     // -> plait: tell the person `text`, of `severity` ("step", "info", "warning", "error")
    kReady,      // -> plait: everything is ready; `severity` "error": but for what the files have errors in
    kStop,       // -> supervisor: end in order
    kEnding,     // -> plait: somebody said `plait down`
    kResolve,    // -> plait: connect to the host's resolvers
    kResolvers,  // -> supervisor: here they are, named by `text` ("resolver-udp-0:resolver-udp-1")
  };
  Kind kind = Kind::kNotice;
  std::string severity;
  std::string text;
  Port port;
  Port host_port;
  UpOptions options;
  Port debug_port;
  uid_t application_id = 0;
};

Result<> SendMessage(int socket, const OuterMessage& message, const std::vector<int>& fds = {});
struct ReceivedMessage {
  OuterMessage message;
  std::vector<io::UniqueFd> fds;
  bool lost_fds = false;  // for want of a free descriptor in this process; `fds` is empty
};
// kUnavailable when it would block, kPeerClosed at the end, kInvalidInput for what is no message.
Result<ReceivedMessage> ReceiveMessage(int socket);

// Sends in order, and never waits: what a full socket does not take is kept until Flush, of notices only the first.
class OuterSender {
 public:
  explicit OuterSender(int socket) : socket_(socket) {}

  // Errors: the other end is gone, or takes no such message.
  Result<> Send(OuterMessage message);
  Result<> Flush();  // the socket may take more
  // How many notices were dropped since the last call; 0 as long as others wait, which were said before them.
  std::size_t TakeDropped();

 private:
  static constexpr std::size_t kMaxWaiting = 200;

  int socket_;
  std::deque<OuterMessage> waiting_;
  std::size_t dropped_ = 0;
};

}  // namespace plait::local
