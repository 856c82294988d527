#pragma once
// One call on the server: the HTTP stream below it, the service's handler above it. Holds itself until the stream is
// over.
#include <memory>
#include <vector>

#include "core/grpc/message_reader.h"
#include "core/grpc/server.h"

namespace plait::grpc {

class Server::Call final : public ServerCall,
                           public http::ServerStreamEvents,
                           public std::enable_shared_from_this<Server::Call> {
 public:
  Call(Server& server, http::ServerStream& stream, const conn::Peer& peer);
  void Hold(std::shared_ptr<Call> self) { self_ = std::move(self); }

  const CallContext& context() const noexcept override { return context_; }
  void SendInitialMetadata(Metadata metadata) override;
  void Send(std::string_view message) override;
  bool above_high_watermark() const noexcept override { return stream_ != nullptr && stream_->above_high_watermark(); }
  void Finish(Status status, Metadata trailers) override;
  void PauseReading(bool paused) override {
    if (stream_ != nullptr && !finished_) stream_->PauseReading(paused);
  }

 private:
  void OnRequestHead(http::RequestHead head, bool end_stream) override;
  void OnData(Buffer& data, bool end_stream) override;
  void OnTrailers(http::Headers trailers) override;
  void OnReset(http::ResetReason reason) override;
  void OnBelowLowWatermark() override;
  void OnStreamClosed() override;

  bool RefuseOther(const http::RequestHead& head);
  void Begin(http::RequestHead head);
  void HalfClose();
  void Cancelled();
  void Overdue();
  void Abort(Status status, Metadata trailers = {});  // ends the call against the service's will
  void DropHandler();

  Server& server_;
  http::ServerStream* stream_;
  CallContext context_;
  MessageReader reader_{0};  // once the method is known, with its limit
  std::unique_ptr<CallHandler> handler_;
  io::Timer take_request_;
  io::Timer deadline_;  // of the call; once it is finished, until when the client must have taken the answer
  bool head_sent_ = false;
  bool finished_ = false;
  bool half_closed_ = false;
  std::shared_ptr<Call> self_;
};

struct Server::Dying {
  struct Pair {
    std::shared_ptr<Call> call;  // what the handler refers to; destroyed after it
    std::unique_ptr<CallHandler> handler;
  };
  std::vector<Pair> list;
  void Bury() noexcept {
    const std::vector<Pair> gone = std::move(list);  // a destructor may end further calls
    list.clear();
  }
};

}  // namespace plait::grpc
