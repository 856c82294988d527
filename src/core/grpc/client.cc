#include "core/grpc/client.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/grpc/message_reader.h"

namespace plait::grpc {
namespace {

// A call on its stream. Holds itself while the codec may call it; the caller's handle may go before.
class CallStream final : public http::ClientStreamEvents {
 public:
  CallStream(io::Loop& loop, ClientCallEvents& events, std::size_t max_message)
      : loop_(loop), events_(&events), reader_(max_message), deadline_([this] {
          End({.code = Code::kDeadlineExceeded, .message = "deadline exceeded", .details = {}}, {},
              http::ResetReason::kCancel);
        }) {}

  void SetDeadline(Duration timeout) { deadline_.Start(loop_.timers(), timeout); }
  void Begin(conn::ClientConnection& connection, const http::RequestHead& head, std::shared_ptr<CallStream> self) {
    stream_ = connection.NewStream(*this);
    if (stream_ == nullptr) return;
    self_ = std::move(self);
    stream_->SendHead(head, false);
    if (!queued_.empty() || half_closed_) {
      stream_->SendData(queued_, half_closed_);
      queued_.Clear();
    }
  }
  bool begun() const noexcept { return stream_ != nullptr; }
  bool ended() const noexcept { return ended_; }

  void Send(std::string_view message) {
    if (ended_ || half_closed_) return;
    AppendMessage(queued_, message);
    if (stream_ == nullptr) return;
    stream_->SendData(queued_, false);
    queued_.Clear();
  }
  void HalfClose() {
    if (ended_ || std::exchange(half_closed_, true)) return;
    Buffer none;
    if (stream_ != nullptr) stream_->SendData(none, true);
  }
  bool above_high_watermark() const noexcept {
    return stream_ != nullptr ? stream_->above_high_watermark() : queued_.size() > 256 * 1024;
  }
  void PauseReading(bool paused) {
    if (stream_ != nullptr && !ended_) stream_->PauseReading(paused);
  }
  // The caller wants no event any more.
  void Abandon() {
    events_ = nullptr;
    deadline_.Cancel();
    if (!std::exchange(ended_, true) && stream_ != nullptr) stream_->Reset(http::ResetReason::kCancel);
  }
  void End(Status status, const Metadata& trailers, http::ResetReason reset = http::ResetReason::kNone) {
    if (std::exchange(ended_, true)) return;
    deadline_.Cancel();
    if (reset != http::ResetReason::kNone && stream_ != nullptr) stream_->Reset(reset);
    if (ClientCallEvents* events = std::exchange(events_, nullptr); events != nullptr)
      events->OnFinished(status, trailers);
  }

 private:
  void OnInformational(http::ResponseHead /*head*/) override {}
  void OnResponseHead(http::ResponseHead head, bool end_stream) override {
    if (head.status != 200) {
      const Code code = CodeOfHttpStatus(head.status);
      return End({.code = code, .message = "HTTP status " + std::to_string(head.status), .details = {}}, head.headers,
                 http::ResetReason::kCancel);
    }
    if (end_stream || head.headers.Has("grpc-status")) return End(StatusOf(head.headers), head.headers);
    if (!http::IsGrpc(head.headers))
      return End({.code = Code::kUnknown, .message = "the answer is no gRPC", .details = {}}, head.headers,
                 http::ResetReason::kCancel);
    if (events_ != nullptr) events_->OnInitialMetadata(head.headers);
  }
  void OnData(Buffer& data, bool end_stream) override {
    while (!ended_) {
      auto next = reader_.Next(data);
      if (!next) {
        const Code code = next.error().code == Errc::kLimit ? Code::kResourceExhausted : Code::kInternal;
        return End({.code = code, .message = next.error().detail, .details = {}}, {}, http::ResetReason::kCancel);
      }
      if (!*next) break;
      if (events_ != nullptr) events_->OnMessage(std::move(**next));
    }
    if (end_stream) End({.code = Code::kUnknown, .message = "the answer ends without trailers", .details = {}}, {});
  }
  void OnTrailers(http::Headers trailers) override { End(StatusOf(trailers), trailers); }
  void OnReset(http::ResetReason reason) override {
    End({.code = CodeOfReset(reason), .message = "the stream was reset", .details = {}}, {});
  }
  void OnBelowLowWatermark() override {
    if (events_ != nullptr && !ended_) events_->OnWritable();
  }
  void OnStreamClosed() override {
    stream_ = nullptr;
    const std::shared_ptr<CallStream> keep = std::move(self_);
    End({.code = Code::kUnavailable, .message = "the stream is over", .details = {}}, {});
  }

  io::Loop& loop_;
  ClientCallEvents* events_;
  MessageReader reader_;
  Buffer queued_;  // until the connection is open
  http::ClientStream* stream_ = nullptr;
  io::Timer deadline_;
  bool half_closed_ = false;
  bool ended_ = false;
  std::shared_ptr<CallStream> self_;
};

}  // namespace

// The HTTP/2 connection; shared by the channel and its calls.
class Channel::Connection final : public conn::ClientConnectionEvents,
                                  public std::enable_shared_from_this<Channel::Connection> {
 public:
  Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ChannelOptions the_options,
             std::move_only_function<void(const Error&)> on_down)
      : options(std::move(the_options)), loop_(loop), on_down_(std::move(on_down)) {
    connection_options_.protocol = conn::Protocol::kHttp2;
    http_ = std::make_unique<conn::ClientConnection>(loop, std::move(stream), connection_options_, *this);
  }
  ~Connection() override = default;

  void Start(std::shared_ptr<CallStream> call, http::RequestHead head) {
    if (!down_ && http_->open()) {
      call->Begin(*http_, head, call);
      if (call->begun()) return;
    }
    waiting_.push_back({std::move(call), std::move(head)});
    if (down_) FailWaitingLater();
  }
  void Shutdown() {
    on_down_ = nullptr;
    down_ = true;
    // The connection outlives this call: its owner may be inside one of its callbacks.
    if (http_ && !http_->closed()) http_->Close(http::ResetReason::kCancel);
    loop_.Defer([keep = shared_from_this(), http = std::move(http_)]() mutable { http.reset(); });
    waiting_.clear();
  }
  bool up() const noexcept { return !down_; }
  const io::TlsFacts* tls() const noexcept { return http_ ? http_->stream().tls() : nullptr; }
  const io::Stream& transport() const noexcept { return http_->stream(); }
  io::Loop& loop() noexcept { return loop_; }

  ChannelOptions options;

 private:
  struct Waiting {
    std::shared_ptr<CallStream> call;
    http::RequestHead head;
  };

  void OnConnectionOpen() override { StartWaiting(); }
  void OnMaxStreamsChanged() override { StartWaiting(); }
  void OnGoAway() override { Down({Errc::kPeerClosed, "the server ends the connection"}); }
  void OnConnectionClosed(const Error& why) override {
    Down(why);
    FailWaiting(why.detail);
  }
  void StartWaiting() {
    std::vector<Waiting> waiting = std::move(waiting_);
    waiting_.clear();
    for (Waiting& next : waiting) {
      if (next.call->ended()) continue;  // cancelled, or its deadline passed
      next.call->Begin(*http_, next.head, next.call);
      if (!next.call->begun()) waiting_.push_back(std::move(next));
    }
  }
  void Down(const Error& why) {
    if (std::exchange(down_, true)) return;
    if (!on_down_) return;
    auto tell = std::move(on_down_);
    on_down_ = nullptr;
    tell(why);  // may destroy the channel
  }
  void FailWaiting(const char* why) {
    std::vector<Waiting> waiting = std::move(waiting_);
    waiting_.clear();
    for (const Waiting& call : waiting) call.call->End({.code = Code::kUnavailable, .message = why, .details = {}}, {});
  }
  void FailWaitingLater() {
    loop_.Defer([keep = weak_from_this()] {
      if (const auto self = keep.lock()) self->FailWaiting("the connection is down");
    });
  }

  io::Loop& loop_;
  std::move_only_function<void(const Error&)> on_down_;
  conn::ConnectionOptions connection_options_;
  bool down_ = false;
  std::vector<Waiting> waiting_;
  std::unique_ptr<conn::ClientConnection> http_;
};

class Channel::Call final : public ClientCall {
 public:
  explicit Call(std::shared_ptr<CallStream> stream) : stream_(std::move(stream)) {}
  ~Call() override { stream_->Abandon(); }
  void Send(std::string_view message) override { stream_->Send(message); }
  void HalfClose() override { stream_->HalfClose(); }
  bool above_high_watermark() const noexcept override { return stream_->above_high_watermark(); }
  void PauseReading(bool paused) override { stream_->PauseReading(paused); }

 private:
  std::shared_ptr<CallStream> stream_;
};

namespace {

// A unary call as one operation; owned by the handle that Unary gave out.
class UnaryOperation final : public Pending::Operation, public ClientCallEvents {
 public:
  explicit UnaryOperation(std::move_only_function<void(UnaryResult)> done) : done_(std::move(done)) {}
  void Own(std::unique_ptr<ClientCall> call) { call_ = std::move(call); }

 private:
  void OnMessage(std::string message) override { message_ = std::move(message); }
  void OnFinished(const Status& status, const Metadata& trailers) override {
    UnaryResult result{.status = status, .message = {}, .trailers = trailers};
    if (status.ok() && !message_)
      result.status = {.code = Code::kInternal, .message = "the answer has no message", .details = {}};
    if (result.status.ok()) result.message = std::move(*message_);
    auto done = std::move(done_);
    done(std::move(result));  // may destroy this
  }

  std::move_only_function<void(UnaryResult)> done_;
  std::optional<std::string> message_;
  std::unique_ptr<ClientCall> call_;
};

}  // namespace

Channel::Channel(io::Loop& loop, std::unique_ptr<io::Stream> stream, ChannelOptions options,
                 std::move_only_function<void(const Error&)> on_down)
    : connection_(std::make_shared<Connection>(loop, std::move(stream), std::move(options), std::move(on_down))) {}

Channel::~Channel() { connection_->Shutdown(); }

bool Channel::up() const noexcept { return connection_->up(); }
const io::TlsFacts* Channel::tls() const noexcept { return connection_->tls(); }
const io::Stream& Channel::transport() const noexcept { return connection_->transport(); }

std::unique_ptr<ClientCall> Channel::Start(std::string_view method, CallOptions options, ClientCallEvents& events) {
  const ChannelOptions& channel = connection_->options;
  http::RequestHead head{.version = http::Version::kHttp2,
                         .method = "POST",
                         .scheme = channel.tls ? "https" : "http",
                         .authority = channel.authority,
                         .path = std::string(method),
                         .protocol = {},
                         .headers = {}};
  head.headers.Add("te", "trailers");
  head.headers.Add("content-type", "application/grpc");
  if (!channel.user_agent.empty()) head.headers.Add("user-agent", channel.user_agent);
  if (!channel.authorization.empty()) head.headers.Add("authorization", channel.authorization);
  for (const http::HeaderView field : options.metadata) head.headers.Add(field.name, field.value);
  auto stream = std::make_shared<CallStream>(connection_->loop(), events, channel.max_message);
  if (options.timeout > Duration(0)) {
    head.headers.Add("grpc-timeout", FormatTimeout(options.timeout));
    stream->SetDeadline(options.timeout);
  }
  connection_->Start(stream, std::move(head));
  return std::make_unique<Call>(std::move(stream));
}

Pending Channel::Unary(std::string_view method, CallOptions options, std::string_view message,
                       std::move_only_function<void(UnaryResult)> done) {
  auto operation = std::make_unique<UnaryOperation>(std::move(done));
  auto call = Start(method, std::move(options), *operation);
  call->Send(message);
  call->HalfClose();
  operation->Own(std::move(call));
  return Pending(std::move(operation));
}

}  // namespace plait::grpc
