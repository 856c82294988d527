#include "proxy/session/prefixed_stream.h"

#include <utility>

#include "core/io/timer.h"

namespace plait::proxy::session {
namespace {

class PrefixedStream final : public io::Stream, private io::StreamEvents {
 public:
  PrefixedStream(io::Loop& loop, std::unique_ptr<io::Stream> inner, Buffer first)
      : inner_(std::move(inner)), first_(std::move(first)), opening_([this] { Announce(); }) {
    inner_->SetEvents(this);
    opening_.Start(loop.timers(), Duration(0));
  }

  void SetEvents(io::StreamEvents* events) noexcept override { owner_ = events; }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override {
    if (first_.empty()) return inner_->Read(into, max);
    const std::size_t n = std::min(max, first_.size());
    into.MoveFrom(first_, n);
    return n;
  }
  Result<std::size_t> Write(Buffer& from) override { return inner_->Write(from); }
  void ShutdownWrite() override { inner_->ShutdownWrite(); }
  bool unsent() const noexcept override { return inner_->unsent(); }
  void Close(bool reset) noexcept override {
    opening_.Cancel();
    first_.Clear();
    inner_->Close(reset);
  }
  const io::SocketAddress& local() const noexcept override { return inner_->local(); }
  const io::SocketAddress& remote() const noexcept override { return inner_->remote(); }
  const io::TlsFacts* tls() const noexcept override { return inner_->tls(); }
  int fd() const noexcept override { return inner_->fd(); }
  const io::Stream& inner() const noexcept { return *inner_; }

 private:
  // The owner learns that the stream is open, and that bytes are there, in a round of its own.
  void Announce() {
    opened_ = true;
    if (owner_ != nullptr) owner_->OnOpen();
    if (owner_ != nullptr && opened_) owner_->OnReadable();
  }
  void OnOpen() override {}
  void OnReadable() override {
    if (opened_ && owner_ != nullptr) owner_->OnReadable();
  }
  void OnWritable() override {
    if (opened_ && owner_ != nullptr) owner_->OnWritable();
  }
  void OnFailed(Error error) override {
    opening_.Cancel();
    opened_ = false;
    if (owner_ != nullptr) owner_->OnFailed(error);
  }

  std::unique_ptr<io::Stream> inner_;
  Buffer first_;
  io::StreamEvents* owner_ = nullptr;
  bool opened_ = false;
  io::Timer opening_;
};

}  // namespace

std::unique_ptr<io::Stream> GiveAgain(io::Loop& loop, std::unique_ptr<io::Stream> stream, Buffer first) {
  return std::make_unique<PrefixedStream>(loop, std::move(stream), std::move(first));
}

const io::Stream& Innermost(const io::Stream& stream) noexcept {
  const auto* prefixed = dynamic_cast<const PrefixedStream*>(&stream);
  return prefixed != nullptr ? Innermost(prefixed->inner()) : stream;
}

}  // namespace plait::proxy::session
