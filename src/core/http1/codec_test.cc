#include "core/http1/codec.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/http1/syntax.h"

namespace plait::http1 {
namespace {

using http::ResetReason;

// Records what a stream tells, as text.
struct ServerSide : http::ServerCodecEvents, http::ServerStreamEvents {
  http::CodecOptions options;
  std::unique_ptr<http::ServerCodec> codec;
  http::ServerStream* stream = nullptr;
  http::RequestHead head;
  std::string log;
  std::string body;
  int wakes = 0;
  std::function<void()> on_head;

  explicit ServerSide(http::CodecOptions o = {}) : options(std::move(o)) { codec = NewServerCodec(*this, options); }

  http::ServerStreamEvents& OnNewStream(http::ServerStream& s) override {
    EXPECT_EQ(stream, nullptr);
    stream = &s;
    return *this;
  }
  void OnOutputReady() override { ++wakes; }
  void OnRequestHead(http::RequestHead h, bool end) override {
    head = std::move(h);
    log += "head:" + head.method + (end ? ".end " : " ");
    body.clear();
    if (on_head) on_head();
  }
  void OnData(Buffer& data, bool end) override {
    body += data.ToString();
    log += end ? "data.end " : "data ";
  }
  void OnTrailers(http::Headers t) override { log += "trailers:" + std::to_string(t.size()) + " "; }
  void OnReset(ResetReason r) override { log += "reset:" + std::to_string(static_cast<int>(r)) + " "; }
  void OnBelowLowWatermark() override { log += "low "; }
  void OnStreamClosed() override {
    EXPECT_NE(stream, nullptr);
    stream = nullptr;
    log += "closed ";
  }

  Buffer in;
  Result<> Feed(std::string_view bytes) {
    in.Append(bytes);
    return codec->Feed(in);
  }
  std::string TakeOutput() {
    std::string out = codec->output().ToString();
    codec->output().Clear();
    codec->OnOutputDrained();
    EXPECT_TRUE(codec->Feed(in).has_value() || codec->wants_close());
    out += codec->output().ToString();
    codec->output().Clear();
    return out;
  }
  void Reply(std::uint16_t status, std::string_view text, http::Headers headers = {}) {
    http::ResponseHead h{
        .version = http::Version::kHttp11, .status = status, .reason = {}, .headers = std::move(headers)};
    if (text.empty()) return stream->SendHead(h, true);
    h.headers.Add("content-length", std::to_string(text.size()));
    stream->SendHead(h, false);
    Buffer data(text);
    stream->SendData(data, true);
  }
};

struct ClientSide : http::ClientCodecEvents, http::ClientStreamEvents {
  http::CodecOptions options;
  std::unique_ptr<http::ClientCodec> codec = NewClientCodec(*this, options);
  std::string log;
  std::string body;
  http::ResponseHead head;
  http::ClientStream* stream = nullptr;
  Buffer in;

  void OnOutputReady() override {}
  void OnGoAway() override { log += "goaway "; }
  void OnMaxStreamsChanged() override { log += "free "; }
  void OnInformational(http::ResponseHead h) override { log += "info:" + std::to_string(h.status) + " "; }
  void OnResponseHead(http::ResponseHead h, bool end) override {
    head = std::move(h);
    log += "head:" + std::to_string(head.status) + (end ? ".end " : " ");
    body.clear();
  }
  void OnData(Buffer& data, bool end) override {
    body += data.ToString();
    log += end ? "data.end " : "data ";
  }
  void OnTrailers(http::Headers t) override { log += "trailers:" + std::to_string(t.size()) + " "; }
  void OnReset(ResetReason r) override { log += "reset:" + std::to_string(static_cast<int>(r)) + " "; }
  void OnBelowLowWatermark() override { log += "low "; }
  void OnStreamClosed() override { log += "closed "; }

  http::RequestHead Request(std::string method = "GET") {
    http::RequestHead r;
    r.method = std::move(method);
    r.authority = "a";
    r.path = "/";
    return r;
  }
  std::string Send(const http::RequestHead& r, bool end = true) {
    stream = codec->NewStream(*this);
    EXPECT_NE(stream, nullptr);
    stream->SendHead(r, end);
    return TakeOutput();
  }
  std::string TakeOutput() {
    std::string out = codec->output().ToString();
    codec->output().Clear();
    codec->OnOutputDrained();
    return out;
  }
  Result<> Feed(std::string_view bytes) {
    in.Append(bytes);
    return codec->Feed(in);
  }
};

TEST(Http1Server, AnswersARequestAndKeepsTheConnection) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET /a?b HTTP/1.1\r\nHost: example.com:80\r\nX-Mixed: v \r\n\r\n"));
  EXPECT_EQ(s.log, "head:GET.end ");
  EXPECT_EQ(s.head.authority, "example.com:80");
  EXPECT_EQ(s.head.path, "/a?b");
  ASSERT_EQ(s.head.headers.size(), 1U);
  EXPECT_EQ(s.head.headers.at(0).name, "X-Mixed");
  EXPECT_EQ(s.head.headers.at(0).value, "v");
  s.Reply(200, "hi", {{"X-Back", "1"}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\nX-Back: 1\r\ncontent-length: 2\r\n\r\nhi");
  EXPECT_EQ(s.log, "head:GET.end closed ");
  EXPECT_FALSE(s.codec->wants_close());
}

TEST(Http1Server, DeliversPipelinedRequestsOneAtATime) {
  ServerSide s;
  ASSERT_TRUE(
      s.Feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET"));
  EXPECT_EQ(s.head.path, "/1");
  s.Reply(204, "");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(s.head.path, "/2");
  EXPECT_EQ(s.body, "abc");
  EXPECT_EQ(s.log, "head:GET.end closed head:POST data.end ");
}

TEST(Http1Server, ReadsChunkedBodiesWithExtensionsAndTrailers) {
  const std::string request =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3\r\nabc\r\nA ;x=\"y\"\r\n0123456789\r\n0\r\nT1: a\r\nT2: b\r\n\r\n";
  for (std::size_t step : {std::size_t{1}, std::size_t{7}, request.size()}) {
    ServerSide s;
    for (std::size_t i = 0; i < request.size(); i += step) ASSERT_TRUE(s.Feed(request.substr(i, step)));
    EXPECT_EQ(s.body, "abc0123456789");
    EXPECT_TRUE(s.log.ends_with("trailers:2 ")) << s.log;
  }
}

TEST(Http1Server, ReadsHeadsThatSpanChunksOfTheBuffer) {
  ServerSide s;
  const std::string large(50 * 1024, 'v');
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\nX: " + large + "\r\n\r\n"));
  EXPECT_EQ(s.head.headers.Get("x"), large);
}

struct Refused {
  std::string_view what, bytes;
  int status;
  std::string_view detail;
};

void ExpectRefused(const Refused& c) {
  ServerSide s;
  const auto result = s.Feed(c.bytes);
  ASSERT_FALSE(result.has_value()) << c.what;
  EXPECT_EQ(std::string_view(result.error().detail), c.detail) << c.what;
  const std::string out = s.codec->output().ToString();
  EXPECT_TRUE(out.starts_with("HTTP/1.1 " + std::to_string(c.status) + " ")) << c.what << ": " << out;
  EXPECT_NE(out.find("connection: close\r\n"), std::string::npos) << c.what;
  EXPECT_TRUE(s.codec->wants_close()) << c.what;
  EXPECT_EQ(s.stream, nullptr) << c.what;
}

TEST(Http1Server, RefusesHeadsThatTwoParsersCouldReadDifferently) {
  const Refused cases[] = {
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, kCodecError},
      {"bare LF in the middle", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, kCodecError},
      {"bare CR", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, kInvalidCharacters},
      {"NUL", std::string_view("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 35), 400, kInvalidCharacters},
      {"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400, kCodecError},
      {"space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, kCodecError},
      {"empty name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, kCodecError},
      {"two lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, kCodecError},
      {"two equal lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400,
       kCodecError},
      {"list of lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400, kCodecError},
      {"signed length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400, kCodecError},
      {"huge length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", 400, kCodecError},
      {"CL and TE", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
       kChunkedContentLength},
      {"TE of 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, kTransferEncodingNotAllowed},
      {"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
       kInvalidTransferEncoding},
      {"chunked twice",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501,
       kInvalidTransferEncoding},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400, kMissingHost},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"bad host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, kInvalidAuthority},
      {"user in host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, kInvalidAuthority},
      {"lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"unknown method", "FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"NUL in the method", std::string_view("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 27), 400, kInvalidCharacters},
      {"HTTP/0.9", "GET /\r\n\r\n", 400, kCodecError},
      {"HTTP/2 in HTTP/1", "PRI * HTTP/2.0\r\n\r\n", 505, kUnsupportedVersion},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, kUnsupportedVersion},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, kInvalidUrl},
      {"tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"fragment after the authority", "GET http://a#x HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"fragment after the port", "GET http://a:80#/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"fragment in place of an authority", "GET http://#x HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"only a fragment", "GET #x HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
      {"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, kInvalidUrl},
      {"asterisk of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, kInvalidUrl},
      {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, kInvalidScheme},
      {"CONNECT without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, kInvalidUrl},
      {"CONNECT with a body", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
       kTransferEncodingNotAllowed},
      {"ClientHello", "\x16\x03\x01", 400, kCodecError},
      {"two empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, kCodecError},
  };
  for (const Refused& c : cases) ExpectRefused(c);
}

TEST(Http1Server, ReadsAUrlWithoutAPathAsTheRootOfItsHost) {
  for (const std::string method : {"GET", "OPTIONS"}) {
    ServerSide s;
    ASSERT_TRUE(s.Feed(method + " http://b:1 HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_EQ(s.head.authority, "b:1");
    EXPECT_EQ(s.head.path, "/") << method;
  }
  ServerSide s;
  ASSERT_TRUE(s.Feed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(s.head.path, "*");
}

TEST(Http1Server, LeavesAMissingHostToAnOwnerThatWantsIt) {
  for (const std::string_view host : {"", "Host:\r\n"}) {
    http::CodecOptions options;
    options.require_host = false;
    ServerSide s(options);
    ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\n" + std::string(host) + "\r\n"));
    EXPECT_EQ(s.log, "head:GET.end ");
    EXPECT_EQ(s.head.authority, "");
    EXPECT_FALSE(s.head.headers.Has("host"));
  }
}

TEST(Http1Server, TellsWhatItAnsweredByItself) {
  ServerSide s;
  EXPECT_EQ(s.codec->own_answer().status, 0);
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
  ASSERT_FALSE(s.Feed("zz\r\n"));
  EXPECT_EQ(s.codec->own_answer().status, 400);
  EXPECT_EQ(s.codec->own_answer().body_bytes, std::string_view("Bad Request").size());
  EXPECT_TRUE(s.TakeOutput().ends_with("\r\n\r\nBad Request"));
}

TEST(Http1Server, GivesNoAnswerOfItsOwnInsideAnother) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
  s.stream->SendHead({.version = {}, .status = 200, .reason = {}, .headers = {}}, false);
  ASSERT_FALSE(s.Feed("zz\r\n"));
  EXPECT_EQ(s.codec->own_answer().status, 0);
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST(Http1Server, RefusesBrokenChunks) {
  const Refused cases[] = {
      {"chunk size not hex", CHUNKED "x\r\n", 400, kCodecError},
      {"empty chunk size", CHUNKED "\r\n", 400, kCodecError},
      {"chunk size with sign", CHUNKED "-1\r\n", 400, kCodecError},
      {"chunk size overflow", CHUNKED "fffffffffffffffff\r\n", 400, kCodecError},
      {"chunk size bare LF", CHUNKED "1\na\r\n", 400, kCodecError},
      {"chunk without end", CHUNKED "1\r\nabc", 400, kCodecError},
      {"length in trailers", CHUNKED "0\r\nContent-Length: 1\r\n\r\n", 400, kCodecError},
  };
  for (const Refused& c : cases) ExpectRefused(c);
}

TEST(Http1Server, RefusesWhatIsTooLong) {
  const std::string large(61 * 1024, 'x');
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 100; ++i) many += "a: b\r\n";
  many += "\r\n";
  const std::string too_large = "GET / HTTP/1.1\r\nHost: a\r\nx: " + large;
  const std::string long_target = "GET /" + large;
  const std::string extensions = CHUNKED "1;" + std::string(5000, 'e');
  const Refused cases[] = {
      {"long header", too_large, 431, kHeadersTooLarge},
      {"long target", long_target, 431, kHeadersTooLarge},
      {"many headers", many, 431, kTooManyHeaders},
      {"long extension", extensions, 400, kCodecError},
  };
  for (const Refused& c : cases) ExpectRefused(c);
}

TEST(Http1Server, AcceptsLimitsExactly) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 99; ++i) head += "a: b\r\n";
  ServerSide s;
  EXPECT_TRUE(s.Feed(head + "\r\n"));
  EXPECT_EQ(s.log, "head:GET.end ");

  http::CodecOptions options;
  options.max_header_bytes = 100;
  std::string exact = "GET / HTTP/1.1\r\nHost: a\r\nx: ";
  exact += std::string(100 - 4 - exact.size(), 'v') + "\r\n\r\n";
  ServerSide at(options);
  EXPECT_TRUE(at.Feed(exact));
  EXPECT_EQ(at.log, "head:GET.end ");
  exact.insert(exact.size() - 4, "v");
  ServerSide past(options);
  EXPECT_FALSE(past.Feed(exact));
}

TEST(Http1Server, SpeaksHttp10) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(s.head.version, http::Version::kHttp10);
  EXPECT_EQ(s.head.authority, "");
  s.stream->SendHead({.version = {}, .status = 200, .reason = {}, .headers = {}}, false);
  Buffer data("abc");
  s.stream->SendData(data, false);
  s.stream->SendTrailers({{"t", "v"}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nabc");
  EXPECT_TRUE(s.codec->wants_close());

  ServerSide kept;
  ASSERT_TRUE(kept.Feed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  kept.Reply(200, "x");
  EXPECT_EQ(kept.TakeOutput(), "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx");
  EXPECT_FALSE(kept.codec->wants_close());
}

TEST(Http1Server, SendsInformationalAndChunkedWithTrailers) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
  s.stream->SendInformational({.version = {}, .status = 100, .reason = {}, .headers = {}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(s.Feed("x"));
  s.stream->SendHead({.version = {}, .status = 200, .reason = "Fine", .headers = {}}, false);
  Buffer data("abc");
  s.stream->SendData(data, false);
  s.stream->SendTrailers({{"T", "v"}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n");
}

TEST(Http1Server, SendsNoBodyWhereNoneMayBe) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.Reply(200, "body");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.Reply(304, "", {{"Content-Length", "9"}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.Reply(200, "");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Server, SaysTheLengthThatItKnowsItselfAfterConnection) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.stream->SendHead({.version = {}, .status = 403, .reason = {}, .headers = {{"Connection", "close"}, {"a", "1"}}},
                     true);
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 403 Forbidden\r\na: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Server, ClosesWhenItAnswersBeforeTheRequestIsComplete) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
  s.Reply(413, "no");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
  EXPECT_TRUE(s.codec->wants_close());
  EXPECT_TRUE(s.log.ends_with("closed "));
}

TEST(Http1Server, DropsFieldsOfTheOwnerThatAreItsOwn) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.Reply(
      200, "x",
      {{"Connection", "foo"}, {"Keep-Alive", "1"}, {"Transfer-Encoding", "gzip"}, {"Evil", "a\r\nX: b"}, {"Ok", "1"}});
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\nOk: 1\r\ncontent-length: 1\r\n\r\nx");
}

TEST(Http1Server, BecomesRawAfterAnUpgrade) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nEARLY"));
  EXPECT_EQ(s.head.protocol, "websocket");
  EXPECT_EQ(s.log, "head:GET ");
  s.stream->SendHead({.version = {}, .status = 101, .reason = {}, .headers = {{"Upgrade", "websocket"}}}, false);
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  EXPECT_EQ(s.body, "EARLY");
  Buffer data("pong");
  s.stream->SendData(data, true);
  EXPECT_EQ(s.TakeOutput(), "pong");
  EXPECT_TRUE(s.codec->output_ended());
  EXPECT_FALSE(s.codec->wants_close());
  ASSERT_TRUE(s.Feed("more"));
  s.codec->FeedEnd();
  EXPECT_EQ(s.body, "EARLYmore");
  EXPECT_TRUE(s.log.ends_with("data.end closed "));
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Server, AgreesToAnUpgradeInTheFieldsOfTheOwnerAtTheirPlace) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
  s.stream->SendHead(
      {.version = {},
       .status = 101,
       .reason = {},
       .headers = {{"Connection", "keep-alive"}, {"connection", "x, Upgrade "}, {"Upgrade", "w"}, {"a", "1"}}},
      false);
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nUpgrade: w\r\na: 1\r\n\r\n");
}

TEST(Http1Server, GoesOnAfterARefusedUpgrade) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"));
  s.Reply(200, "n");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nn");
  EXPECT_EQ(s.log, "head:GET data.end closed ");
  EXPECT_FALSE(s.codec->wants_close());
}

TEST(Http1Server, TreatsAnH2cOfferAsAnOrdinaryRequest) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"));
  EXPECT_EQ(s.log, "head:GET.end ");
}

TEST(Http1Server, TunnelsConnect) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\nxyz"));
  EXPECT_EQ(s.head.authority, "a.b:443");
  EXPECT_EQ(s.head.path, "");
  s.stream->SendHead({.version = {}, .status = 200, .reason = {}, .headers = {}}, false);
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(s.body, "xyz");
}

TEST(Http1Server, TakesAbsoluteTargets) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET HTTP://b:8080?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(s.head.scheme, "http");
  EXPECT_EQ(s.head.authority, "b:8080");
  EXPECT_EQ(s.head.path, "?x=1");  // for whoever routes to refuse
}

TEST(Http1Server, TellsAResetWhenTheClientGoes) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.codec->FeedEnd();
  EXPECT_EQ(s.log, "head:GET.end reset:6 closed ");
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Server, LeavesInputWhilePaused) {
  ServerSide s;
  s.on_head = [&] { s.stream->PauseReading(true); };
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_EQ(s.in.size(), 3U);
  const int before = s.wakes;
  s.stream->PauseReading(false);
  EXPECT_EQ(s.wakes, before + 1);
  ASSERT_TRUE(s.Feed(""));
  EXPECT_EQ(s.body, "abc");
}

TEST(Http1Server, TellsWatermarks) {
  http::CodecOptions options;
  options.high_watermark = 1000;
  ServerSide s(options);
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.stream->SendHead({.version = {}, .status = 200, .reason = {}, .headers = {}}, false);
  Buffer data(std::string(2000, 'x'));
  s.stream->SendData(data, false);
  EXPECT_TRUE(s.stream->above_high_watermark());
  s.codec->output().Drain(800);
  s.codec->OnOutputDrained();
  EXPECT_TRUE(s.stream->above_high_watermark());
  s.TakeOutput();
  EXPECT_FALSE(s.stream->above_high_watermark());
  EXPECT_TRUE(s.log.ends_with("low "));
}

TEST(Http1Server, DrainsAfterTheRunningRequest) {
  ServerSide s;
  // What follows an answer that says "close" is not looked at, and a client knows that it was not (RFC 9112 9.6).
  ASSERT_TRUE(s.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n"));
  s.codec->StartDrain();
  EXPECT_FALSE(s.codec->wants_close());
  s.Reply(200, "x");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Server, AnswersARequestThatHasBegunBeforeItDrains) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("POST /p HTTP/1.1\r\nHost: a\r\nContent-Le"));
  s.codec->StartDrain();
  EXPECT_FALSE(s.codec->wants_close());
  ASSERT_TRUE(s.Feed("ngth: 2\r\n\r\nab"));
  ASSERT_EQ(s.log, "head:POST data.end ");
  s.Reply(200, "x");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Server, AnswersARequestBehindOneWhoseAnswerDidNotYetSayClose) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n"));
  http::ResponseHead head{.version = http::Version::kHttp11, .status = 200, .reason = {}, .headers = {}};
  s.stream->SendHead(head, false);
  s.codec->StartDrain();
  Buffer body("x");
  s.stream->SendData(body, true);
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_FALSE(s.codec->wants_close());
  ASSERT_TRUE(s.Feed("Host: a\r\n\r\n"));
  ASSERT_EQ(s.head.path, "/2");
  s.Reply(200, "y");
  EXPECT_EQ(s.TakeOutput(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\ny");
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Server, AnswersWhatWaitsForRoomInItsOutputBeforeItDrains) {
  ServerSide s({.high_watermark = 10});
  ASSERT_TRUE(s.Feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
  s.Reply(200, "more than ten bytes");
  ASSERT_TRUE(s.codec->Feed(s.in));
  ASSERT_EQ(s.stream, nullptr);
  s.codec->StartDrain();
  EXPECT_FALSE(s.codec->wants_close());
  s.TakeOutput();
  EXPECT_EQ(s.head.path, "/2");
  EXPECT_NE(s.stream, nullptr);
}

TEST(Http1Server, MayResetInsideAnEvent) {
  ServerSide s;
  s.on_head = [&] { s.stream->Reset(ResetReason::kInternal); };
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_EQ(s.log, "head:POST closed ");
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Client, SendsRequestsAndReusesTheConnection) {
  ClientSide c;
  http::RequestHead get = c.Request();
  get.headers.Add("X-Case", "1");
  EXPECT_EQ(c.Send(get), "GET / HTTP/1.1\r\nHost: a\r\nX-Case: 1\r\n\r\n");
  ASSERT_TRUE(c.Feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  EXPECT_EQ(c.log, "head:200 data.end closed free ");
  EXPECT_EQ(c.body, "hi");
  EXPECT_EQ(c.head.reason, "OK");
  EXPECT_EQ(c.Send(c.Request("POST")), "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Client, ReadsBodiesOfEachKind) {
  ClientSide c;
  c.Send(c.Request());
  ASSERT_TRUE(
      c.Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nt: "
             "v\r\n\r\n"));
  EXPECT_EQ(c.log, "info:100 head:200 data trailers:1 closed free ");
  c.log.clear();
  c.Send(c.Request("HEAD"));
  ASSERT_TRUE(c.Feed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
  EXPECT_EQ(c.log, "head:200.end closed free ");
  c.log.clear();
  c.Send(c.Request());
  ASSERT_TRUE(c.Feed("HTTP/1.1 200\r\n\r\nuntil the end"));
  EXPECT_EQ(c.log, "goaway head:200 data ");
  c.codec->FeedEnd();
  EXPECT_EQ(c.body, "until the end");
  EXPECT_EQ(c.log, "goaway head:200 data data.end closed ");
  EXPECT_TRUE(c.codec->wants_close());
}

TEST(Http1Client, SendsChunkedWhenTheLengthIsUnknown) {
  ClientSide c;
  c.Send(c.Request("PUT"), false);
  Buffer data("abc");
  c.stream->SendData(data, true);
  EXPECT_EQ(c.TakeOutput(), "3\r\nabc\r\n0\r\n\r\n");
}

TEST(Http1Client, RefusesAnswersThatItDidNotAskFor) {
  for (std::string_view bytes :
       {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n", "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"}) {
    ClientSide c;
    c.Send(c.Request());
    EXPECT_FALSE(c.Feed(bytes)) << bytes;
    EXPECT_TRUE(c.log.ends_with("reset:3 closed ")) << bytes << " " << c.log;
    EXPECT_TRUE(c.codec->wants_close());
  }
  ClientSide idle;
  EXPECT_FALSE(idle.Feed("HTTP/1.1 200 OK\r\n\r\n"));
}

TEST(Http1Server, KnowsAHeadThatHasBegunAndRefusesIt) {
  ServerSide s;
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"));
  EXPECT_FALSE(s.codec->reading_head());  // a body may take its time
  ASSERT_TRUE(s.Feed("bc"));
  s.Reply(200, "ok");
  EXPECT_FALSE(s.codec->reading_head());
  ASSERT_TRUE(s.Feed("GET / HT"));
  EXPECT_TRUE(s.codec->reading_head());
  s.codec->output().Clear();
  s.codec->RefuseHead("stream timeout");
  EXPECT_EQ(s.codec->own_answer().status, 408);
  EXPECT_TRUE(s.codec->output().ToString().ends_with("\r\n\r\nstream timeout"));
  EXPECT_TRUE(s.codec->wants_close());
}

TEST(Http1Client, TellsAnEndThatCutsTheBody) {
  ClientSide c;
  c.Send(c.Request());
  ASSERT_TRUE(c.Feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  c.codec->FeedEnd();
  EXPECT_TRUE(c.log.ends_with("reset:3 closed "));
}

TEST(Http1Client, TellsAMessageThatWasCutOffFromNoneAtAll) {
  for (const auto& [bytes, end] : {std::pair{"HTTP/1.1 200 OK\r\nConte", "reset:3 closed "}, {"", "reset:6 closed "}}) {
    ClientSide c;
    c.Send(c.Request());
    ASSERT_TRUE(c.Feed(bytes));
    EXPECT_EQ(c.codec->wants_input(), *bytes != '\0');
    c.codec->FeedEnd();
    EXPECT_TRUE(c.log.ends_with(end)) << c.log;
  }
}

TEST(Http1Client, SaysThatThereIsNoBodyForAllMethodsThatMayHaveOne) {
  for (const auto& [method, says] : {std::pair{"OPTIONS", true}, {"REPORT", true}, {"GET", false}, {"DELETE", false}}) {
    ClientSide c;
    http::RequestHead head = c.Request();
    head.method = method;
    EXPECT_EQ(c.Send(head).contains("content-length: 0\r\n"), says) << method;
  }
}

TEST(Http1Server, DropsTrailersWhereTheyAreNotEnabled) {
  ServerSide s({.enable_trailers = false});
  ASSERT_TRUE(s.Feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n"));
  EXPECT_EQ(s.log, "head:POST data.end ");
}

TEST(Http1Server, JudgesUnderscoresInNamesAsConfigured) {
  using Underscores = http::CodecOptions::Underscores;
  constexpr const char* kRequest = "GET / HTTP/1.1\r\nHost: a\r\nX_A: 1\r\nX-B: 1\r\n\r\n";
  ServerSide drops({.underscores = Underscores::kDropField});
  ASSERT_TRUE(drops.Feed(kRequest));
  EXPECT_FALSE(drops.head.headers.Has("x_a"));
  EXPECT_TRUE(drops.head.headers.Has("x-b"));
  ServerSide refuses({.underscores = Underscores::kReject});
  EXPECT_FALSE(refuses.Feed(kRequest));
  EXPECT_EQ(refuses.codec->own_answer().status, 400);
}

TEST(Http1Client, AsksForTheUpgradeThatWasJudgedInTheFieldsOfTheOwnerAtTheirPlace) {
  ClientSide c;
  http::RequestHead up = c.Request();
  up.protocol = "websocket";
  up.headers = {{"Connection", "close, Upgrade"}, {"Upgrade", "websocket"}, {"a", "1"},
                {"Connection", "upgrade"},        {"Upgrade", "other"},     {"b", "2"}};
  EXPECT_EQ(c.Send(up, false),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\na: 1\r\nb: 2\r\n\r\n");
}

TEST(Http1Client, HoldsTunnelBytesUntilTheServerAgrees) {
  ClientSide c;
  http::RequestHead up = c.Request();
  up.protocol = "websocket";
  EXPECT_EQ(c.Send(up, false), "GET / HTTP/1.1\r\nHost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  Buffer data("early");
  c.stream->SendData(data, false);
  EXPECT_EQ(c.TakeOutput(), "");
  ASSERT_TRUE(c.Feed("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nback"));
  EXPECT_EQ(c.TakeOutput(), "early");
  EXPECT_EQ(c.body, "back");
}

TEST(Http1Client, CountsTheBytesOfAnExchangeOnTheWire) {
  ClientSide c;
  c.Send(c.Request());
  constexpr std::string_view kUncounted = "HTTP/1.1 204 No Content\r\n\r\n";
  ASSERT_TRUE(c.Feed(kUncounted));

  http::BytesMeter meter;
  c.stream = c.codec->NewStream(c);
  c.stream->SetBytesMeter(&meter);
  c.stream->SendHead(c.Request("PUT"), false);
  Buffer data("abc");
  c.stream->SendData(data, false);
  c.stream->SendTrailers({{"t", "v"}});
  const std::string sent = c.TakeOutput();
  ASSERT_TRUE(sent.ends_with("3\r\nabc\r\n0\r\nt: v\r\n\r\n")) << sent;
  EXPECT_EQ(meter.wire_bytes_sent, sent.size());
  constexpr std::string_view kAnswer =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nt: v\r\n\r\n";
  for (std::size_t at = 0; at < kAnswer.size(); at += 7) ASSERT_TRUE(c.Feed(kAnswer.substr(at, 7)));
  EXPECT_TRUE(c.log.ends_with("closed free ")) << c.log;
  EXPECT_EQ(meter.wire_bytes_received, kAnswer.size());

  c.Send(c.Request());  // another exchange, which nobody counts
  ASSERT_TRUE(c.Feed(kUncounted));
  EXPECT_EQ(meter.wire_bytes_sent + meter.wire_bytes_received, sent.size() + kAnswer.size());
}

TEST(Http1Client, CountsTunnelBytesWhenTheyGoOutAndAnAnswerThatIsCutOff) {
  ClientSide c;
  http::BytesMeter meter;
  http::RequestHead up = c.Request();
  up.protocol = "websocket";
  c.stream = c.codec->NewStream(c);
  c.stream->SetBytesMeter(&meter);
  c.stream->SendHead(up, false);
  const std::size_t head = c.TakeOutput().size();
  Buffer data("early");
  c.stream->SendData(data, false);
  EXPECT_EQ(meter.wire_bytes_sent, head) << "it waits for the server's 101";
  ASSERT_TRUE(c.Feed("HTTP/1.1 101 Switching Protocols\r\n\r\nback"));
  EXPECT_EQ(meter.wire_bytes_sent, head + 5);
  EXPECT_EQ(meter.wire_bytes_received, 36U + 4);

  ClientSide cut;
  http::BytesMeter of_cut;
  cut.Send(cut.Request());
  cut.stream->SetBytesMeter(&of_cut);
  ASSERT_TRUE(cut.Feed("HTTP/1.1 2"));
  cut.codec->FeedEnd();
  EXPECT_TRUE(cut.log.ends_with("closed ")) << cut.log;
  EXPECT_EQ(of_cut.wire_bytes_received, 10U);
}

TEST(Http1Client, GivesUpTheRequestWhenTheAnswerIsAlreadyComplete) {
  ClientSide c;
  c.Send(c.Request("POST"), false);
  ASSERT_TRUE(c.Feed("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(c.log, "head:413.end goaway closed ");
  EXPECT_TRUE(c.codec->wants_close());
}

}  // namespace
}  // namespace plait::http1
