// Server and client codec under arbitrary bytes. Checked: the events are the same wherever the bytes are cut; what one
// codec accepted and the other sends on is read again as the same message.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/base/check.h"
#include "core/http1/codec.h"

namespace {

using namespace plait;
using http::ResetReason;

const http::CodecOptions kOptions = [] {
  http::CodecOptions options;
  options.max_header_bytes = 2048;
  options.max_header_count = 20;
  return options;
}();

std::string Describe(const http::Headers& headers) {
  std::string out;
  for (const http::HeaderView field : headers) out.append(field.name).append("=").append(field.value).append("\n");
  return out;
}

// Answers each request when it ends, and keeps a log in which pieces of data are joined.
struct Server : http::ServerCodecEvents, http::ServerStreamEvents {
  std::unique_ptr<http::ServerCodec> codec = http1::NewServerCodec(*this, kOptions);
  http::ServerStream* stream = nullptr;
  std::string log;
  std::string data;
  http::RequestHead first;
  std::string first_body;
  http::Headers first_trailers;
  int requests = 0;
  bool first_complete = false;

  http::ServerStreamEvents& OnNewStream(http::ServerStream& s) override {
    PLAIT_CHECK(stream == nullptr);
    stream = &s;
    return *this;
  }
  void OnOutputReady() override {}
  void Reply() {
    http::ResponseHead head;
    head.status = 200;
    stream->SendHead(head, true);
  }
  void OnRequestHead(http::RequestHead head, bool end) override {
    log += "head " + head.method + " " + head.scheme + " " + head.authority + " " + head.path + " " + head.protocol +
           "\n" + Describe(head.headers);
    data.clear();
    if (++requests == 1) first = head;
    if (end || head.method == "CONNECT" || !head.protocol.empty()) {
      first_complete = first_complete || (requests == 1 && end);
      Reply();
    }
  }
  void OnData(Buffer& buffer, bool end) override {
    data += buffer.ToString();
    if (end) End({});
  }
  void OnTrailers(http::Headers trailers) override { End(std::move(trailers)); }
  void End(http::Headers trailers) {
    log += "body " + data + "\n" + Describe(trailers);
    if (requests == 1) {
      first_body = data;
      first_trailers = trailers;
      first_complete = true;
    }
    Reply();
  }
  void OnReset(ResetReason reason) override {
    log += "reset " + std::to_string(static_cast<int>(reason)) + " " + stream->details();
  }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {
    PLAIT_CHECK(stream != nullptr);
    stream = nullptr;
    log += "closed\n";
  }
};

std::string RunServer(std::string_view bytes, std::size_t step, Server& server) {
  Buffer in;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    in.Append(bytes.substr(at, step));
    if (auto fed = server.codec->Feed(in); !fed) {
      server.log += std::string("error ") + fed.error().detail;
      return server.log;
    }
  }
  server.codec->FeedEnd();
  PLAIT_CHECK(server.codec->wants_close() || server.stream != nullptr);
  return server.log;
}

struct Client : http::ClientCodecEvents, http::ClientStreamEvents {
  std::unique_ptr<http::ClientCodec> codec = http1::NewClientCodec(*this, kOptions);
  std::string log;
  std::string data;
  bool closed = false;
  void OnOutputReady() override {}
  void OnGoAway() override {}
  void OnMaxStreamsChanged() override {}
  void OnInformational(http::ResponseHead head) override {
    log += "info " + std::to_string(head.status) + Describe(head.headers);
  }
  void OnResponseHead(http::ResponseHead head, bool) override {
    log += "head " + std::to_string(head.status) + head.reason + "\n" + Describe(head.headers);
  }
  void OnData(Buffer& buffer, bool) override { data += buffer.ToString(); }
  void OnTrailers(http::Headers trailers) override { log += Describe(trailers); }
  void OnReset(ResetReason reason) override { log += "reset " + std::to_string(static_cast<int>(reason)); }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {
    PLAIT_CHECK(!closed);
    closed = true;
  }
};

std::string RunClient(std::string_view bytes, std::size_t step) {
  Client client;
  http::RequestHead head;
  head.method = bytes.size() % 5 == 0 ? "HEAD" : "GET";
  head.authority = "a";
  head.path = "/";
  client.codec->NewStream(client)->SendHead(head, true);
  Buffer in;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    in.Append(bytes.substr(at, step));
    if (!client.codec->Feed(in)) return client.log + client.data + " error";
  }
  client.codec->FeedEnd();
  PLAIT_CHECK(client.closed);
  return client.log + client.data;
}

// What came in as a whole request and is sent on arrives as the same request.
void RoundTrip(Server& from) {
  if (!from.first_complete || from.first.method == "CONNECT" || !from.first.protocol.empty()) return;
  // "http://a?x" has no path: whoever forwards requests refuses that one (404).
  if (!from.first.path.starts_with('/') && from.first.path != "*") return;
  Client client;
  http::ClientStream* stream = client.codec->NewStream(client);
  from.first.headers.Remove("connection");
  from.first.headers.Remove("upgrade");
  if (from.first.authority.empty()) from.first.authority = "a";
  const bool bodiless = from.first_body.empty() && from.first_trailers.empty();
  stream->SendHead(from.first, bodiless);
  if (!bodiless) {
    Buffer body(from.first_body);
    stream->SendData(body, from.first_trailers.empty());
    if (!from.first_trailers.empty()) stream->SendTrailers(from.first_trailers);
  }
  Server to;
  Buffer wire;
  wire.MoveFrom(client.codec->output());
  // Framing fields may be longer than those that came in, so that the limits may refuse it; nothing else may.
  if (auto fed = to.codec->Feed(wire); !fed) {
    PLAIT_CHECK(fed.error().code == Errc::kLimit);
    return;
  }
  PLAIT_CHECK(to.first_complete && to.requests == 1 && wire.empty());
  PLAIT_CHECK(to.first_body == from.first_body && to.first.method == from.first.method);
  PLAIT_CHECK(to.first.authority == from.first.authority && to.first.path == from.first.path);
  for (const char* framing : {"content-length", "transfer-encoding", "keep-alive", "proxy-connection"}) {
    to.first.headers.Remove(framing);
    from.first.headers.Remove(framing);
  }
  PLAIT_CHECK(Describe(to.first.headers) == Describe(from.first.headers));
  PLAIT_CHECK(Describe(to.first_trailers) == Describe(from.first_trailers));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 64 * 1024) return 0;
  const std::size_t step = data[0] % 16 + 1U;
  const std::string_view bytes = AsText({data + 1, size - 1});
  Server whole;
  Server cut;
  const std::string expected = RunServer(bytes, bytes.size() + 1, whole);
  PLAIT_CHECK(RunServer(bytes, step, cut) == expected);
  RoundTrip(whole);
  PLAIT_CHECK(RunClient(bytes, step) == RunClient(bytes, bytes.size() + 1));
  return 0;
}
