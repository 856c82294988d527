#pragma once
// gRPC client: calls on one HTTP/2 connection. Connecting, TLS and reconnecting are the caller's: it makes the stream,
// and makes a new Channel when this one said OnDown. One loop thread.
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/pending.h"
#include "core/conn/connection.h"
#include "core/grpc/status.h"

namespace plait::grpc {

struct ChannelOptions {
  std::string authority;      // :authority
  bool tls = false;           // :scheme https
  std::string authorization;  // sent with every call when not empty: "Bearer <token>"; never logged
  std::string user_agent = "plait";
  std::size_t max_message = 64 * 1024 * 1024;  // received; more: RESOURCE_EXHAUSTED
};
struct CallOptions {
  Duration timeout{};  // 0: none; else grpc-timeout and a local DEADLINE_EXCEEDED
  Metadata metadata;
};

// What a streaming call tells its caller. No event runs inside a call to ClientCall or Channel.
class ClientCallEvents {
 public:
  virtual ~ClientCallEvents() = default;
  virtual void OnInitialMetadata(const Metadata& /*metadata*/) {}
  virtual void OnMessage(std::string message) = 0;
  virtual void OnWritable() {}
  virtual void OnFinished(const Status& status, const Metadata& trailers) = 0;  // last event, once
};

// A streaming call (client, server or both ways). Destroying it cancels; no event follows then.
class ClientCall {
 public:
  virtual ~ClientCall() = default;
  virtual void Send(std::string_view message) = 0;
  virtual void HalfClose() = 0;
  virtual bool above_high_watermark() const noexcept = 0;
  virtual void PauseReading(bool paused) = 0;
};

struct UnaryResult {
  Status status;
  std::string message;  // when ok
  Metadata trailers;
};

class Channel {
 public:
  // `stream`: open or opening; HTTP/2 is spoken whatever its ALPN says. Calls may start at once: they wait for the
  // stream. `on_down`: once, when no new call can be made (connection lost, GOAWAY); running calls of a GOAWAY go on.
  // The channel is then destroyed by its owner, through the loop when inside the callback.
  Channel(io::Loop& loop, std::unique_ptr<io::Stream> stream, ChannelOptions options,
          std::move_only_function<void(const Error&)> on_down = {});
  ~Channel();  // cancels what runs: UNAVAILABLE is not told, their handles are simply dead
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bool up() const noexcept;  // calls can be made
  const io::TlsFacts* tls() const noexcept;
  const io::Stream& transport() const noexcept;  // what was given; also when it has failed

  [[nodiscard]] std::unique_ptr<ClientCall> Start(std::string_view method, CallOptions options,
                                                  ClientCallEvents& events);
  // `done` runs once, in a later round, unless the handle was dropped before (which cancels).
  [[nodiscard]] Pending Unary(std::string_view method, CallOptions options, std::string_view message,
                              std::move_only_function<void(UnaryResult)> done);

 private:
  class Connection;
  class Call;
  std::shared_ptr<Connection> connection_;
};

}  // namespace plait::grpc
