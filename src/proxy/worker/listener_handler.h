#pragma once
// One listener on one worker: takes accepted sockets through destination, inspection, filter chain and TLS to a
// session, and keeps the sessions. A new configuration applies to new connections, to new requests of those that are
// open, and ends those that it forbids. One thread.
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/io/socket.h"
#include "proxy/listen/compiled_listener.h"
#include "proxy/listen/inspection.h"
#include "proxy/session/context.h"
#include "proxy/session/intake.h"
#include "proxy/session/session.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

class ListenerHandler final : public session::SessionOwner {
 public:
  struct Hooks {
    // The listener that is bound to exactly this address, or to its port on the wildcard; null: none
    // (use_original_dst).
    std::function<ListenerHandler*(const io::SocketAddress&)> find;
    // What a connection to the socket with this address is for, where the socket alone says it; null: it does not.
    std::function<const io::SocketAddress*(const io::SocketAddress&)> destination;
    // The local address of a connection that was not redirected, as listeners' configurations and policies mean it.
    std::function<io::SocketAddress(io::SocketAddress)> as_configured;
    // Sockets that another worker should serve are given away here; false: keep it.
    std::function<bool(io::UniqueFd&, const std::string& listener)> give_away;
    std::function<void(int)> count;  // +1 and -1 for each connection
  };
  ListenerHandler(session::Context& context, Secrets& secrets, listen::ListenerPtr listener, Hooks& hooks);
  ~ListenerHandler() override;

  // Watches these sockets (the process's) for connections, and no others any more.
  void Listen(const std::vector<int>& sockets, bool shared);
  void Update(listen::ListenerPtr listener);
  // A socket that was accepted here or on another worker.
  void Serve(io::UniqueFd socket);
  // Accepts no more; HTTP connections end after what is running.
  void Drain();
  void StopAccepting() { Listen({}, false); }
  // Each HTTP connection ends with its next answer; those that are silent stay.
  void BeginDrain() { draining_ = true; }
  void CloseAll(std::string_view reason);
  std::size_t connections() const noexcept { return sessions_.size() + inspections_.size() + intakes_.size(); }
  const listen::CompiledListener& listener() const noexcept { return *listener_; }

  // The secrets that this listener or clusters name have changed: sessions follow them, or end.
  void FollowSecrets();

  void OnSessionEnded(session::Session& session) override;
  std::string Refuse(session::Session& session) override;
  bool draining() const noexcept override { return draining_; }

 private:
  void Accepted(io::UniqueFd socket);
  void Begin(std::unique_ptr<io::Stream> stream, record::ConnectionInfo info);
  void Inspect(std::unique_ptr<io::Stream> stream, record::ConnectionInfo info);
  void Choose(std::unique_ptr<io::Stream> stream, Buffer seen, bool inspected, const listen::Findings& findings,
              record::ConnectionInfo info);
  // It is over for the listener, whether it became a session or not. `stats`: of what it was bound as at the beginning.
  void Left(const record::ListenerStats& stats, MonotonicTime accepted);
  // The connection ends here: a line in the listener's log.
  void LeaveRecord(const record::ConnectionInfo& info, record::ResponseFlags flags, std::string response_details,
                   std::string termination_details = {});
  void Start(const session::ChainPtr& chain, std::unique_ptr<io::Stream> stream, record::ConnectionInfo info);
  std::unique_ptr<session::Session> MakeSession(const session::Chain& chain, std::unique_ptr<io::Stream> stream,
                                                record::ConnectionInfo info);
  template <class Kind, class Config>
  void StartIntake(const std::string& chain, std::shared_ptr<const Config> config, std::unique_ptr<io::Stream> stream,
                   record::ConnectionInfo info);
  void Serve(std::unique_ptr<session::Session> session, const std::string& chain);
  const session::Chain* ChainNamed(const std::string& name) const;
  // A session follows the chain of its name in the present listener, or ends if that forbids it.
  void Follow(session::Session& session, const std::string& chain);

  session::Context& context_;
  Secrets& secrets_;
  listen::ListenerPtr listener_;
  Hooks& hooks_;
  bool draining_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::vector<int> watched_;
  std::vector<std::unique_ptr<io::Listener>> accepting_;
  struct Serving {
    std::unique_ptr<session::Session> session;
    std::string chain;          // its name
    bool began_before = false;  // something has changed since it began
  };
  std::unordered_map<session::Session*, Serving> sessions_;
  std::unordered_map<listen::Inspection*, std::unique_ptr<listen::Inspection>> inspections_;
  std::unordered_map<session::Intake*, std::unique_ptr<session::Intake>> intakes_;
};

}  // namespace plait::proxy::worker
