#include "core/xds/ads_stream.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace plait::xds {
namespace {
log::Component kLog("ads");
constexpr Duration kSettled = std::chrono::seconds(5);
}  // namespace

AdsStream::AdsStream(io::Loop& loop, DeltaClient& client, Connect connect, BackOff back_off)
    : loop_(loop),
      client_(client),
      connect_(std::move(connect)),
      limits_(back_off),
      backoff_(back_off.first),
      retry_([this] { Open(); }),
      end_([this] {
        client_.EndLives(loop_.Now());
        AwaitEnd();
      }) {}

AdsStream::~AdsStream() { Close(); }

void AdsStream::Start() { Open(); }

void AdsStream::Close() {
  call_.reset();
  if (channel_) loop_.DeleteLater(std::move(channel_));
}

void AdsStream::Open() {
  Close();
  answered_ = false;
  auto connection = connect_();
  if (!connection) return Lost(connection.error().ToString(), false);
  channel_ = std::make_unique<grpc::Channel>(loop_, std::move(connection->stream), std::move(connection->options));
  call_ = channel_->Start(kDeltaAdsMethod, {.metadata = std::move(connection->metadata)}, *this);
  client_.OnStreamOpen();
  SendRequests();
}

void AdsStream::SendRequests() {
  if (!call_) return;
  for (const DeltaRequest& request : client_.TakeRequests()) call_->Send(EncodeDeltaRequest(request));
}

void AdsStream::Flush() {
  if (std::exchange(flush_planned_, true)) return;
  loop_.Defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flush_planned_ = false;
    SendRequests();
  });
}

void AdsStream::OnMessage(std::string message) {
  const auto response = DecodeDeltaResponse(message);
  if (!response) return Lost(response.error().detail, true);
  if (!std::exchange(answered_, true)) {
    answered_at_ = loop_.Now();
    on_change_(true);
  }
  problem_.clear();
  client_.OnResponse(*response, loop_.Now());
  AwaitEnd();
  SendRequests();
}

void AdsStream::AwaitEnd() {
  if (const auto end = client_.NextEnd()) {
    end_.Start(loop_.timers(), *end - loop_.Now());
  } else {
    end_.Cancel();
  }
}

void AdsStream::OnFinished(const grpc::Status& status, const grpc::Metadata& /*trailers*/) {
  // Without a connection, or through a proxy that has none, the status is UNAVAILABLE.
  Lost("the control plane ended the stream: " + status.ToString(), status.code != grpc::Code::kUnavailable);
}

void AdsStream::Lost(std::string why, bool refused) {
  if (problem_ != why) kLog.Warn("control plane: " + why + "; what was received stays in force");
  problem_ = std::move(why);
  // What ends earlier may end for what is asked there, and would at once again.
  if (answered_ && loop_.Now() - answered_at_ >= kSettled) backoff_ = limits_.first;
  answered_ = false;
  refused_ = refused;
  on_change_(false);
  client_.OnStreamLost();
  // May run inside an event of the call: it ends with the round.
  loop_.Defer([call = std::move(call_), channel = std::move(channel_)]() mutable {
    call.reset();
    channel.reset();
  });
  retry_.Start(loop_.timers(),
               Duration(static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(backoff_.count())) + 1)));
  backoff_ = std::min(backoff_ * 2, limits_.longest);
}

}  // namespace plait::xds
