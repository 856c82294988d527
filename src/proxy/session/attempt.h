#pragma once
// One try of one request at one host: waits for a stream of the host's pool, sends what the router gives it, tells the
// router what comes back. Owned by the router; when the router lets go of it while its stream lives, it resets the
// stream and stays among the orphans until the codec has said its last word.
#include <string>

#include "core/http/codec.h"
#include "proxy/cluster/cluster.h"
#include "proxy/session/failure.h"
#include "proxy/session/orphans.h"
#include "proxy/upstream/http_pool.h"

namespace plait::proxy::session {

class Attempt;

// The router, as an attempt sees it. After OnAttemptFailed nothing follows.
class AttemptEvents {
 public:
  virtual ~AttemptEvents() = default;
  virtual void OnAttemptOpen() = 0;  // after a wait: send now
  virtual void OnAttemptInformational(http::ResponseHead head) = 0;
  virtual void OnAttemptHead(http::ResponseHead head, bool end_stream) = 0;
  virtual void OnAttemptData(Buffer& data, bool end_stream) = 0;
  virtual void OnAttemptTrailers(http::Headers trailers) = 0;
  virtual void OnAttemptFailed(Failure failure, const std::string& transport) = 0;
  virtual void OnAttemptWritable() = 0;
};

class Attempt final : public Orphan, private http::ClientStreamEvents, private upstream::HttpPool::Waiter {
 public:
  // `meter`: takes what the attempt sends and receives until it is let go of; null: nobody asks.
  Attempt(Orphans& orphans, AttemptEvents& router, cluster::ClusterPtr cluster, cluster::HostPtr host,
          xds::RoutingPriority priority, http::BytesMeter* meter);
  ~Attempt() override;

  // Opens a stream now (then `connection()` is set and the request can be sent) or waits for one (OnAttemptOpen
  // follows). Errors: the failure of this attempt; then nothing follows.
  std::expected<void, Failure> Start(upstream::HttpPool& pool);
  // Lets go of it: no event reaches the router any more.
  static void Abandon(std::unique_ptr<Attempt> attempt, http::ResetReason reason);

  const cluster::HostPtr& host() const noexcept { return host_; }
  const cluster::ClusterPtr& cluster() const noexcept { return cluster_; }
  // Valid while the stream lives; null before.
  const conn::ClientConnection* connection() const noexcept { return connection_; }
  bool open() const noexcept { return stream_ != nullptr && !reset_; }
  bool head_sent() const noexcept { return head_sent_; }

  // Only while open().
  void SendHead(const http::RequestHead& head, bool end_stream);
  void SendData(Buffer& data, bool end_stream);
  void SendTrailers(const http::Headers& trailers);
  bool above_high_watermark() const noexcept { return stream_->above_high_watermark(); }
  void PauseReading(bool paused);

 private:
  bool Open(upstream::HttpPool& pool);
  void LetGo(http::ResetReason reason);
  void CountEnd();

  void OnTurn(upstream::HttpPool& pool) override;
  void OnPoolFailure(upstream::PoolFailure failure, const std::string& reason) override;

  void OnInformational(http::ResponseHead head) override;
  void OnResponseHead(http::ResponseHead head, bool end_stream) override;
  void OnData(Buffer& data, bool end_stream) override;
  void OnTrailers(http::Headers trailers) override;
  void OnReset(http::ResetReason reason) override;
  void OnBelowLowWatermark() override;
  void OnStreamClosed() override;

  bool is_http2() const noexcept { return connection_ != nullptr && connection_->version() == http::Version::kHttp2; }

  Orphans& orphans_;
  AttemptEvents* router_;  // null once abandoned
  cluster::ClusterPtr cluster_;
  cluster::HostPtr host_;
  xds::RoutingPriority priority_;
  http::BytesMeter* meter_;
  http::ClientStream* stream_ = nullptr;
  const conn::ClientConnection* connection_ = nullptr;
  const std::string* closed_because_ = nullptr;  // with connection_
  bool head_sent_ = false;
  bool request_ended_ = false;
  bool response_ended_ = false;
  bool reset_ = false;    // the peer reset it, or its connection died
  bool counted_ = false;  // holds a request of the cluster's limit
};

}  // namespace plait::proxy::session
