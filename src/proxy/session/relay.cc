#include "proxy/session/relay.h"

#include <utility>

namespace plait::proxy::session {
namespace {
// A pair that is always ready gives the loop back after this many steps.
constexpr int kMostSteps = 16;
}  // namespace

Relay::Relay(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::unique_ptr<io::Stream> upstream, Held held,
             const RelayOptions& options, OnEnd on_end)
    : loop_(loop),
      downstream_(std::move(downstream)),
      upstream_(std::move(upstream)),
      options_(options),
      up_{downstream_.get(), upstream_.get(), std::move(held.from_downstream)},
      down_{upstream_.get(), downstream_.get(), std::move(held.from_upstream)},
      downstream_side_(*this, up_, down_, RelayEnd::kDownstreamFailed),
      upstream_side_(*this, down_, up_, RelayEnd::kUpstreamFailed),
      on_end_(std::move(on_end)) {
  up_.moved = up_.held.size();
  down_.moved = down_.held.size();
  downstream_->SetEvents(&downstream_side_);
  upstream_->SetEvents(&upstream_side_);
}

Relay::~Relay() = default;

void Relay::Start() {
  last_activity_ = loop_.Now();
  again_.SetCallback([this] {
    Pump(up_);
    if (!ended_) Pump(down_);
  });
  // The edges of bytes that are already there were consumed by whoever read before us.
  again_.Start(loop_.timers(), Duration(0));
  if (options_.idle_timeout > Duration(0)) {
    idle_.SetCallback([this] { OnIdle(); });
    idle_.Start(loop_.timers(), options_.idle_timeout);
  }
  if (options_.max_duration > Duration(0)) {
    lifetime_.SetCallback([this] { Finish(RelayEnd::kMaxDuration); });
    lifetime_.Start(loop_.timers(), options_.max_duration);
  }
}

void Relay::Abort() {
  on_end_ = nullptr;
  Finish(RelayEnd::kBothClosed);
}

void Relay::Pump(Direction& direction) {
  if (ended_) return;
  for (int step = 0; step < kMostSteps; ++step) {
    const Result<bool> more = Step(direction);
    if (!more) return;  // Step ended the relay
    if (!*more) return;
  }
  again_.Start(loop_.timers(), Duration(0));
}

Result<bool> Relay::Step(Direction& d) {
  if (!d.held.empty()) {
    const Result<std::size_t> written = d.to->Write(d.held);
    if (!written) {
      Finish(FailureOf(d.to));
      return std::unexpected(written.error());
    }
    if (*written > 0) last_activity_ = loop_.Now();
    if (!d.held.empty()) return false;  // OnWritable of `to` goes on; until then nothing more is read
  }
  if (d.state == State::kOpen) {
    const Result<std::size_t> read = d.from->Read(d.held, options_.high_water);
    if (read) {
      d.moved += *read;
      return *read > 0;
    }
    if (read.error().code != Errc::kPeerClosed) {
      Finish(FailureOf(d.from));
      return std::unexpected(read.error());
    }
    d.state = State::kFlushing;
  }
  if (d.state == State::kFlushing) {
    d.to->ShutdownWrite();
    d.state = State::kEnding;
  }
  if (d.state == State::kEnding && !d.to->unsent()) {  // else its OnWritable goes on
    d.state = State::kClosed;
    if (up_.state == State::kClosed && down_.state == State::kClosed) {
      Finish(RelayEnd::kBothClosed);
      return Fail(Errc::kPeerClosed, "relay ended");
    }
  }
  return false;
}

void Relay::OnIdle() {
  const Duration quiet = loop_.Now() - last_activity_;
  if (quiet >= options_.idle_timeout) return Finish(RelayEnd::kIdle);
  idle_.Start(loop_.timers(), options_.idle_timeout - quiet);
}

RelayEnd Relay::FailureOf(const io::Stream* stream) const noexcept {
  return stream == downstream_.get() ? RelayEnd::kDownstreamFailed : RelayEnd::kUpstreamFailed;
}

void Relay::Finish(RelayEnd end) {
  if (ended_) return;
  ended_ = true;
  idle_.Cancel();
  lifetime_.Cancel();
  again_.Cancel();
  const bool reset = end == RelayEnd::kDownstreamFailed || end == RelayEnd::kUpstreamFailed;
  downstream_->Close(reset);
  upstream_->Close(reset);
  if (on_end_) std::exchange(on_end_, nullptr)(end);
}

}  // namespace plait::proxy::session
