#include "core/conn/whole_request.h"

#include <utility>

#include "core/base/strings.h"
#include "core/http/date.h"
#include "core/tls/facts.h"

namespace plait::conn {

// One stream of the server: first it gathers the request, then it is where the Responder sends. It holds itself until
// the stream is over; a Responder may hold it longer.
struct Responder::Target final : http::ServerStreamEvents {
  Target(OnRequest& handler, std::size_t limit, http::ServerStream& to, const Peer& peer)
      : on_request(handler), max_body(limit), stream(&to) {
    request.remote = peer.remote;
    if (peer.tls != nullptr) request.peer_identity = peer.tls->peer_identity;
  }

  void OnRequestHead(http::RequestHead head, bool end_stream) override {
    request.head = std::move(head);
    head_request = request.head.method == "HEAD";
    // Who asks for a tunnel or an upgrade says nothing before the answer.
    if (end_stream || request.head.method == "CONNECT" || !request.head.protocol.empty()) return Dispatch();
    if (request.head.headers.HasToken("expect", "100-continue")) {
      http::ResponseHead go_on;
      go_on.status = 100;
      stream->SendInformational(go_on);
    }
  }
  void OnData(Buffer& data, bool end_stream) override {
    if (dispatched) return;
    if (request.body.size() + data.size() > max_body) return RefuseTooLarge();
    request.body += data.ToString();
    if (end_stream) Dispatch();
  }
  void OnTrailers(http::Headers trailers) override {
    request.trailers = std::move(trailers);
    if (!dispatched) Dispatch();
  }
  void OnReset(http::ResetReason) override { Gone(); }
  void OnBelowLowWatermark() override {
    if (on_change) on_change();
  }
  void OnStreamClosed() override {
    Gone();
    self.reset();  // may destroy this
  }

  void Dispatch() {
    dispatched = true;
    on_request(std::move(request), Responder(self));
  }
  void RefuseTooLarge() {
    dispatched = true;
    Responder(self).Send(TextResponse(413, "Payload Too Large\n"));
  }
  // The client needs no answer any more.
  void Gone() {
    if (std::exchange(stream, nullptr) == nullptr || ended) return;
    if (on_change) on_change();
  }
  void SendHead(std::uint16_t status, http::Headers headers, bool end_stream) {
    http::ResponseHead head;
    head.status = status;
    head.headers = std::move(headers);
    if (!head.headers.Has("date")) head.headers.Add("date", http::HttpDate(SystemClock().Wall()));
    begun = true;
    ended = ended || end_stream;
    stream->SendHead(head, end_stream);
  }

  OnRequest& on_request;
  const std::size_t max_body;
  http::ServerStream* stream;  // null: over
  Request request;
  std::move_only_function<void()> on_change;
  std::shared_ptr<Target> self;
  bool head_request = false;
  bool dispatched = false;
  bool begun = false;
  bool ended = false;
};

http::ServerStreamEvents& HttpServer::WholeRequests::OnNewStream(http::ServerStream& stream, const Peer& peer) {
  auto target = std::make_shared<Responder::Target>(on_request_, max_body_, stream, peer);
  target->self = target;
  return *target;
}

Responder::Responder(std::shared_ptr<Target> target) noexcept : target_(std::move(target)) {}
Responder::Responder(Responder&&) noexcept = default;
Responder& Responder::operator=(Responder&& other) noexcept {
  if (this == &other) return *this;
  Settle();
  target_ = std::move(other.target_);
  return *this;
}
Responder::~Responder() { Settle(); }

// An answer that was forgotten or left half.
void Responder::Settle() noexcept {
  if (!target_) return;
  target_->on_change = nullptr;
  if (target_->stream == nullptr || target_->ended) return;
  if (target_->begun) {
    target_->ended = true;
    target_->stream->Reset(http::ResetReason::kInternal);
  } else {
    Send(TextResponse(500, "Internal Server Error\n"));
  }
}

bool Responder::alive() const noexcept { return target_ && target_->stream != nullptr && !target_->ended; }
bool Responder::writable() const noexcept { return alive() && !target_->stream->above_high_watermark(); }
void Responder::OnChange(std::move_only_function<void()> call) {
  if (target_) target_->on_change = std::move(call);
}

void Responder::SendInformational(std::uint16_t status, http::Headers headers) {
  if (!alive() || target_->begun) return;
  http::ResponseHead head;
  head.status = status;
  head.headers = std::move(headers);
  target_->stream->SendInformational(head);
}

void Responder::Send(Response response) {
  if (!alive() || target_->begun) return;
  const bool no_content = response.status == 204 || response.status == 304 || response.status < 200;
  if (!no_content) response.headers.Set("content-length", std::to_string(response.body.size()));
  const bool bodiless = no_content || target_->head_request || response.body.empty();
  target_->SendHead(response.status, std::move(response.headers), bodiless);
  if (bodiless) return;
  target_->ended = true;
  Buffer body(response.body);
  target_->stream->SendData(body, true);
}

void Responder::Begin(std::uint16_t status, http::Headers headers) {
  if (alive() && !target_->begun) target_->SendHead(status, std::move(headers), false);
}

void Responder::Write(std::string_view bytes) {
  if (!alive() || !target_->begun || bytes.empty()) return;
  Buffer data(bytes);
  target_->stream->SendData(data, false);
}

void Responder::End(http::Headers trailers) {
  if (!alive() || !target_->begun) return;
  target_->ended = true;
  if (!trailers.empty()) return target_->stream->SendTrailers(trailers);
  Buffer none;
  target_->stream->SendData(none, true);
}

Response TextResponse(std::uint16_t status, std::string body, std::string_view content_type) {
  return {.status = status, .headers = {{"content-type", content_type}}, .body = std::move(body)};
}

}  // namespace plait::conn
