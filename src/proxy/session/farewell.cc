#include "proxy/session/farewell.h"

#include <utility>

#include "core/io/timer.h"
#include "proxy/session/orphans.h"

namespace plait::proxy::session {
namespace {

// As Envoy's delayed_close_timeout: for peers that never end.
constexpr Duration kLimit = std::chrono::seconds(1);
// A peer that goes on sending is not read for longer than it may.
constexpr std::size_t kMostDiscarded = 1024 * 1024;

class Farewell final : public Orphan, private io::StreamEvents {
 public:
  Farewell(Context& context, std::unique_ptr<io::Stream> stream)
      : orphans_(context.orphans), stream_(std::move(stream)), limit_([this] { End(); }) {
    stream_->SetEvents(this);
    limit_.Start(context.loop.timers(), kLimit);
  }
  ~Farewell() override { stream_->SetEvents(nullptr); }

  void Say(std::string_view answer) {
    Buffer bytes(answer);
    if (!stream_->Write(bytes)) return End();
    stream_->ShutdownWrite();
    OnReadable();
  }

 private:
  void OnOpen() override {}
  void OnWritable() override {}
  void OnFailed(Error) override { End(); }
  void OnReadable() override {
    for (;;) {
      const Result<std::size_t> read = stream_->Read(discarded_, Buffer::kChunkSize);
      discarded_.Clear();
      if (!read || (total_ += *read) > kMostDiscarded) return End();
      if (*read == 0) return;
    }
  }
  void End() {
    stream_->SetEvents(nullptr);
    limit_.Cancel();
    stream_->Close(false);
    orphans_.Release(*this);
  }

  Orphans& orphans_;
  std::unique_ptr<io::Stream> stream_;
  Buffer discarded_;
  std::size_t total_ = 0;
  io::Timer limit_;
};

}  // namespace

void SayFarewell(Context& context, std::unique_ptr<io::Stream> stream, std::string_view answer) {
  auto farewell = std::make_unique<Farewell>(context, std::move(stream));
  Farewell& kept = *farewell;
  context.orphans.Keep(std::move(farewell));
  kept.Say(answer);
}

}  // namespace plait::proxy::session
