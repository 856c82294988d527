#pragma once
// What Outbound and Inbound have in common while they find out what a new connection is (semantics.md 1): the client's
// first bytes, collected without losing any, and the session that takes the connection over. Owned by the listener's
// handler; one thread; over with OnDecided.
#include <algorithm>
#include <functional>
#include <memory>

#include "core/io/stream.h"
#include "core/io/timer.h"
#include "proxy/session/chain.h"
#include "proxy/session/context.h"
#include "proxy/session/failure.h"
#include "proxy/session/http_session.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/session/session.h"
#include "proxy/session/tcp_session.h"
#include "proxy/sniff/classify.h"

namespace plait::proxy::session {

class Intake : protected io::StreamEvents {
 public:
  // Runs once, in a later round than the start: the session, or null when the connection was closed. The intake is then
  // destroyed through the loop.
  using OnDecided = std::move_only_function<void(std::unique_ptr<Session>)>;

  ~Intake() override;
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

 protected:
  // A proper prefix of HTTP or TLS is waited for this long.
  static constexpr Duration kPrefixLimit = std::chrono::seconds(1);
  // As Envoy's listener_filters_timeout.
  static constexpr Duration kHelloLimit = std::chrono::seconds(15);
  enum class Prefix : std::uint8_t {
    kNone,     // none was seen yet -> kAwaited
    kAwaited,  // its rest is, from when it is first judged on -> kOver, or it is known what it is
    kOver,     // did not come in time
  };

  struct Arrival {
    std::unique_ptr<io::Stream> stream;
    record::ConnectionInfo info;
    SessionOwner& owner;  // of the session that is made
    OnDecided decided;
  };
  Intake(Context& context, Arrival arrival);

  // The client has sent something, ended, or (timers of the subclass) has been silent. Decide or wait.
  virtual void Look() = 0;

  // Reads what is there; false when the client is gone (then this intake has ended).
  bool ReadMore();
  // The rest of a prefix: `silence_` fires after `limit`, once for the whole of it.
  void AwaitTheRest(Duration limit = kPrefixLimit);
  sniff::Protocol Judge();
  bool client_ended() const noexcept { return client_ended_; }
  bool decided() const noexcept { return !decided_; }

  // The ends of an intake.
  void ServeHttp(std::shared_ptr<const HttpConfig> config, HttpRouting routing);
  void ServeTcp(TcpSession::Start start);  // fills in the stream and what was read
  void Refuse(bool reset);
  // The failure's answer as HTTP/1, its line in `logs`, and the end of the connection: for kNearlyHttp and
  // kLookupTimeout.
  void RefuseAsHttp(Failure failure, const record::AccessLogs* logs);
  // Leaves a record of a connection that never became a session.
  void RecordRefusal(const record::AccessLogs* logs, record::ResponseFlag flag, std::string details);

  // The stream below was wrapped (TLS): what was read before went into `stream`.
  void Replace(std::unique_ptr<io::Stream> stream);
  Buffer TakeSeen() { return std::move(seen_); }
  const Buffer& seen() const noexcept { return seen_; }
  // The beginning of what was read; all of it, but for the last bytes of kSniffLimit.
  Bytes SeenBytes() { return seen_.Linearize(std::min(seen_.size(), Buffer::kMaxLinear)); }
  std::unique_ptr<io::Stream> TakeStream();

  Context& context_;
  record::ConnectionInfo info_;
  std::unique_ptr<io::Stream> stream_;
  Prefix prefix_ = Prefix::kNone;
  io::Timer silence_;  // of the client; what it does is the subclass's

 private:
  void OnOpen() override { OnStreamOpen(); }
  void OnReadable() override;
  void OnWritable() override {}
  void OnFailed(Error error) override;
  virtual void OnStreamOpen() { OnReadable(); }
  virtual void OnStreamFailed(Error) {}
  record::StreamRecord Record() const;  // of the connection as it ends now
  void Decide(std::unique_ptr<Session> session);

  SessionOwner& owner_;
  OnDecided decided_;
  Buffer seen_;
  bool client_ended_ = false;
  bool recorded_ = false;  // the listener's log has its line
};

}  // namespace plait::proxy::session
