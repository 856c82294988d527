#pragma once
// The mesh's control socket: SEQPACKET, JSON requests
// {"op":"status|exec|dial|hold|replace-proxy|renew-identity|check-capture|down"}, answers in JSON with descriptors
// where they help: the status is a memory file, `dial` gives a connected socket, `exec` takes the client's streams or
// gives a terminal; `hold` names a file of the overlay that goes when the client does. Only the mesh's user can reach
// the socket (its folder is closed to others). One loop thread.
#include <memory>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/socket.h"
#include "core/io/timer.h"
#include "local/join_container.h"
#include "local/mesh_status.h"
#include "local/reaper.h"

namespace plait::local {

class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  virtual MeshStatus Status() = 0;
  virtual Outcome<io::UniqueFd> Dial(const std::string& workload, Port port) = 0;
  virtual Outcome<Joined> Exec(const std::string& workload, const std::string& container, JoinPlan plan) = 0;
  // A new process takes over the sockets of the workload's proxy; the old one drains. Returns at once.
  virtual Outcome<> ReplaceProxy(const std::string& workload) = 0;
  virtual Outcome<> RenewIdentity(const std::string& workload) = 0;
  // How what captures the workload's connections differs from what was loaded; "": it does not.
  virtual Outcome<std::string> CheckCapture(const std::string& workload) = 0;
  // Removes <overlay>/<file>; missing is fine.
  virtual void RemoveOverlay(const std::string& file) = 0;
  virtual void Down() = 0;
};

class ControlServer final : private io::FdEvents {
 public:
  static Outcome<std::unique_ptr<ControlServer>> Open(io::Loop& loop, Reaper& reaper, const std::string& path,
                                                      ControlHandler& handler);
  ~ControlServer() override;

 private:
  class Session;
  ControlServer(io::Loop& loop, Reaper& reaper, ControlHandler& handler);
  void OnFdReady(std::uint32_t events) override;  // the listening socket
  void Drop(Session& session);
  void KeepSpares();
  bool GiveUpSpares();  // false when there were none

  io::Loop& loop_;
  Reaper& reaper_;
  ControlHandler& handler_;
  io::UniqueFd socket_;
  // What a client and its answer take, given up for those where no other descriptor is left: then above all somebody
  // asks how the mesh is.
  std::vector<io::UniqueFd> spares_;
  io::Timer again_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace plait::local
