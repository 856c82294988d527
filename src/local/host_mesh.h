#pragma once
// The outer side of a mesh: what `plait up` does on the host. It takes the run folder, starts pid 1 of the mesh, opens
// host sockets and passes them in, and ends the mesh by ending itself: the supervisor dies at the end of their socket.
// Blocking and single-threaded: the process does nothing else.
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/result.h"
#include "local/dial_helper.h"
#include "local/mesh_context.h"
#include "local/mesh_process.h"
#include "local/outer_channel.h"
#include "local/run_lock.h"

namespace plait::local {

struct HostEvent {
  enum class Kind : std::uint8_t {
    kNotice,       // tell the person
    kReady,        // all workloads are ready; `severity` "error": the directory has errors, which were told
    kInterrupted,  // Ctrl-C, SIGTERM or SIGHUP came
    kEnding,       // somebody said `plait down`
    kEnded,        // pid 1 has ended; nothing is left but the run folder
    kTimeout,      // of Wait
  };
  Kind kind = Kind::kTimeout;
  std::string severity;
  std::string text;
  bool in_order = true;  // kEnded: as asked for
};

// What a verb does to the host's files while the name of the mesh is its own: before anything else, and when nothing of
// the mesh runs any more. Either may be empty.
struct MeshFiles {
  std::function<Outcome<>()> make;
  std::function<void()> remove;  // also when the start has failed, `make` included
};

// Where the gateway's ports 80 and 8080 are reached on 127.0.0.1.
struct GatewayPort {
  Port port;            // 0: any free one
  bool chosen = false;  // by a person: one that this user may not have is an error
};

class HostMesh {
 public:
  // Errors: also a chosen port that this user may not have, before anything is started or made.
  static Outcome<std::unique_ptr<HostMesh>> Start(const UpOptions& options, GatewayPort gateway, MeshFiles files = {});
  // Ends what still runs, and removes the run folder.
  ~HostMesh();

  // The next event; waits at most `milliseconds` (-1: for ever).
  HostEvent Wait(int milliseconds);
  void Stop();  // in order: SIGTERM, grace period, SIGKILL
  void Kill();  // now

 private:
  HostMesh(UpOptions options, GatewayPort gateway, RunLock lock)
      : options_(std::move(options)), gateway_(gateway), lock_(std::move(lock)) {}
  Outcome<> ReserveChosenPort();
  Outcome<> OpenDebugSocket();
  Outcome<> StartSupervisor();
  std::optional<HostEvent> OnChannel();
  std::optional<HostEvent> OnListen(Port port);
  void OnResolve();

  UpOptions options_;
  GatewayPort gateway_;
  io::UniqueFd reserved_;  // the chosen port, until a gateway asks for it or all is ready without one
  std::set<Port> given_;   // ports of this host that the gateway has
  MeshFiles files_;
  RunLock lock_;
  DialHelper dial_helper_;
  MeshProcess process_;
  io::UniqueFd channel_;
  io::UniqueFd signals_;
  io::UniqueFd debug_listener_;
  Port debug_port_;
  bool stopping_ = false;
};

// A listening socket on 127.0.0.1.
struct HostSocket {
  io::UniqueFd fd;
  Port port;
  std::string moved;  // why it is not the port that was wanted; empty: it is
};
// On the next free port from `wanted` on, or on any (0, and where those cannot be had).
Outcome<HostSocket> ListenOnHost(Port wanted);

}  // namespace plait::local
