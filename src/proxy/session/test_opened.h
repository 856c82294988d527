#pragma once
// The events of a stream of which a test wants to know only that it is open.
#include "core/io/stream.h"

namespace plait::proxy::session {

struct Opened final : io::StreamEvents {
  void OnOpen() override { open = true; }
  void OnReadable() override {}
  void OnWritable() override {}
  void OnFailed(Error) override {}
  bool open = false;
};

}  // namespace plait::proxy::session
