#pragma once
// Asks resolvers outside of the mesh, over sockets that are connected to them. Each question has a random id of its
// own; an answer counts only if id, name and type are those that were asked. Two tries of 2 s, then it gives up.
#include <functional>
#include <memory>
#include <vector>

#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "proxy/dns/message.h"

namespace plait::proxy::dns {

class Forwarder {
 public:
  using OnAnswer = std::move_only_function<void(Result<Bytes>)>;  // with the id of the forwarder, not of the client
  static constexpr std::size_t kMostQuestions = 1024;             // in flight; more: kLimit at once
  static constexpr Duration kTry = std::chrono::seconds(2);

  Forwarder(io::Loop& loop, std::vector<io::UniqueFd> udp, std::vector<io::UniqueFd> tcp);
  ~Forwarder();
  bool has_resolvers() const noexcept;
  // `message`: a whole query; its id is replaced. `tcp`: over TCP if there is such a socket. The answer comes in a
  // later round, also failures, unless the handle is dropped before.
  [[nodiscard]] Pending Ask(std::vector<std::uint8_t> message, const std::string& name, std::uint16_t type, bool tcp,
                            OnAnswer done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::proxy::dns
