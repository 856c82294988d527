#pragma once
// Decides whether a failed attempt is tried again, and when. Pure state of one request; no timers, no quotas (those are
// the cluster's). Mirrors envoy.config.route.v3.RetryPolicy and the x-envoy-retry-* request headers.
#include <cstdint>
#include <vector>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/http/message.h"
#include "core/xds/route.h"

namespace plait::proxy::session {

// How an attempt ended before a response head came.
enum class AttemptFailure : std::uint8_t {
  kConnectFailure,  // refused, unreachable, TLS handshake
  kConnectTimeout,
  kRefusedStream,  // HTTP/2 REFUSED_STREAM or GOAWAY below our stream: surely not processed
  kReset,          // by the peer, or the connection ended
  kPerTryTimeout,
  kOverflow,  // our own limit; never tried again
};

class RetryState {
 public:
  // `policy` outlives it (the route's). Request headers may add conditions; they are read, not removed.
  RetryState(const xds::RetryPolicy& policy, const http::RequestHead& request);

  bool enabled() const noexcept { return on_ != 0 && left_ > 0; }
  bool WantsRetry(const http::ResponseHead& response) const { return enabled() && Matches(response); }
  // `request_sent`: the head of the request went to the upstream.
  bool WantsRetry(AttemptFailure failure, bool request_sent) const {
    return enabled() && Matches(failure, request_sent);
  }
  // It would have been tried again, but all retries are used up (flag URX).
  bool WasExhaustedBy(const http::ResponseHead& response) const { return spent() && Matches(response); }
  bool WasExhaustedBy(AttemptFailure failure, bool request_sent) const {
    return spent() && Matches(failure, request_sent);
  }
  // Takes one retry; the delay before it (full jitter over the doubling interval).
  Duration Take(Random& random);
  std::uint32_t left() const noexcept { return left_; }

 private:
  bool spent() const noexcept { return on_ != 0 && left_ == 0; }
  bool Matches(const http::ResponseHead& response) const;
  bool Matches(AttemptFailure failure, bool request_sent) const;
  bool WantsRetryOfGrpc(const http::ResponseHead& response) const;

  const xds::RetryPolicy& policy_;
  std::uint32_t on_;
  std::uint32_t left_;
  std::vector<std::uint16_t> extra_codes_;
  std::vector<std::string> extra_headers_;
  Duration interval_;
};

}  // namespace plait::proxy::session
