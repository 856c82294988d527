#include "local/envoy_drain.h"

#include "core/base/strings.h"
#include "core/conn/http_client.h"

namespace plait::local {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(50);
constexpr Duration kLimit = std::chrono::seconds(2);  // of one exchange with the admin port
// Connections without a request, and those that are no HTTP, are given this long (terminationDrainDuration).
constexpr Duration kIdleLimit = std::chrono::seconds(5);
constexpr const char* kDrain = "/drain_listeners?inboundonly&graceful&skip_exit";
constexpr const char* kStats = "/stats?filter=downstream_.._active";

}  // namespace

InboundActivity ReadInboundActivity(std::string_view stats) {
  InboundActivity out;
  for (const std::string_view line : Split(stats, '\n')) {
    const auto colon = line.rfind(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::uint64_t value = ParseUint(Trim(line.substr(colon + 2))).value_or(0);
    if (name.starts_with("listener.") && name.ends_with("_15006.downstream_cx_active")) out.connections += value;
    if ((name.starts_with("http.inbound_") || name.starts_with("http.InboundPassthroughCluster")) &&
        name.ends_with(".downstream_rq_active"))
      out.requests += value;
  }
  return out;
}

EnvoyDrain::EnvoyDrain(io::Loop& loop, std::function<std::unique_ptr<io::Stream>()> dial, std::function<void()> done)
    : loop_(loop), dial_(std::move(dial)), done_(std::move(done)), begun_(loop.Now()), poll_([this] {
        Ask("GET", kStats);
      }) {
  Ask("POST", kDrain);
}

void EnvoyDrain::Ask(const char* method, const char* path) {
  conn::FetchRequest request;
  request.stream = dial_();
  if (!request.stream) {
    request_ = loop_.After(Duration::zero(), [this] { done_(); });
    return;
  }
  request.protocol = conn::Protocol::kHttp1;
  request.head.method = method;
  request.head.path = path;
  request.head.authority = "127.0.0.1:15000";
  request.timeout = kLimit;
  const bool stats = request.head.method == "GET";
  request_ = conn::Fetch(loop_, std::move(request), [this, stats](Result<conn::FetchResponse> answer) {
    if (!answer) return Answered(std::nullopt);
    Answered(stats ? std::string_view(answer->body) : std::string_view());
  });
}

void EnvoyDrain::Answered(std::optional<std::string_view> body) {
  if (!body) return done_();  // may destroy this
  const InboundActivity now = ReadInboundActivity(*body);
  const bool asked = !body->empty();
  const bool quiet = now.connections == 0 || (now.requests == 0 && loop_.Now() - begun_ >= kIdleLimit);
  if (asked && quiet) return done_();
  poll_.Start(loop_.timers(), kPoll);
}

}  // namespace plait::local
