#include "core/base/strings.h"
#include "core/http/own_answer.h"
#include "core/http2/codec.h"
#include "core/http2/session.h"

namespace plait::http2 {

class ServerSession final : public http::ServerCodec, private Session {
 public:
  ServerSession(http::ServerCodecEvents& events, const http::CodecOptions& options)
      : Session(options, /*server=*/true), events_(events) {}

  Result<> Feed(Buffer& in) override { return FeedBytes(in); }
  void FeedEnd() override { EndAll(http::ResetReason::kConnectionClosed); }
  void Abandon(http::ResetReason reason) override {
    EndAll(reason);
    output_.Clear();
  }
  Buffer& output() noexcept override { return output_; }
  void OnOutputDrained() override { Drained(); }
  std::size_t active_streams() const noexcept override { return streams_.size(); }
  void StartDrain() override { GracefulGoAway(); }
  bool wants_close() const noexcept override { return finished(); }
  http::Version version() const noexcept override { return http::Version::kHttp2; }
  http::OwnAnswer own_answer() const noexcept override { return own_answer_; }
  bool reading_head() const noexcept override { return StreamOfOpenHead() != nullptr; }
  void RefuseHead(std::string_view body) override;

 private:
  void OutputReady() override { events_.OnOutputReady(); }
  bool HeadComplete(Stream& stream, bool end_stream) override;

  http::ServerCodecEvents& events_;
  http::OwnAnswer own_answer_;
};

namespace {
bool IsSchemeWeServe(std::string_view scheme) noexcept { return scheme == "http" || scheme == "https"; }
}  // namespace

// nghttp2 has checked the order, number and characters of fields; what it does not check stands here.
bool ServerSession::HeadComplete(Stream& stream, bool end_stream) {
  const std::unique_ptr<Stream::Block> block = std::move(stream.block_);
  const bool connect = block->method == "CONNECT";
  // RFC 9113 8.3.1: a Host beside :authority must name the same.
  if (block->authority.empty())
    block->authority = std::move(block->host);
  else if (!block->host.empty() && !EqualsIgnoreCase(block->host, block->authority))
    return false;
  if (!http::IsAuthority(block->authority)) return false;
  if (connect && block->protocol.empty() && http::PortOf(block->authority) == 0) return false;
  if (!block->scheme.empty() && !IsSchemeWeServe(block->scheme)) return false;
  if (block->path == "*" && block->method != "OPTIONS") return false;

  stream.head_received_ = true;
  stream.tunnel_ = !block->protocol.empty();
  http::RequestHead head;
  head.version = http::Version::kHttp2;
  // Who asks for an upgrade is judged and routed as with HTTP/1, where the same request is a GET (RFC 8441 5).
  if (block->protocol.empty())
    head.method = std::move(block->method);
  else
    head.method = "GET";
  head.scheme = std::move(block->scheme);
  head.authority = std::move(block->authority);
  head.path = std::move(block->path);
  head.protocol = std::move(block->protocol);
  head.headers = std::move(block->fields);
  stream.server_events_ = &events_.OnNewStream(stream);
  stream.events_ = stream.server_events_;
  stream.server_events_->OnRequestHead(std::move(head), end_stream);
  return true;
}

// The other streams go on, as far as a connection does on which nothing else can come before the block's end.
void ServerSession::RefuseHead(std::string_view body) {
  Stream* stream = StreamOfOpenHead();
  if (stream == nullptr || !stream->block_) return;
  stream->block_.reset();  // the rest is only decoded
  open_head_ = 0;
  own_answer_ = {.status = 408, .body_bytes = static_cast<std::uint32_t>(body.size())};
  http::ResponseHead head;
  head.status = 408;
  head.headers = http::OwnAnswerHeaders(body.size(), options_);
  stream->SendHead(head, false);
  Buffer data(body);
  stream->SendData(data, true);
}

std::unique_ptr<http::ServerCodec> NewServerCodec(http::ServerCodecEvents& events, const http::CodecOptions& options) {
  return std::make_unique<ServerSession>(events, options);
}

}  // namespace plait::http2
