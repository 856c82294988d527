#include <gtest/gtest.h>

#include "core/conn/http_client.h"
#include "core/conn/http_server.h"

namespace plait::conn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLimit = seconds(5);

class Conn : public testing::Test {
 protected:
  io::SocketAddress Listen(HttpServer& server) { return *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")); }

  FetchRequest Get(const io::SocketAddress& to, std::string path = "/") {
    FetchRequest request;
    request.to = to;
    request.head.method = "GET";
    request.head.path = std::move(path);
    return request;
  }
  Result<FetchResponse> Wait(FetchRequest request) {
    std::optional<Result<FetchResponse>> got;
    Pending pending = Fetch(loop, std::move(request), [&](Result<FetchResponse> result) { got = std::move(result); });
    EXPECT_FALSE(got);  // never inside the call
    EXPECT_TRUE(loop.RunUntil([&] { return got.has_value(); }, kLimit));
    return got ? std::move(*got) : Fail(Errc::kInternal, "no answer");
  }

  io::Loop loop;
};

// A raw client: bytes in, bytes out.
struct RawClient : io::StreamEvents {
  RawClient(io::Loop& loop, const io::SocketAddress& to) : stream(io::Connect(loop, to)) { stream->SetEvents(this); }
  void OnOpen() override { Push(); }
  void OnReadable() override {
    while (true) {
      const auto n = stream->Read(in, 65536);
      if (!n) ended = true;
      if (!n || *n == 0) return;
    }
  }
  void OnWritable() override { Push(); }
  void OnFailed(Error) override { ended = true; }
  void Push() { (void)stream->Write(out); }
  std::string text() const { return in.ToString(); }

  std::unique_ptr<io::Stream> stream;
  Buffer in, out;
  bool ended = false;
};

OnRequest Echo() {
  return [](Request request, Responder responder) {
    responder.Send({.status = 200,
                    .headers = {{"x-path", request.head.path}, {"x-version", http::VersionText(request.head.version)}},
                    .body = request.head.method + " " + request.body});
  };
}

class Versions : public Conn, public testing::WithParamInterface<Protocol> {};
INSTANTIATE_TEST_SUITE_P(Http, Versions, testing::Values(Protocol::kHttp1, Protocol::kHttp2));

TEST_P(Versions, FetchesFromTheServer) {
  HttpServer server(loop, {}, Echo());
  FetchRequest request = Get(Listen(server), "/a?b");
  request.protocol = GetParam();
  request.head.method = "POST";
  request.body = std::string(300'000, 'x');
  const auto response = Wait(std::move(request));
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->head.status, 200);
  EXPECT_EQ(response->head.headers.Get("x-path"), "/a?b");
  EXPECT_EQ(response->head.headers.Get("x-version"), GetParam() == Protocol::kHttp2 ? "HTTP/2" : "HTTP/1.1");
  EXPECT_EQ(response->body, "POST " + std::string(300'000, 'x'));
}

TEST_P(Versions, RefusesABodyOverTheLimit) {
  HttpServer server(loop, {.max_body = 1000}, Echo());
  const io::SocketAddress to = Listen(server);
  for (const auto& [size, status] : {std::pair{1000, 200}, std::pair{1001, 413}}) {
    FetchRequest request = Get(to);
    request.protocol = GetParam();
    request.head.method = "POST";
    request.body = std::string(static_cast<std::size_t>(size), 'x');
    const auto response = Wait(std::move(request));
    ASSERT_TRUE(response) << response.error().detail;
    EXPECT_EQ(response->head.status, status);
  }
}

TEST_P(Versions, StreamsAnAnswerOfUnknownLengthWithTrailers) {
  std::optional<Responder> kept;
  HttpServer server(loop, {}, [&](Request, Responder responder) { kept.emplace(std::move(responder)); });
  FetchRequest request = Get(Listen(server));
  request.protocol = GetParam();
  std::optional<Result<FetchResponse>> got;
  Pending pending = Fetch(loop, std::move(request), [&](Result<FetchResponse> result) { got = std::move(result); });
  ASSERT_TRUE(loop.RunUntil([&] { return kept.has_value(); }, kLimit));
  kept->Begin(200, {});
  std::string sent;
  bool finished = false;
  std::function<void()> push = [&] {
    while (kept->writable() && sent.size() < 2'000'000) {
      const std::string piece(10'000, static_cast<char>('a' + sent.size() / 10'000 % 26));
      kept->Write(piece);
      sent += piece;
    }
    if (sent.size() >= 2'000'000 && !std::exchange(finished, true)) kept->End({{"x-sum", "1"}});
  };
  kept->OnChange([&] { push(); });
  push();
  EXPECT_LT(sent.size(), 2'000'000U);  // the watermark stopped it
  ASSERT_TRUE(loop.RunUntil([&] { return got.has_value(); }, kLimit));
  ASSERT_TRUE(*got) << got->error().detail;
  EXPECT_EQ((*got)->body, sent);
  EXPECT_EQ((*got)->trailers.Get("x-sum"), "1");
}

TEST_P(Versions, AnswersAForgottenRequestWith500) {
  HttpServer server(loop, {}, [](Request, Responder) {});
  FetchRequest request = Get(Listen(server));
  request.protocol = GetParam();
  const auto response = Wait(std::move(request));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->head.status, 500);
}

TEST_P(Versions, TellsTheResponderThatTheClientWent) {
  std::optional<Responder> kept;
  HttpServer server(loop, {}, [&](Request, Responder responder) { kept.emplace(std::move(responder)); });
  FetchRequest request = Get(Listen(server));
  request.protocol = GetParam();
  Pending pending = Fetch(loop, std::move(request), [&](Result<FetchResponse>) { FAIL(); });
  ASSERT_TRUE(loop.RunUntil([&] { return kept.has_value(); }, kLimit));
  bool changed = false;
  kept->OnChange([&] { changed = true; });
  EXPECT_TRUE(kept->alive());
  pending.Cancel();
  ASSERT_TRUE(loop.RunUntil([&] { return changed; }, kLimit));
  EXPECT_FALSE(kept->alive());
  kept->Send(TextResponse(200, "late"));
}

TEST_P(Versions, TimesOut) {
  std::optional<Responder> kept;
  HttpServer server(loop, {}, [&](Request, Responder responder) { kept.emplace(std::move(responder)); });
  FetchRequest request = Get(Listen(server));
  request.protocol = GetParam();
  request.timeout = milliseconds(20);
  const auto response = Wait(std::move(request));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTimedOut);
}

TEST_P(Versions, DrainsWithoutLosingTheRunningRequest) {
  std::optional<Responder> kept;
  HttpServer server(loop, {}, [&](Request, Responder responder) { kept.emplace(std::move(responder)); });
  FetchRequest request = Get(Listen(server));
  request.protocol = GetParam();
  std::optional<Result<FetchResponse>> got;
  Pending pending = Fetch(loop, std::move(request), [&](Result<FetchResponse> result) { got = std::move(result); });
  ASSERT_TRUE(loop.RunUntil([&] { return kept.has_value(); }, kLimit));
  bool drained = false;
  server.Drain([&] { drained = true; });
  loop.RunOnce(milliseconds(1));
  EXPECT_FALSE(drained);
  kept->Send(TextResponse(200, "done"));
  ASSERT_TRUE(loop.RunUntil([&] { return got.has_value() && drained; }, kLimit));
  ASSERT_TRUE(*got);
  EXPECT_EQ((*got)->body, "done");
}

TEST_F(Conn, RefusesToConnectInALaterRound) {
  HttpServer server(loop, {}, Echo());
  const io::SocketAddress to = Listen(server);
  server.Drain({});
  const auto response = Wait(Get(to));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kUnavailable);
}

TEST_F(Conn, ServesPipelinedRequestsOfARawClientInOrder) {
  HttpServer server(loop, {}, Echo());
  RawClient raw(loop, Listen(server));
  raw.out.Append("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(loop.RunUntil([&] { return raw.ended; }, kLimit));
  EXPECT_LT(raw.text().find("x-path: /1"), raw.text().find("x-path: /2"));
  EXPECT_NE(raw.text().find("connection: close"), std::string::npos);
  EXPECT_EQ(server.connections(), 1U);  // it lingers until we close
  raw.stream->Close(false);
  ASSERT_TRUE(loop.RunUntil([&] { return server.connections() == 0; }, kLimit));
}

TEST_F(Conn, AnswersARequestThatAsksForAnUpgrade) {
  HttpServer server(loop, {}, Echo());
  RawClient raw(loop, Listen(server));
  raw.out.Append("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  ASSERT_TRUE(loop.RunUntil([&] { return raw.in.Find("GET ") != SIZE_MAX; }, kLimit));
  EXPECT_TRUE(raw.text().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Conn, AnswersBrokenBytesBeforeClosing) {
  HttpServer server(loop, {}, Echo());
  RawClient raw(loop, Listen(server));
  raw.out.Append("\x16\x03\x01 hello");
  ASSERT_TRUE(loop.RunUntil([&] { return raw.ended; }, kLimit));
  EXPECT_TRUE(raw.text().starts_with("HTTP/1.1 400 Bad Request\r\n")) << raw.text();
}

TEST_F(Conn, EndsAConnectionWhosePeerEndsInTheMiddleOfAHead) {
  HttpServer server(loop, {}, Echo());
  RawClient raw(loop, Listen(server));
  raw.out.Append("GET / HTTP/1.1\r\nHos");
  ASSERT_TRUE(loop.RunUntil([&] { return server.connections() == 1 && raw.out.empty(); }, kLimit));
  raw.stream->ShutdownWrite();
  EXPECT_TRUE(loop.RunUntil([&] { return server.connections() == 0; }, kLimit));
}

TEST_F(Conn, FailsAFetchWhoseServerEndsInTheMiddleOfAHead) {
  const io::UniqueFd socket = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
  std::unique_ptr<io::Stream> accepted;
  const io::Listener listener(loop, socket.get(), false, [&](io::UniqueFd fd) {
    accepted = io::AdoptSocket(loop, std::move(fd));
    loop.Defer([&] {
      Buffer half("HTTP/1.1 200 OK\r\nConte");
      (void)accepted->Write(half);
      accepted->ShutdownWrite();
    });
  });
  EXPECT_FALSE(Wait(Get(io::LocalAddress(socket.get()))));
}

TEST_F(Conn, ClosesAnIdleConnection) {
  HttpServerOptions options;
  options.connection.idle_timeout = milliseconds(30);
  options.connection.drain_timeout = milliseconds(30);
  HttpServer server(loop, options, Echo());
  RawClient raw(loop, Listen(server));
  raw.out.Append("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(loop.RunUntil([&] { return raw.ended; }, kLimit));
  EXPECT_TRUE(raw.text().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Conn, ClosesAConnectionThatSaysTooLittleToKnowItsProtocol) {
  HttpServerOptions options;
  options.connection.idle_timeout = milliseconds(30);
  HttpServer server(loop, options, Echo());
  const io::SocketAddress to = Listen(server);
  for (const char* bytes : {"", "PRI * HT"}) {
    RawClient raw(loop, to);
    raw.out.Append(std::string_view(bytes));
    ASSERT_TRUE(loop.RunUntil([&] { return raw.ended; }, kLimit)) << bytes;
  }
}

TEST_F(Conn, DrainsAConnectionThatHasSaidNothing) {
  HttpServerOptions options;
  options.connection.drain_timeout = milliseconds(30);
  HttpServer server(loop, options, Echo());
  RawClient raw(loop, Listen(server));
  ASSERT_TRUE(loop.RunUntil([&] { return server.connections() == 1; }, kLimit));
  bool drained = false;
  server.Drain([&] { drained = true; });
  EXPECT_TRUE(loop.RunUntil([&] { return drained && raw.ended; }, kLimit));
}

TEST_F(Conn, DetectsHttp2ByItsPrefaceHoweverItIsCut) {
  HttpServer server(loop, {}, Echo());
  RawClient raw(loop, Listen(server));
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  for (char c : preface) {
    raw.out.Append(std::string_view(&c, 1));
    loop.RunOnce(milliseconds(1));
    raw.Push();
    loop.RunOnce(milliseconds(1));
  }
  ASSERT_TRUE(loop.RunUntil([&] { return raw.in.size() >= 9; }, kLimit));
  EXPECT_EQ(raw.text()[3], 4);  // SETTINGS
}

TEST_F(Conn, ServesUnixSockets) {
  char folder[] = "/tmp/plait-conn-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  io::SocketAddress address;
  address.unix_path = std::string(folder) + "/s";
  HttpServer server(loop, {}, Echo());
  ASSERT_TRUE(server.ListenOn(address));
  auto request = GetRequest("unix:" + address.unix_path + ":/status");
  ASSERT_TRUE(request);
  const auto response = Wait(std::move(*request));
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->head.headers.Get("x-path"), "/status");
  unlink(address.unix_path.c_str());
  rmdir(folder);
}

TEST_F(Conn, MayDropTheHandleInsideTheCompletion) {
  HttpServer server(loop, {}, Echo());
  Pending pending;
  bool done = false;
  pending = Fetch(loop, Get(Listen(server)), [&](Result<FetchResponse>) {
    pending.Cancel();
    done = true;
  });
  ASSERT_TRUE(loop.RunUntil([&] { return done; }, kLimit));
  bool timed_out = false;
  RawClient nobody(loop, io::SocketAddress{});
  HttpServer silent(loop, {}, [](Request, Responder) {});
  FetchRequest request = Get(Listen(silent));
  request.head.method = "POST";
  request.body = "x";
  request.timeout = Duration(1);
  pending = Fetch(loop, std::move(request), [&](Result<FetchResponse>) {
    pending.Cancel();
    timed_out = true;
  });
  ASSERT_TRUE(loop.RunUntil([&] { return timed_out; }, kLimit));
}

TEST_F(Conn, DestroysAServerWithRunningRequests) {
  std::optional<Responder> kept;
  auto server = std::make_unique<HttpServer>(loop, HttpServerOptions{},
                                             [&](Request, Responder responder) { kept.emplace(std::move(responder)); });
  std::optional<Result<FetchResponse>> got;
  Pending pending = Fetch(loop, Get(Listen(*server)), [&](Result<FetchResponse> result) { got = std::move(result); });
  ASSERT_TRUE(loop.RunUntil([&] { return kept.has_value(); }, kLimit));
  server.reset();
  EXPECT_FALSE(kept->alive());
  ASSERT_TRUE(loop.RunUntil([&] { return got.has_value(); }, kLimit));
  EXPECT_FALSE(*got);
}

}  // namespace
}  // namespace plait::conn
