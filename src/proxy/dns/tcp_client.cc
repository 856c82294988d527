#include "proxy/dns/tcp_client.h"

#include <array>

namespace plait::proxy::dns {

TcpMessages::TcpMessages(io::Loop& loop, std::unique_ptr<io::Stream> stream, Duration idle, OnMessage on_message,
                         OnEnd on_end)
    : loop_(loop),
      stream_(std::move(stream)),
      idle_(idle),
      on_message_(std::move(on_message)),
      on_end_(std::move(on_end)),
      timer_([this] { End(); }) {
  stream_->SetEvents(this);
  if (idle_ > Duration::zero()) timer_.Start(loop_.timers(), idle_);
}

TcpMessages::~TcpMessages() { stream_->SetEvents(nullptr); }

void TcpMessages::OnOpen() {
  open_ = true;
  Flush();
  OnReadable();
}

void TcpMessages::OnReadable() {
  while (!ended_) {
    const auto n = stream_->Read(in_, Buffer::kChunkSize);
    while (in_.size() >= 2) {
      const Bytes prefix = in_.Linearize(2);
      const std::size_t length = static_cast<std::size_t>(prefix[0] << 8) | prefix[1];
      if (in_.size() < 2 + length) break;
      std::vector<std::uint8_t> message(length);
      in_.CopyOut(message, 2);
      in_.Drain(2 + length);
      if (idle_ > Duration::zero()) timer_.Start(loop_.timers(), idle_);
      on_message_(message);
      if (ended_) return;
    }
    if (!n) return End();
    if (*n == 0) return;
  }
}

bool TcpMessages::Send(Bytes message) {
  constexpr std::size_t kMostWaiting = 1024 * 1024;
  if (ended_ || message.size() > 65535 || out_.size() > kMostWaiting) return false;
  const std::array<std::uint8_t, 2> length = {static_cast<std::uint8_t>(message.size() >> 8),
                                              static_cast<std::uint8_t>(message.size() & 0xFF)};
  out_.Append(Bytes(length));
  out_.Append(message);
  Flush();
  return true;
}

void TcpMessages::Flush() {
  while (open_ && !ended_ && !out_.empty()) {
    const auto n = stream_->Write(out_);
    if (!n) return End();
    if (*n == 0 || !out_.empty()) return;  // OnWritable goes on
  }
}
void TcpMessages::OnWritable() { Flush(); }

void TcpMessages::End() {
  if (ended_) return;
  ended_ = true;
  timer_.Cancel();
  stream_->Close(false);
  loop_.Defer([call = on_end_] { call(); });
}

}  // namespace plait::proxy::dns
