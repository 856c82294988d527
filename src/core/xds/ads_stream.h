#pragma once
// Keeps an incremental ADS stream to the control plane: connects, speaks what DeltaClient wants, reconnects with
// back-off (full jitter, by default 0.5 to 30 s). While it is down everything that was received stays in force. One
// loop thread.
#include <functional>
#include <memory>
#include <string>

#include "core/base/random.h"
#include "core/grpc/client.h"
#include "core/xds/delta_client.h"

namespace plait::xds {

class AdsStream final : private grpc::ClientCallEvents {
 public:
  struct Connection {
    std::unique_ptr<io::Stream> stream;  // to the control plane; opening is enough
    grpc::ChannelOptions options;        // authority and the token of now
    grpc::Metadata metadata = {};        // initial_metadata
  };
  using Connect = std::function<Outcome<Connection>()>;
  // Of attempts to connect: doubled after each that fails or is over within 5 s, from the first to the longest.
  struct BackOff {
    Duration first = std::chrono::milliseconds(500);
    Duration longest = std::chrono::seconds(30);
  };

  AdsStream(io::Loop& loop, DeltaClient& client, Connect connect) : AdsStream(loop, client, std::move(connect), {}) {}
  AdsStream(io::Loop& loop, DeltaClient& client, Connect connect, BackOff back_off);
  ~AdsStream() override;

  // `up`: the stream has brought its first response; otherwise it, or an attempt to open it, has failed. Before Start.
  void OnChange(std::function<void(bool up)> call) { on_change_ = std::move(call); }
  void Start();
  // Subscriptions changed: sends them at the end of this round.
  void Flush();

  bool connected() const noexcept { return answered_; }             // the present stream has brought a response
  const std::string& problem() const noexcept { return problem_; }  // why it is down; empty when it is up
  // It is down although the control plane was reached: that ended or refused the last attempt, with a status of its
  // own.
  bool refused() const noexcept { return refused_; }
  // The connection of this attempt. Null between attempts; at OnChange the one that has just failed still.
  const io::Stream* transport() const noexcept { return channel_ ? &channel_->transport() : nullptr; }

 private:
  void Open();
  void OnMessage(std::string message) override;
  void OnFinished(const grpc::Status& status, const grpc::Metadata& trailers) override;
  void Lost(std::string why, bool refused);
  void SendRequests();
  void Close();
  void AwaitEnd();

  io::Loop& loop_;
  DeltaClient& client_;
  Connect connect_;
  std::function<void(bool up)> on_change_ = [](bool) {};
  Random random_;
  const BackOff limits_;
  Duration backoff_;
  bool answered_ = false;
  MonotonicTime answered_at_{};
  bool refused_ = false;
  bool flush_planned_ = false;
  std::string problem_ = "not connected yet";
  io::Timer retry_;
  io::Timer end_;  // of the next TTL
  std::unique_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::ClientCall> call_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace plait::xds
