#pragma once
// DNS over TCP (RFC 7766): messages with a 16-bit length in front, over one stream; both for clients of ours and
// towards a resolver. One loop thread; destroyed through the loop.
#include <functional>
#include <memory>

#include "core/base/buffer.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/timer.h"

namespace plait::proxy::dns {

class TcpMessages final : public io::StreamEvents {
 public:
  using OnMessage = std::function<void(Bytes)>;
  using OnEnd = std::function<void()>;
  // `idle`: ends the connection when no message came for so long; 0: never. `on_end` is called once, never inside a
  // call of the owner; the owner destroys this through the loop then.
  TcpMessages(io::Loop& loop, std::unique_ptr<io::Stream> stream, Duration idle, OnMessage on_message, OnEnd on_end);
  ~TcpMessages() override;
  // At most 65,535 bytes; they wait until the stream is open. False when the connection has ended or 1 MiB waits to be
  // sent.
  bool Send(Bytes message);

 private:
  void OnOpen() override;
  void OnReadable() override;
  void OnWritable() override;
  void OnFailed(Error) override { End(); }
  void Flush();
  void End();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  Duration idle_;
  OnMessage on_message_;
  OnEnd on_end_;
  Buffer in_, out_;
  bool open_ = false;
  bool ended_ = false;
  io::Timer timer_;
};

}  // namespace plait::proxy::dns
