#include "load.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace plait::demo {

// A kept connection with at most one request under way; opened again when it has ended between two requests.
class Load::Kept final : public conn::ClientConnectionEvents, public http::ClientStreamEvents {
 public:
  explicit Kept(Load& load) : load_(load), timeout_([this] { TimedOut(); }) {}
  ~Kept() override = default;

  bool idle() const noexcept { return !busy_; }
  void Start() {
    busy_ = true;
    since_ = load_.loop_.Now();
    failure_ = "connection closed without an answer";
    answered_ = false;
    timeout_.Start(load_.loop_.timers(), load_.options_.timeout);
    ++load_.report_.sent;
    if (connection_ && connection_->open() && Send()) return;
    Open();
  }

 private:
  void Open() {
    if (connection_) load_.loop_.DeleteLater(std::move(connection_));
    const auto& to = load_.addresses_[load_.report_.sent % load_.addresses_.size()];
    connection_ = std::make_unique<conn::ClientConnection>(load_.loop_, io::Connect(load_.loop_, to), load_.connection_options_, *this);
  }
  bool Send() {
    stream_ = connection_->NewStream(*this);
    if (stream_ == nullptr) return false;
    Buffer body(load_.options_.body);
    stream_->SendHead(load_.Head(), body.empty());
    if (!body.empty()) stream_->SendData(body, true);
    return true;
  }
  void TimedOut() {
    failure_ = "timed out";
    if (connection_) connection_->Close(http::ResetReason::kTimedOut);
  }
  void Finish() {
    if (!busy_) return;
    busy_ = false;
    stream_ = nullptr;
    timeout_.Cancel();
    if (answered_)
      load_.Answered(head_, since_);
    else
      load_.Failed(failure_);
    if (load_.options_.rate > 0 || !load_.may_start()) return;
    load_.loop_.Defer([this] {
      if (!busy_ && load_.may_start()) Start();
    });
  }

  void OnConnectionOpen() override {
    if (busy_ && stream_ == nullptr && !Send()) failure_ = "connection takes no request";
  }
  void OnConnectionClosed(const Error& why) override {
    if (connection_) load_.loop_.DeleteLater(std::move(connection_));
    if (busy_ && stream_ == nullptr && !answered_) failure_ = why.detail;
    Finish();
  }
  void OnInformational(http::ResponseHead /*head*/) override {}
  void OnResponseHead(http::ResponseHead head, bool end_stream) override {
    head_ = std::move(head);
    answered_ = end_stream;
  }
  void OnData(Buffer& /*data*/, bool end_stream) override { answered_ = answered_ || end_stream; }
  void OnTrailers(http::Headers /*trailers*/) override { answered_ = true; }
  void OnReset(http::ResetReason /*reason*/) override {
    answered_ = false;
    failure_ = "answer broke off";
  }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override { Finish(); }

  Load& load_;
  std::unique_ptr<conn::ClientConnection> connection_;
  http::ClientStream* stream_ = nullptr;
  bool busy_ = false;
  bool answered_ = false;
  http::ResponseHead head_;
  const char* failure_ = "";
  MonotonicTime since_;
  io::Timer timeout_;
};

Load::Load(io::Loop& loop, LoadOptions options, std::vector<io::SocketAddress> addresses)
    : loop_(loop),
      options_(std::move(options)),
      addresses_(std::move(addresses)),
      last_tick_(loop.clock().Now()),
      end_(options_.duration > Duration(0) ? last_tick_ + options_.duration : MonotonicTime::max()),
      tick_([this] { Tick(); }) {
  for (std::uint32_t i = 0; i < options_.connections; ++i) kept_.push_back(std::make_unique<Kept>(*this));
  if (options_.rate <= 0)
    for (const auto& kept : kept_)
      if (may_start()) kept->Start();
  tick_.Start(loop_.timers(), std::chrono::milliseconds(1));
}

Load::~Load() = default;

void Load::Stop() { stopped_ = true; }

bool Load::done() const noexcept {
  if (may_start() || !new_.empty()) return false;
  return std::all_of(kept_.begin(), kept_.end(), [](const auto& kept) { return kept->idle(); });
}

http::RequestHead Load::Head() const {
  http::RequestHead head{.method = options_.method, .scheme = "http", .authority = options_.url.authority(), .path = options_.url.target, .protocol = {}, .headers = options_.headers};
  if (!options_.body.empty()) head.headers.Set("content-length", std::to_string(options_.body.size()));
  return head;
}

void Load::Tick() {
  const MonotonicTime now = loop_.Now();
  const double seconds = std::chrono::duration<double>(now - last_tick_).count();
  last_tick_ = now;
  if (now >= end_) stopped_ = true;
  // What cannot be sent because all connections are busy is not owed later: the rate is a ceiling.
  owed_ = std::min(owed_ + options_.rate * seconds, static_cast<double>(options_.connections));
  owed_new_ = std::min(owed_new_ + options_.new_per_second * seconds, 16.0);
  for (std::size_t tried = 0; owed_ >= 1 && tried < kept_.size() && may_start(); ++tried) {
    Kept& kept = *kept_[next_kept_++ % kept_.size()];
    if (!kept.idle()) continue;
    owed_ -= 1;
    kept.Start();
  }
  for (; owed_new_ >= 1 && may_start(); owed_new_ -= 1) StartNew();
  tick_.Start(loop_.timers(), std::chrono::milliseconds(1));
}

void Load::StartNew() {
  ++report_.sent;
  const std::uint64_t id = ++last_new_;
  const MonotonicTime since = loop_.Now();
  conn::FetchRequest request;
  request.to = addresses_[id % addresses_.size()];
  request.head = Head();
  request.head.headers.Set("connection", "close");
  request.body = options_.body;
  request.timeout = options_.timeout;
  new_[id] = conn::Fetch(loop_, std::move(request), [this, id, since](Result<conn::FetchResponse> got) {
    if (got)
      Answered(got->head, since);
    else
      Failed(got.error().detail);
    loop_.Defer([this, id] { new_.erase(id); });
  });
}

void Load::Answered(const http::ResponseHead& head, MonotonicTime since) {
  ++report_.by_status[head.status];
  if (!options_.count_by.empty()) ++report_.by_value[std::string(head.headers.Get(options_.count_by).value_or("(none)"))];
  report_.micros.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(loop_.clock().Now() - since).count()));
}

void Load::Failed(const char* why) { ++report_.failures[why]; }

std::uint64_t LoadReport::failed() const {
  std::uint64_t out = 0;
  for (const auto& [status, count] : by_status)
    if (status >= 500) out += count;
  for (const auto& [why, count] : failures) out += count;
  return out;
}

std::string LoadReport::ToJson() const {
  std::vector<std::uint32_t> sorted = micros;
  std::sort(sorted.begin(), sorted.end());
  const auto percentile = [&](double p) {
    return sorted.empty() ? 0.0 : sorted[static_cast<std::size_t>(p * static_cast<double>(sorted.size() - 1))] / 1000.0;
  };
  nlohmann::ordered_json out{{"sent", sent}, {"ok", sent - failed()}, {"failed", failed()}};
  out["status"] = nlohmann::ordered_json::object();
  for (const auto& [status, count] : by_status) out["status"][std::to_string(status)] = count;
  out["failures"] = failures;
  out["by"] = by_value;
  out["p50_ms"] = percentile(0.5);
  out["p99_ms"] = percentile(0.99);
  out["max_ms"] = percentile(1.0);
  return out.dump();
}

}  // namespace plait::demo
