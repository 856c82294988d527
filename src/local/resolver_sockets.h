#pragma once
// The supervisor's side of the host's resolvers: asks `plait`, outside, for sockets connected to them, fresh ones for
// each proxy process (answers come back on the socket, so no two may share one). One question at a time: descriptors
// that nobody has read yet count against the user's limit. Owned by the Supervisor; one loop thread.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/pending.h"
#include "core/io/loop.h"
#include "node/capture_sockets.h"

namespace plait::local {

class ResolverSockets {
 public:
  using OnSockets = std::move_only_function<void(std::vector<node::NamedSocket>)>;  // empty: there are none

  // `ask` sends one question; false when that is impossible.
  ResolverSockets(io::Loop& loop, std::function<bool()> ask) : loop_(loop), ask_(std::move(ask)) {}
  ~ResolverSockets();
  // `done` runs in a later round unless the handle was dropped before.
  [[nodiscard]] Pending Ask(OnSockets done);
  // The answer to the question that was sent. `names`: of the descriptors, separated by ':'.
  void OnAnswer(const std::string& names, std::vector<io::UniqueFd> fds);

 private:
  struct Asked;
  void SendNext();

  io::Loop& loop_;
  std::function<bool()> ask_;
  std::deque<Asked*> waiting_;  // the first one's question is sent; null: dropped
  bool sent_ = false;
};

}  // namespace plait::local
