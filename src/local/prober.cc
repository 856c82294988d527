#include "local/prober.h"

#include "core/base/strings.h"
#include "core/conn/http_client.h"
#include "core/io/socket.h"
#include "core/tls/stream.h"

namespace plait::local {
namespace {

constexpr Duration kMaxEagerWait = std::chrono::milliseconds(250);
constexpr std::uint8_t kServing = 1;  // grpc.health.v1.HealthCheckResponse.ServingStatus

// A length-prefixed HealthCheckRequest{service} (gRPC over HTTP/2, grpc.health.v1): small enough to write by hand.
std::string HealthRequest(const std::string& service) {
  std::string message;
  // One byte of length is enough for any name of a service that people write.
  const std::string name = service.substr(0, 127);
  if (!name.empty()) message = std::string("\x0a") + static_cast<char>(name.size()) + name;
  return std::string(4, '\0') + static_cast<char>(message.size()) + message;
}

bool SaysServing(const conn::FetchResponse& response) {
  const std::string& body = response.body;
  return response.head.status == 200 && body.size() == 7 && body[5] == 0x08 && body[6] == kServing;
}

}  // namespace

// A TCP probe succeeds when the connection stands.
class Prober::TcpAttempt final : public io::StreamEvents {
 public:
  TcpAttempt(Prober& owner, std::unique_ptr<io::Stream> stream) : owner_(owner), stream_(std::move(stream)) {
    stream_->SetEvents(this);
  }
  void OnOpen() override { End(true, ""); }
  void OnReadable() override {}
  void OnWritable() override {}
  void OnFailed(Error error) override { End(false, error.detail); }

 private:
  void End(bool success, std::string why) {
    // Neither the stream nor this attempt may die inside its own callback.
    owner_.loop_.Defer([&owner = owner_, weak = std::weak_ptr<TcpAttempt>(owner_.tcp_), success, why = std::move(why)] {
      if (!weak.expired()) owner.Done(success, why);
    });
  }
  Prober& owner_;
  std::unique_ptr<io::Stream> stream_;
};

Prober::Prober(io::Loop& loop, ProbeTarget& target, ProbeSpec spec, bool eager,
               std::move_only_function<void(bool, const std::string&)> on_change)
    : loop_(loop), target_(target), spec_(std::move(spec)), eager_(eager), on_change_(std::move(on_change)) {
  timer_.SetCallback([this] { Probe(); });
  limit_.SetCallback([this] { Done(false, "no answer within " + FormatDuration(spec_.timeout)); });
}

void Prober::Start() {
  next_count_ = loop_.Now() + spec_.initial_delay + spec_.period;
  timer_.Start(loop_.timers(), spec_.initial_delay);
}

void Prober::Probe() {
  limit_.Start(loop_.timers(), spec_.timeout);
  switch (spec_.kind) {
    case ProbeSpec::Kind::kHttp: return ProbeHttp(false);
    case ProbeSpec::Kind::kGrpc: return ProbeHttp(true);
    case ProbeSpec::Kind::kTcp: return ProbeTcp();
    case ProbeSpec::Kind::kExec:
      attempt_ = target_.RunInside(spec_.container, spec_.argv, [this](int code) {
        Done(code == 0, "the command ended with exit code " + std::to_string(code));
      });
  }
}

void Prober::ProbeTcp() {
  std::unique_ptr<io::Stream> stream = target_.ConnectTo(spec_.port, spec_.timeout);
  if (!stream) return Done(false, "cannot connect");
  tcp_ = std::make_shared<TcpAttempt>(*this, std::move(stream));
}

std::unique_ptr<io::Stream> ConnectForHttp(io::Loop& loop, ProbeTarget& target, Port port, bool https,
                                           Duration timeout) {
  std::unique_ptr<io::Stream> stream = target.ConnectTo(port, timeout);
  if (!stream || !https) return stream;
  static const auto kContext = tls::Context::Make({.peer = {.any_chain = true}, .alpn = {"http/1.1"}});
  if (!kContext) return nullptr;
  return tls::Wrap(loop, std::move(stream), *kContext, {.handshake_timeout = timeout});
}

void SetHeaders(const std::vector<std::pair<std::string, std::string>>& headers, http::RequestHead& head) {
  for (const auto& [name, value] : headers) {
    if (EqualsIgnoreCase(name, "host"))
      head.authority = value;
    else
      head.headers.Set(name, value);
  }
}

void Prober::ProbeHttp(bool grpc) {
  conn::FetchRequest request;
  request.stream = ConnectForHttp(loop_, target_, spec_.port, spec_.https, spec_.timeout);
  if (!request.stream) return Done(false, "cannot connect");
  request.timeout = spec_.timeout;
  request.max_body = 64 * 1024;
  request.protocol = grpc ? conn::Protocol::kHttp2 : conn::Protocol::kHttp1;
  request.head.method = grpc ? "POST" : "GET";
  request.head.path = grpc ? "/grpc.health.v1.Health/Check" : spec_.path;
  request.head.scheme = spec_.https ? "https" : "http";
  request.head.authority = target_.Host() + ":" + std::to_string(spec_.port.value);
  request.head.headers.Add("user-agent", "kube-probe/1.33");
  if (grpc) {
    request.head.headers.Add("content-type", "application/grpc");
    request.head.headers.Add("te", "trailers");
    request.body = HealthRequest(spec_.service);
  }
  SetHeaders(spec_.headers, request.head);
  attempt_ = conn::Fetch(loop_, std::move(request), [this, grpc](Result<conn::FetchResponse> response) {
    if (!response) return Done(false, response.error().detail);
    if (grpc) return Done(SaysServing(*response), "not serving");
    const int status = response->head.status;
    Done(status >= 200 && status < 400, "HTTP status " + std::to_string(status));
  });
}

// Eager attempts before the first success are more than were asked for: the program is starting.
void Prober::CountFailure() {
  if (eager_ && !decided_) {
    if (loop_.Now() < next_count_) return;
    next_count_ += spec_.period;
  }
  ++failures_;
}

void Prober::Done(bool success, std::string why) {
  limit_.Cancel();
  // The finished attempt may be what called us.
  loop_.Defer([attempt = std::move(attempt_), tcp = std::move(tcp_)]() mutable {});
  successes_ = success ? successes_ + 1 : 0;
  if (success)
    failures_ = 0;
  else
    CountFailure();
  const bool was = healthy_;
  if (successes_ >= spec_.success_threshold) healthy_ = true;
  if (failures_ >= spec_.failure_threshold) healthy_ = false;
  Duration next = spec_.period;
  if (eager_ && !healthy_ && !decided_) {
    next = std::min(next, eager_wait_);
    eager_wait_ = std::min(eager_wait_ * 2, kMaxEagerWait);
  }
  last_failure_ = success ? "" : why;
  const bool first = !decided_ && (healthy_ || failures_ >= spec_.failure_threshold);
  decided_ = decided_ || first;
  timer_.Start(loop_.timers(), next);
  if (was != healthy_ || first) on_change_(healthy_, success ? "" : why);
}

}  // namespace plait::local
