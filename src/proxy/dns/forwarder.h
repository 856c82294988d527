#pragma once
// Asks resolvers outside of the mesh: over UDP sockets that are connected to them, and over TCP connections that are
// made when a question needs one and end when nothing comes over them (RFC 7766). Each question has a random id of its
// own; an answer counts only if id, name and type are those that were asked. Two tries of 2 s, then it gives up.
#include <functional>
#include <memory>
#include <vector>

#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/unique_fd.h"
#include "proxy/dns/message.h"

namespace plait::proxy::dns {

class Forwarder {
 public:
  using OnAnswer = std::move_only_function<void(Result<Bytes>)>;  // with the id of the forwarder, not of the client
  using Dial = std::function<std::unique_ptr<io::Stream>()>;      // begins to connect to one resolver, over TCP
  static constexpr std::size_t kMostQuestions = 1024;             // in flight; more: kLimit at once
  static constexpr Duration kTry = std::chrono::seconds(2);
  static constexpr Duration kIdle = std::chrono::seconds(10);  // of a TCP connection

  Forwarder(io::Loop& loop, std::vector<io::UniqueFd> udp, std::vector<Dial> tcp);
  ~Forwarder();
  bool has_resolvers() const noexcept;
  // `message`: a whole query; its id is replaced. `tcp`: the answer is whole, of whatever length: where no resolver can
  // be reached over TCP, one over UDP that is truncated is a failure. The answer comes in a later round, also failures,
  // unless the handle is dropped before.
  [[nodiscard]] Pending Ask(std::vector<std::uint8_t> message, const std::string& name, std::uint16_t type, bool tcp,
                            OnAnswer done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::proxy::dns
