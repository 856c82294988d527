#pragma once
// One HTTP request and its response, from the first header byte to the log line: prepares the head, finds the route,
// runs the filters, lets the router send it on, and sends the answer or one of its own. Made by its HttpSession, lives
// until its stream is over, then is destroyed through the loop. Mirrors Envoy's ConnectionManagerImpl::ActiveStream.
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/pending.h"
#include "core/http/codec.h"
#include "core/io/timer.h"
#include "proxy/filter/http_filter.h"
#include "proxy/record/grpc_messages.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/session/http_config.h"
#include "proxy/session/local_reply.h"
#include "proxy/session/request_edge.h"
#include "proxy/session/router.h"

namespace plait::proxy::session {

class HttpSession;

class Exchange final : public http::ServerStreamEvents, private RouterEvents {
 public:
  Exchange(HttpSession& session, http::ServerStream& stream);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void OnRequestHead(http::RequestHead head, bool end_stream) override;
  void OnData(Buffer& data, bool end_stream) override;
  void OnTrailers(http::Headers trailers) override;
  void OnReset(http::ResetReason reason) override;
  void OnBelowLowWatermark() override;
  void OnStreamClosed() override;

 private:
  enum class State : std::uint8_t {
    kRoutes,      // waits for its route configuration -> kFilters
    kFilters,     // filters look at the head -> kRouted, or kResponding with their answer
    kRouted,      // the router has it -> kResponding at the response head
    kResponding,  // the head went downstream -> kDone with the last byte
    kDone,
  };

  void Refuse(http::RequestHead head);  // it was not looked at, and may be tried elsewhere
  bool Prepare();
  void FindRoutes();
  void MatchRoute();
  const xds::Route* RouteConfig() const noexcept;  // null: none was found, or the host wants TLS first
  void FollowRouteTimes(const xds::RouteAction& action);
  // Which of the stream's time limits is over next, request_timeout or max_stream_duration; 0: none applies.
  std::pair<Duration, Failure> NextLimit() const noexcept;
  void StartDeadline();
  void NoteCluster();
  void RunFilters();
  void OnVerdict(filter::Verdict verdict);
  void Dispatch();
  filter::RequestView View();

  void NoteResponse(http::ResponseHead head);
  void SendResponse(http::ResponseHead head, bool end_stream);
  void ReplyFailure(Failure failure, const std::string& transport = {}, bool retried = false);
  // Answers by itself. `flag` and `details` go to the record; the header operations of a route that was found apply, of
  // one that answers by itself to its own answer alone.
  void Reply(const LocalReply& reply, record::ResponseFlag flag, std::string details);
  void Pause(bool paused);
  void ReplyRedirect();
  void ReplyDirect();
  void EndResponse();
  void Abort(Failure failure);
  void Touch() noexcept;
  void Count(record::HttpStat stat) const noexcept;
  void CountFailure(Failure failure) const noexcept;
  void OnIdle();
  void OnDeadline();
  void EndInTime(Failure failure);  // one of the time limits of the stream is over
  void RecordReset(http::ResetReason reason);

  void OnRouterInformational(http::ResponseHead head) override;
  void OnRouterHead(http::ResponseHead head, bool end_stream) override;
  void OnRouterData(Buffer& data, bool end_stream) override;
  void OnRouterTrailers(http::Headers trailers) override;
  void OnRouterFailed(Failure failure, const std::string& transport, bool retried) override;
  void OnRouterBroken(Failure failure) override;
  void OnRouterFull(bool full) override { Pause(full); }

  HttpSession& session_;
  const std::shared_ptr<const HttpConfig> config_;  // of when the request began
  http::ServerStream& stream_;
  State state_ = State::kRoutes;
  bool head_ended_ = false;  // the request has no body at all
  bool request_ended_ = false;
  bool grpc_ = false;
  bool grpc_response_ = false;
  bool paused_ = false;
  bool by_route_ = false;     // a redirect or a direct response of the route
  bool close_after_ = false;  // HTTP/1: the answer says that it is the connection's last
  AnsweredOperation operation_ = AnsweredOperation::kPasses;
  http::RequestHead head_;
  http::ResponseHead response_;
  http::Headers response_trailers_;
  std::string request_id_;  // as it was when the request came in
  record::StreamRecord record_;
  record::GrpcMessages request_messages_, response_messages_;
  route::RouteMatch match_;
  filter::RequestFilters filters_;
  filter::Resume resume_;
  Buffer held_;  // body that came before the request was routed
  std::optional<http::Headers> held_trailers_;
  std::optional<Router> router_;
  MonotonicTime last_activity_{};
  Duration idle_timeout_{0};  // of the route, else of the connection manager; 0: none
  Duration lifetime_{0};      // max_stream_duration, likewise
  io::Timer idle_;
  io::Timer deadline_;  // request_timeout until the request has come or is answered, and max_stream_duration
  Pending waiting_;
};

}  // namespace plait::proxy::session
