#pragma once
// plaitd of the mesh and the channel to it (desired.h): started with a fresh socketpair, restarted when it dies; after
// each start it is told the whole status table again. Owned by the Supervisor.
#include <functional>
#include <memory>
#include <string>

#include "core/base/buffer.h"
#include "core/io/socket.h"
#include "local/back_off.h"
#include "local/desired.h"
#include "local/log_file.h"
#include "local/mesh_context.h"

namespace plait::local {

class PlaitdProcess final : private io::StreamEvents {
 public:
  struct Events {
    std::function<void(PlaitdMessage)> on_message;
    std::function<void()> on_connected;                    // send the table
    std::function<void(const std::string& why)> on_ended;  // it will be started again
  };
  // `debug_listener`: host socket of 15014, passed as "15014"; -1: none.
  PlaitdProcess(MeshContext& mesh, int debug_listener, Events events);
  ~PlaitdProcess() override;

  Outcome<> Start();
  void Send(std::string line);
  void Stop();  // SIGTERM; no restart
  pid_t pid() const noexcept { return pid_; }

 private:
  static constexpr std::size_t kMaxLine = 64 * 1024 * 1024;
  void OnOpen() override { OnWritable(); }  // what was sent before
  void OnReadable() override;
  void OnWritable() override;
  void OnFailed(Error) override {}  // its end tells
  void OnEnded(ProcessEnd end);
  void RestartLater();
  void TakeLines();

  MeshContext& mesh_;
  int debug_listener_;
  Events events_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<io::Stream> channel_;
  Buffer in_;
  Buffer out_;
  std::size_t searched_ = 0;  // of in_: no line end before
  pid_t pid_ = 0;
  bool stopping_ = false;
  BackOff back_off_;
  MonotonicTime running_since_;
  io::Timer restart_;
  Pending end_;
};

}  // namespace plait::local
