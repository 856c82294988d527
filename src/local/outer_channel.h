#pragma once
// What `plait` (outside, on the host) and the supervisor (pid 1 of the mesh) tell each other over a SEQPACKET
// socketpair. The end of it is the end of the mesh: only `plait` holds the other end.
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
};
// kUnavailable when it would block, kPeerClosed at the end, kInvalidInput for what is no message.
Result<ReceivedMessage> ReceiveMessage(int socket);

}  // namespace plait::local
