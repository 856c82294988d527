#pragma once
// What a worker knows of a connection it serves, whatever is spoken on it.
#include <string>
#include <string_view>

#include "proxy/record/stream_record.h"

namespace plait::proxy::session {

struct Chain;

class Session {
 public:
  virtual ~Session() = default;
  // Ends after what is running: HTTP/1 answers with "Connection: close", HTTP/2 sends GOAWAY; TCP goes on. HTTP/1 that
  // idles waits for one more request, for the drain time of its connection manager, unless the process ends.
  virtual void Drain() = 0;
  // Ends now. `reason`: %CONNECTION_TERMINATION_DETAILS%.
  virtual void Close(std::string_view reason) = 0;
  virtual const record::ConnectionInfo& info() const noexcept = 0;
  // The chain that this session is served under was replaced, or the secrets that it names: what begins from now on
  // follows the new ones. Returns why they forbid the whole connection (semantics.md 5: the owner closes exactly
  // those); empty: it may stay.
  virtual std::string Follow(const Chain& chain) = 0;
};

class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  // The session is over: destroy it through the loop. Called once, never inside a call of the owner to the session.
  virtual void OnSessionEnded(Session& session) = 0;
  // The handshake of a session is done, and may have begun under what is in force no longer. Returns why the connection
  // must not go on; empty: it may.
  virtual std::string Refuse(Session&) { return {}; }
  // The listener drains: HTTP connections end with their next answer.
  virtual bool draining() const noexcept { return false; }
};

}  // namespace plait::proxy::session
