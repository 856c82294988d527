#pragma once
// Sends one request upstream: waits for the cluster, picks hosts, tries again by the route's policy, watches the time
// limits, and keeps the body as long as it may be needed once more. Part of an exchange, same thread.
// Mirrors Envoy's router filter.
#include <optional>
#include <string>
#include <vector>

#include "core/base/pending.h"
#include "core/io/timer.h"
#include "proxy/session/attempt.h"
#include "proxy/session/context.h"
#include "proxy/session/http_config.h"
#include "proxy/session/mirror.h"
#include "proxy/session/retry.h"

namespace plait::proxy::session {

// Where the response goes: the exchange. After a failure, or the end of the response, nothing follows.
class RouterEvents {
 public:
  virtual ~RouterEvents() = default;
  virtual void OnRouterInformational(http::ResponseHead head) = 0;
  virtual void OnRouterHead(http::ResponseHead head, bool end_stream) = 0;
  virtual void OnRouterData(Buffer& data, bool end_stream) = 0;
  virtual void OnRouterTrailers(http::Headers trailers) = 0;
  // No response came; `retried`: it was not the first attempt.
  virtual void OnRouterFailed(Failure failure, const std::string& transport, bool retried) = 0;
  // The response had begun.
  virtual void OnRouterBroken(Failure failure) = 0;
  // Whether more of the request body can be taken.
  virtual void OnRouterFull(bool full) = 0;
};

class Router final : public AttemptEvents {
 public:
  struct Request {
    http::RequestHead& head;  // changed in place: rewritten by the route, then per attempt
    record::StreamRecord& record;
    const route::RouteMatch& match;  // with a RouteAction
  };
  Router(Context& context, const HttpConfig& config, RouterEvents& events, Request request);
  ~Router() override;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // The request goes on with SendData and SendTrailers unless `end_stream`.
  void Start(bool end_stream);
  void SendData(Buffer& data, bool end_stream);
  void SendTrailers(http::Headers trailers);
  void PauseResponse(bool paused);
  // What x-envoy-upstream-service-time tells: the time since the request was complete; nullopt before.
  std::optional<Duration> SinceRequestEnd() const noexcept;
  // Of a cookie hash policy whose cookie the request lacked; empty: none.
  const std::string& set_cookie() const noexcept { return set_cookie_; }
  // Whether a request that took too long is answered by 204 (x-envoy-upstream-rq-timeout-alt-response).
  bool late_is_no_content() const noexcept { return late_is_no_content_; }

 private:
  enum class State : std::uint8_t {
    kCluster,   // waits for the cluster -> kAttempt, or -> kDone when it does not come
    kAttempt,   // an attempt runs -> kBackOff after a failure worth trying again, -> kResponse at its head, -> kDone
    kBackOff,   // -> kAttempt
    kResponse,  // the response flows downstream -> kDone
    kDone,
  };

  void OnCluster();
  void SetTimeouts();
  void StartMirrors();
  void BeginAttempt();
  lb::PickContext MakePickContext(const xds::Cluster& cluster);
  void SendRequest();
  void SendBody();
  void SetAttemptHeaders(std::uint32_t attempt);
  void EndRequest();
  void StartPerTryTimeouts();
  bool Retry(AttemptFailure kind);
  bool TakeRetry();
  void EndAttempt(http::ResetReason reason);
  void Commit();
  void Fail(Failure failure, const std::string& transport = {});
  void OnResponseTimeout();
  void OnAttemptTimeout(Failure failure);
  void Break(Failure failure);
  void Complete();
  void TouchAttempt();
  void NoteRequestSent();

  void OnAttemptOpen() override;
  void OnAttemptInformational(http::ResponseHead head) override;
  void OnAttemptHead(http::ResponseHead head, bool end_stream) override;
  void OnAttemptData(Buffer& data, bool end_stream) override;
  void OnAttemptTrailers(http::Headers trailers) override;
  void OnAttemptFailed(Failure failure, const std::string& transport) override;
  void OnAttemptWritable() override;

  Context& context_;
  const HttpConfig& config_;
  RouterEvents& events_;
  Request request_;
  const xds::RouteAction& action_;
  // Of a WebSocket: it has the time limits of a request without a body until the upstream has agreed, then none.
  const bool handshake_;
  State state_ = State::kCluster;
  bool head_only_ = false;  // the request has no body
  bool request_ended_ = false;
  bool retain_ = false;       // `body_` keeps what was sent, for another attempt
  bool holds_retry_ = false;  // one of the cluster's retries
  bool idle_waits_ = false;   // attempt_idle_ goes on when the response does
  bool late_is_no_content_ = false;
  std::size_t body_limit_ = 1024 * 1024;
  Buffer body_;  // not sent yet, or retained
  std::optional<http::Headers> trailers_;
  std::optional<RetryState> retry_;
  std::optional<std::uint64_t> hash_;
  std::string set_cookie_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;  // those whose body still comes
  std::vector<cluster::HostPtr> tried_;
  std::string index_identity_;  // of the original destination, by the index
  cluster::ClusterPtr cluster_;
  std::unique_ptr<Attempt> attempt_;
  Duration timeout_{0};
  bool call_deadline_ = false;  // timeout_ is the call's own (grpc-timeout), or the life of its stream
  Duration per_try_timeout_{0};
  Duration per_try_idle_timeout_{0};
  Duration attempt_duration_{0};  // how long the stream of an attempt may live
  MonotonicTime request_end_{};
  io::Timer response_timer_;
  io::Timer attempt_timer_;  // per-try time-out, or the pause before the next attempt
  io::Timer attempt_idle_;   // per_try_idle_timeout, from the end of the request to that of the response
  io::Timer attempt_life_;   // attempt_duration_
  Pending waiting_;          // last: its callback meets no dead member
};

}  // namespace plait::proxy::session
