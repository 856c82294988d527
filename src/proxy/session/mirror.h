#pragma once
// A copy of a request for another cluster (request_mirror_policies): it is sent like a first attempt, its answer is
// read and dropped, its failure concerns nobody. The router owns it while the request's body still comes; after LetGo
// it lives among the orphans until its stream is over. One loop thread. Mirrors Envoy's ShadowWriter.
#include <memory>
#include <optional>
#include <string>

#include "core/base/pending.h"
#include "core/io/timer.h"
#include "proxy/session/attempt.h"
#include "proxy/session/context.h"

namespace plait::proxy::session {

class Mirror final : public Orphan, private AttemptEvents {
 public:
  // `head`: as it goes to the chosen cluster; `timeout`: of the route, 0 = none.
  Mirror(Context& context, const xds::MirrorPolicy& policy, const http::RequestHead& head, Duration timeout);
  ~Mirror() override;

  void Start(bool end_stream);
  void SendData(Buffer& data, bool end_stream);
  void SendTrailers(const http::Headers& trailers);
  // After the end of the request.
  static void LetGo(std::unique_ptr<Mirror> mirror);

 private:
  void Begin();
  void Send();
  void Flush();
  void Finish();

  void OnAttemptOpen() override { Send(); }
  void OnAttemptInformational(http::ResponseHead /*head*/) override {}
  void OnAttemptHead(http::ResponseHead head, bool end_stream) override;
  void OnAttemptData(Buffer& data, bool end_stream) override;
  void OnAttemptTrailers(http::Headers trailers) override;
  void OnAttemptFailed(Failure failure, const std::string& transport) override;
  void OnAttemptWritable() override { Flush(); }

  Context& context_;
  const std::string cluster_;
  http::RequestHead head_;
  bool head_only_ = false;
  bool ended_ = false;  // the request is complete
  bool over_ = false;   // nothing more is sent or expected
  bool kept_ = false;   // among the orphans
  Buffer body_;         // not sent yet
  std::optional<http::Headers> trailers_;
  std::unique_ptr<Attempt> attempt_;
  io::Timer timer_;  // the route's time-out
  Pending waiting_;  // last: its callback meets no dead member
};

}  // namespace plait::proxy::session
