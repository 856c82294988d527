#pragma once
// Ends the service of an Envoy without losing a request, as Istio's agent does: it is told to drain what comes in, and
// is done when nothing runs any more. Owned by EnvoyProcess; one loop thread.
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "core/base/pending.h"
#include "core/io/loop.h"
#include "core/io/stream.h"

namespace plait::local {

// What Envoy's /stats says of the inbound side.
struct InboundActivity {
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
};
// From lines "<name>: <value>". Connections are those of the listener on 15006, requests those of its HTTP chains.
InboundActivity ReadInboundActivity(std::string_view stats);

class EnvoyDrain {
 public:
  // `dial` makes a connection to Envoy's admin port; null when that is impossible. `done` runs once, in a later round,
  // unless the object was destroyed before: when all is quiet, or Envoy does not answer (it is gone).
  EnvoyDrain(io::Loop& loop, std::function<std::unique_ptr<io::Stream>()> dial, std::function<void()> done);

 private:
  void Ask(const char* method, const char* path);
  void Answered(std::optional<std::string_view> body);

  io::Loop& loop_;
  std::function<std::unique_ptr<io::Stream>()> dial_;
  std::function<void()> done_;
  MonotonicTime begun_;
  io::Timer poll_;
  Pending request_;
};

}  // namespace plait::local
