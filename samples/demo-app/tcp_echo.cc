#include "tcp_echo.h"

#include <algorithm>

namespace plait::demo {
namespace {
constexpr std::size_t kPiece = 64 * 1024;
}

class TcpEcho::Session final : public io::StreamEvents {
 public:
  Session(TcpEcho& server, std::unique_ptr<io::Stream> stream) : server_(server), stream_(std::move(stream)) { stream_->SetEvents(this); }

 private:
  void OnOpen() override {
    out_.Append(server_.options_.greeting);
    Pump();
  }
  void OnReadable() override { Pump(); }
  void OnWritable() override { Pump(); }
  void OnFailed(Error /*error*/) override { End(); }

  // Reads only what has been sent back: a client that does not read stops being read.
  void Pump() {
    for (;;) {
      if (!stream_->Write(out_)) return End();
      if (!out_.empty()) return;
      if (ended_) {
        stream_->ShutdownWrite();
        return End();
      }
      Buffer in;
      const Result<std::size_t> n = stream_->Read(in, kPiece);
      if (!n && n.error().code != Errc::kPeerClosed) return End();
      if (!n) ended_ = true;
      if (n && *n == 0) return;
      if (!in.empty()) out_.Append(server_.options_.prefix);
      out_.MoveFrom(in);
    }
  }
  void End() {
    const auto at = std::find_if(server_.sessions_.begin(), server_.sessions_.end(), [this](const auto& s) { return s.get() == this; });
    if (at == server_.sessions_.end()) return;
    server_.loop_.DeleteLater(std::move(*at));
    server_.sessions_.erase(at);
  }

  TcpEcho& server_;
  std::unique_ptr<io::Stream> stream_;
  Buffer out_;
  bool ended_ = false;
};

TcpEcho::TcpEcho(io::Loop& loop, io::UniqueFd listening, TcpEchoOptions options)
    : loop_(loop), listening_(std::move(listening)), options_(std::move(options)), listener_(loop, listening_.get(), false, [this](io::UniqueFd fd) {
        sessions_.push_back(std::make_unique<Session>(*this, io::AdoptSocket(loop_, std::move(fd))));
      }) {}

TcpEcho::~TcpEcho() = default;

}  // namespace plait::demo
