#include "proxy/worker/counted_stream.h"

#include <utility>

namespace plait::proxy::worker {
namespace {

using cluster::ClusterStat;

class Counting {
 public:
  Counting(std::shared_ptr<const cluster::ClusterState> stats, io::Loop& loop)
      : stats_(std::move(stats)), loop_(loop), started_(loop.Now()) {
    stats_->Add(ClusterStat::kUpstreamCxTotal);
    stats_->AddGauge(ClusterStat::kUpstreamCxActive, 1);
    stats_->Add(ClusterStat::kUpstreamRqPendingTotal);
    stats_->AddGauge(ClusterStat::kUpstreamRqPendingActive, 1);
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { Ended(/*by_peer=*/false); }

  void Opened() {
    state_ = State::kOpen;
    stats_->Add(ClusterStat::kUpstreamCxHttp2Total);
    stats_->Record(ClusterStat::kUpstreamCxConnectMs,
                   std::chrono::duration<double, std::milli>(loop_.Now() - started_).count());
    stats_->AddGauge(ClusterStat::kUpstreamRqPendingActive, -1);
    stats_->Add(ClusterStat::kUpstreamRqTotal);
    stats_->AddGauge(ClusterStat::kUpstreamRqActive, 1);
  }
  void Failed(Errc why) {
    if (state_ == State::kConnecting) {
      stats_->Add(ClusterStat::kUpstreamCxConnectFail);
      if (why == Errc::kTimedOut) stats_->Add(ClusterStat::kUpstreamCxConnectTimeout);
      stats_->Add(ClusterStat::kUpstreamRqPendingFailureEject);
    }
    Ended(/*by_peer=*/true);
  }
  void Read(std::size_t bytes) { stats_->Add(ClusterStat::kUpstreamCxRxBytesTotal, bytes); }
  void Written(std::size_t bytes) { stats_->Add(ClusterStat::kUpstreamCxTxBytesTotal, bytes); }
  void Ended(bool by_peer) noexcept {
    const State before = std::exchange(state_, State::kOver);
    if (before == State::kOver) return;
    const bool open = before == State::kOpen;
    stats_->AddGauge(open ? ClusterStat::kUpstreamRqActive : ClusterStat::kUpstreamRqPendingActive, -1);
    stats_->AddGauge(ClusterStat::kUpstreamCxActive, -1);
    stats_->Add(ClusterStat::kUpstreamCxDestroy);
    stats_->Add(by_peer ? ClusterStat::kUpstreamCxDestroyRemote : ClusterStat::kUpstreamCxDestroyLocal);
  }

 private:
  enum class State : std::uint8_t {
    kConnecting,  // the call waits -> kOpen, kOver
    kOpen,        // the call runs -> kOver
    kOver,
  };
  const std::shared_ptr<const cluster::ClusterState> stats_;
  io::Loop& loop_;
  const MonotonicTime started_;
  State state_ = State::kConnecting;
};

class CountedStream final : public io::Stream, private io::StreamEvents {
 public:
  CountedStream(std::unique_ptr<io::Stream> inner, std::weak_ptr<Counting> counting)
      : inner_(std::move(inner)), counting_(std::move(counting)) {
    inner_->SetEvents(this);
  }
  const io::Stream& inner() const noexcept { return *inner_; }

  void SetEvents(io::StreamEvents* events) noexcept override { events_ = events; }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override {
    const Result<std::size_t> read = inner_->Read(into, max);
    if (const auto counting = counting_.lock()) {
      if (read) {
        counting->Read(*read);
      } else {
        counting->Ended(/*by_peer=*/true);
      }
    }
    return read;
  }
  Result<std::size_t> Write(Buffer& from) override {
    const Result<std::size_t> written = inner_->Write(from);
    if (const auto counting = counting_.lock(); counting && written) counting->Written(*written);
    return written;
  }
  void ShutdownWrite() override { inner_->ShutdownWrite(); }
  bool unsent() const noexcept override { return inner_->unsent(); }
  void Close(bool reset) noexcept override {
    if (const auto counting = counting_.lock()) counting->Ended(/*by_peer=*/false);
    inner_->Close(reset);
  }
  const io::SocketAddress& local() const noexcept override { return inner_->local(); }
  const io::SocketAddress& remote() const noexcept override { return inner_->remote(); }
  const io::TlsFacts* tls() const noexcept override { return inner_->tls(); }
  int fd() const noexcept override { return inner_->fd(); }

 private:
  void OnOpen() override {
    if (const auto counting = counting_.lock()) counting->Opened();
    if (events_ != nullptr) events_->OnOpen();
  }
  void OnReadable() override {
    if (events_ != nullptr) events_->OnReadable();
  }
  void OnWritable() override {
    if (events_ != nullptr) events_->OnWritable();
  }
  void OnFailed(Error error) override {
    if (const auto counting = counting_.lock()) counting->Failed(error.code);
    if (events_ != nullptr) events_->OnFailed(error);
  }

  const std::unique_ptr<io::Stream> inner_;
  const std::weak_ptr<Counting> counting_;
  io::StreamEvents* events_ = nullptr;
};

}  // namespace

Counted CountOn(std::shared_ptr<const cluster::ClusterState> state, io::Loop& loop,
                std::unique_ptr<io::Stream> stream) {
  auto counting = std::make_shared<Counting>(std::move(state), loop);
  return {.stream = std::make_unique<CountedStream>(std::move(stream), counting), .counting = counting};
}

const io::Stream& BelowCounting(const io::Stream& stream) noexcept {
  const auto* counted = dynamic_cast<const CountedStream*>(&stream);
  return counted != nullptr ? counted->inner() : stream;
}

}  // namespace plait::proxy::worker
