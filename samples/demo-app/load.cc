#include "load.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace plait::demo {

// A kept connection with at most one request under way; opened again when it has ended between two requests.
class Load::Kept final : public conn::ClientConnectionEvents, public http::ClientStreamEvents {
 public:
  explicit Kept(Load& load) : load_(load), timeout_([this] { TimedOut(); }) {}
  ~Kept() override = default;

  bool idle() const noexcept { return !busy_; }
  void Start(MonotonicTime due) {
    busy_ = true;
    since_ = due;
    failure_ = "connection closed without an answer";
    answered_ = false;
    timeout_.Start(load_.loop_.timers(), load_.options_.timeout);
    load_.Begun();
    if (connection_ && connection_->open() && Send()) return;
    Open();
  }

 private:
  void Open() {
    if (std::exchange(opened_, true)) ++load_.report_.reopened;
    if (connection_) load_.loop_.DeleteLater(std::move(connection_));
    const auto& to = load_.addresses_[load_.report_.sent % load_.addresses_.size()];
    connection_ = std::make_unique<conn::ClientConnection>(load_.loop_, io::Connect(load_.loop_, to),
                                                           load_.connection_options_, *this);
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
      load_.Failed(failure_, since_);
    if (load_.options_.rate > 0 || !load_.may_start()) return;
    load_.loop_.Defer([this] {
      if (!busy_ && load_.may_start()) Start(load_.loop_.Now());
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
  bool opened_ = false;  // at least once
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
      begin_(loop.clock().Now()),
      end_(options_.duration > Duration(0) ? begin_ + options_.duration : MonotonicTime::max()),
      next_due_(begin_),
      next_new_due_(begin_),
      tick_([this] { Tick(); }) {
  for (std::uint32_t i = 0; i < options_.connections; ++i) kept_.push_back(std::make_unique<Kept>(*this));
  if (options_.rate <= 0)
    for (const auto& kept : kept_)
      if (may_start()) kept->Start(begin_);
  tick_.Start(loop_.timers(), std::chrono::milliseconds(1));
}

Load::~Load() = default;

void Load::Stop() {
  if (!stopped_) report_.asked_for = std::min(loop_.clock().Now(), end_) - begin_;
  stopped_ = true;
}

bool Load::done() const noexcept {
  if (may_start() || !new_.empty()) return false;
  return std::all_of(kept_.begin(), kept_.end(), [](const auto& kept) { return kept->idle(); });
}

http::RequestHead Load::Head() const {
  http::RequestHead head{.method = options_.method,
                         .scheme = "http",
                         .authority = options_.url.authority(),
                         .path = options_.url.target,
                         .protocol = {},
                         .headers = options_.headers};
  if (!options_.body.empty()) head.headers.Set("content-length", std::to_string(options_.body.size()));
  return head;
}

Load::Kept* Load::FindIdle() {
  for (std::size_t tried = 0; tried < kept_.size(); ++tried)
    if (Kept& kept = *kept_[next_kept_++ % kept_.size()]; kept.idle()) return &kept;
  return nullptr;
}

void Load::Tick() {
  const MonotonicTime now = loop_.Now();
  if (now >= end_) Stop();
  const auto every = [](double per_second) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / per_second));
  };
  // What cannot be sent in time because all connections are busy is sent late, and its wait counts as part of the
  // answer's: a stall is seen, which it would not be if the rate went down with it.
  for (; options_.rate > 0 && next_due_ <= now && may_start(); next_due_ += every(options_.rate)) {
    if (Kept* kept = FindIdle()) {
      kept->Start(next_due_);
    } else if (now - next_due_ < options_.timeout) {
      break;
    } else {  // a caller would have given up; without a limit the debt of a long stall would be paid for as long again
      Begun();
      Failed("timed out before a connection was free", next_due_);
    }
  }
  for (; options_.new_per_second > 0 && next_new_due_ <= now && may_start();
       next_new_due_ += every(options_.new_per_second))
    StartNew(next_new_due_);
  tick_.Start(loop_.timers(), std::chrono::milliseconds(1));
}

void Load::StartNew(MonotonicTime since) {
  ++report_.sent_new;
  Begun();
  const std::uint64_t id = ++last_new_;
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
      Failed(got.error().detail, since);
    loop_.Defer([this, id] { new_.erase(id); });
  });
}

void Load::Begun() {
  if (++report_.sent == options_.count) Stop();
}

void Load::Answered(const http::ResponseHead& head, MonotonicTime since) {
  ++report_.by_status[head.status];
  if (!options_.count_by.empty())
    ++report_.by_value[std::string(head.headers.Get(options_.count_by).value_or("(none)"))];
  report_.micros.push_back(static_cast<std::uint32_t>(Waited(since) / std::chrono::microseconds(1)));
}

void Load::Failed(const char* why, MonotonicTime since) {
  ++report_.failures[why];
  Waited(since);
}

Duration Load::Waited(MonotonicTime since) {
  const Duration wait = loop_.clock().Now() - since;
  report_.longest = std::max(report_.longest, wait);
  return wait;
}

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
  nlohmann::ordered_json out{{"sent", sent},         {"kept", sent - sent_new}, {"new", sent_new},
                             {"reopened", reopened}, {"ok", sent - failed()},   {"failed", failed()}};
  out["status"] = nlohmann::ordered_json::object();
  for (const auto& [status, count] : by_status) out["status"][std::to_string(status)] = count;
  out["failures"] = failures;
  out["by"] = by_value;
  out["p50_ms"] = percentile(0.5);
  out["p99_ms"] = percentile(0.99);
  out["max_ms"] = std::chrono::duration<double, std::milli>(longest).count();
  out["seconds"] = std::chrono::duration<double>(asked_for).count();
  return out.dump();
}

}  // namespace plait::demo
