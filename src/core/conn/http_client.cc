#include "core/conn/http_client.h"

#include <optional>
#include <utility>

#include "core/base/strings.h"

namespace plait::conn {
namespace {

// One exchange. Owned by the handle that Fetch gave out; dropping that ends everything.
class Exchange final : public Pending::Operation, public ClientConnectionEvents, public http::ClientStreamEvents {
 public:
  Exchange(io::Loop& loop, FetchRequest request, OnFetched done)
      : loop_(loop),
        request_(std::move(request)),
        done_(std::move(done)),
        deadline_([this] { Give(Fail(Errc::kTimedOut, "request timed out")); }) {
    options_.protocol = request_.protocol;
    request_.connect.timeout = std::min(request_.connect.timeout, request_.timeout);
    auto stream = request_.stream ? std::move(request_.stream) : io::Connect(loop, request_.to, request_.connect);
    if (request_.head.authority.empty())
      request_.head.authority = request_.to.is_unix() ? "localhost" : request_.to.ToString();
    if (request_.head.path.empty()) request_.head.path = "/";
    if (request_.head.scheme.empty()) request_.head.scheme = "http";
    deadline_.Start(loop.timers(), request_.timeout);
    connection_ = std::make_unique<ClientConnection>(loop, std::move(stream), options_, *this);
  }
  // The handle may be dropped inside the completion, which the connection's own callback runs.
  ~Exchange() override {
    if (connection_->closed())
      loop_.DeleteLater(std::move(connection_));
    else
      connection_.reset();
  }

 private:
  void OnConnectionOpen() override {
    stream_ = connection_->NewStream(*this);
    if (stream_ == nullptr) return;
    if (!request_.body.empty()) request_.head.headers.Set("content-length", std::to_string(request_.body.size()));
    stream_->SendHead(request_.head, request_.body.empty());
    if (request_.body.empty()) return;
    Buffer body(request_.body);
    stream_->SendData(body, true);
  }
  void OnInformational(http::ResponseHead) override {}
  void OnResponseHead(http::ResponseHead head, bool end_stream) override {
    response_.head = std::move(head);
    if (end_stream) complete_ = true;
  }
  void OnData(Buffer& data, bool end_stream) override {
    if (response_.body.size() + data.size() > request_.max_body) {
      failure_ = Error{Errc::kLimit, "answer is too large"};
      return stream_->Reset(http::ResetReason::kCancel);
    }
    response_.body += data.ToString();
    if (end_stream) complete_ = true;
  }
  void OnTrailers(http::Headers trailers) override {
    response_.trailers = std::move(trailers);
    complete_ = true;
  }
  void OnReset(http::ResetReason reason) override {
    if (reason == http::ResetReason::kProtocol)
      failure_ = Error{Errc::kInvalidInput, stream_->details()};
    else
      failure_ = Error{Errc::kPeerReset, "connection ended before the answer was complete"};
  }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {
    stream_ = nullptr;
    if (connection_) connection_->Close(http::ResetReason::kNone);
  }
  void OnConnectionClosed(const Error& why) override {
    if (complete_) return Give(std::move(response_));
    Give(std::unexpected(failure_ ? *failure_ : why));
  }
  void Give(Result<FetchResponse> result) {
    deadline_.Cancel();
    if (!done_) return;
    auto done = std::move(done_);
    done_ = nullptr;
    done(std::move(result));  // may destroy this
  }

  io::Loop& loop_;
  FetchRequest request_;
  OnFetched done_;
  ConnectionOptions options_;
  FetchResponse response_;
  std::optional<Error> failure_;
  http::ClientStream* stream_ = nullptr;
  bool complete_ = false;
  io::Timer deadline_;
  std::unique_ptr<ClientConnection> connection_;
};
}  // namespace

Pending Fetch(io::Loop& loop, FetchRequest request, OnFetched done) {
  return Pending(std::make_unique<Exchange>(loop, std::move(request), std::move(done)));
}

Result<FetchRequest> GetRequest(std::string_view url) {
  FetchRequest request;
  request.head.method = "GET";
  request.head.path = "/";
  if (url.starts_with("unix:")) {
    const auto [path, target] = SplitOnce(url.substr(5), ':');
    if (path.empty()) return Fail(Errc::kInvalidInput, "url: empty socket path");
    request.to.unix_path = path;
    if (target) request.head.path = *target;
    return request;
  }
  if (!url.starts_with("http://")) return Fail(Errc::kInvalidInput, "url: not http:// or unix:");
  url.remove_prefix(7);
  const std::size_t slash = url.find('/');
  std::string authority(url.substr(0, slash));
  if (slash != std::string_view::npos) request.head.path = url.substr(slash);
  request.head.authority = authority;
  if (http::PortOf(authority) == 0) authority += ":80";
  auto to = io::SocketAddress::Parse(authority);
  if (!to) return std::unexpected(to.error());
  request.to = std::move(*to);
  return request;
}

}  // namespace plait::conn
