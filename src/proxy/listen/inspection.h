#pragma once
// Reads the first bytes of a connection until it is known what a filter chain is chosen by: the ClientHello, or that
// the client speaks HTTP in plaintext. Owned by the intake of a listener; one thread. Mirrors Envoy's tls_inspector and
// http_inspector.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/timer.h"

namespace plait::proxy::listen {

struct Findings {
  bool tls = false;
  std::string server_name;        // lower case
  std::vector<std::string> alpn;  // of the ClientHello; or "http/1.0", "http/1.1", "h2c" by inspection
  bool timed_out = false;
};

class Inspection final : private io::StreamEvents {
 public:
  struct Wanted {
    bool tls = false;
    bool http = false;
    Duration limit{0};  // 0: none
  };
  // Runs once, in a later round: the stream, what was read of it, what it is. A null stream: the client went away.
  // May destroy the inspection only through the loop.
  using OnDone = std::move_only_function<void(std::unique_ptr<io::Stream>, Buffer, Findings)>;

  Inspection(io::Loop& loop, std::unique_ptr<io::Stream> stream, Wanted wanted, OnDone done);
  ~Inspection() override;

 private:
  void OnOpen() override { Look(); }
  void OnReadable() override { Look(); }
  void OnWritable() override {}
  void OnFailed(Error error) override;
  void Look();
  // True when everything that is wanted is known.
  bool Judge();
  void Done();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  Wanted wanted_;
  OnDone done_;
  Buffer seen_;
  Findings findings_;
  io::Timer limit_;
};

}  // namespace plait::proxy::listen
