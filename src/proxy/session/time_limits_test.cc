// Requests and answers that do not come in time: heads, streams, tries.
#include <gtest/gtest.h>

#include "proxy/session/test_http_session.h"

namespace plait::proxy::session {
namespace {

TEST_F(HttpSessions, AnswersARequestWhoseHeadNeverEnds) {
  xds::HttpConnectionManager http;
  http.request_headers_timeout = std::chrono::milliseconds(20);
  Begin(std::move(http));
  const std::string answer = Answer("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nrequest header timeout")) << answer;
  EXPECT_EQ(LastLine(), "408 - request_header_timeout ");
  EXPECT_EQ(recorder_.lines.size(), 1U);
}

TEST_F(HttpSessions, HoldAHeadThatNeverEndsToTheLeastOfTheirLimits) {
  const auto soon = std::chrono::milliseconds(20);
  const auto late = std::chrono::seconds(100);
  struct Limits {
    Duration headers, request, life, idle;
    std::string body, line, counter;
  };
  for (const Limits& limits : {
           Limits{late, soon, late, late, "request timeout", "408 - request_overall_timeout ", "timeout"},
           Limits{soon, soon, soon, soon, "request timeout", "408 - request_overall_timeout ", "timeout"},
           Limits{soon, late, late, late, "request header timeout", "408 - request_header_timeout ", "header_timeout"},
           Limits{Duration(0), late, soon, late, "downstream duration timeout", "408 - max_duration_timeout ",
                  "max_duration_reached"},
           Limits{Duration(0), Duration(0), Duration(0), soon, "stream timeout", "408 SI stream_idle_timeout ",
                  "idle_timeout"},
       }) {
    recorder_.lines.clear();
    xds::HttpConnectionManager http;
    http.request_headers_timeout = limits.headers;
    http.request_timeout = limits.request;
    http.common.max_stream_duration = limits.life;
    http.stream_idle_timeout = limits.idle;
    Begin(std::move(http));
    const std::string answer = Answer("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + limits.body)) << answer;
    EXPECT_EQ(LastLine(), limits.line);
    EXPECT_EQ(recorder_.last_sent, limits.body.size());
    EXPECT_TRUE(Counted("downstream_rq_" + limits.counter, 1)) << limits.counter;
    client_->Close(false);
    EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
  }
}

TEST_F(HttpSessions, CountTheAgeOfAStreamFromTheFirstByteOfItsHead) {
  Pending answer;
  conn::HttpServer server(loop_, {}, [&](const conn::Request&, conn::Responder responder) {
    answer = loop_.After(std::chrono::milliseconds(60), [kept = std::move(responder)]() mutable {
      kept.Send(conn::TextResponse(200, "in time if only the head's end counts"));
    });
  });
  AddCluster("backend", *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")));
  action_.max_stream_duration = xds::MaxStreamDuration{.max_stream_duration = std::chrono::milliseconds(100)};
  Begin();
  Send("GET / HTTP/1.1\r\nHo");
  loop_.RunUntil([] { return false; }, std::chrono::milliseconds(120));
  EXPECT_TRUE(recorder_.lines.empty());
  Send("st: a\r\n\r\n");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 504 "));
  EXPECT_EQ(LastLine(), "504 - max_duration_timeout backend");
}

class PausedUpload : public HttpSessions {
 protected:
  // The client says nothing for longer than a try may take.
  void IsAnsweredWith(xds::RetryPolicy retry) {
    Backend backend(loop_, 200);
    AddCluster("backend", backend.Listen());
    Begin({}, std::move(retry));
    Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    ASSERT_TRUE(loop_.RunUntil([&] { return backend.server.active_streams() == 1; }, kLimit));
    loop_.RunUntil([] { return false; }, std::chrono::milliseconds(60));
    EXPECT_TRUE(recorder_.lines.empty());
    Send("dy");
    EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  }
};

TEST_F(PausedUpload, TakesNoTimeOfATry) {
  xds::RetryPolicy retry;
  retry.per_try_timeout = std::chrono::milliseconds(20);
  IsAnsweredWith(retry);
}

TEST_F(PausedUpload, IsNoSilenceOfATry) {
  xds::RetryPolicy retry;
  retry.per_try_idle_timeout = std::chrono::milliseconds(20);
  IsAnsweredWith(retry);
}

TEST_F(HttpSessions, EndATryWhoseUpstreamIsSilentBeforeOrInItsAnswer) {
  for (const std::string_view begin : {"", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na"}) {
    Server server(loop_);
    AddCluster("backend", io::LocalAddress(server.socket.get()));
    xds::RetryPolicy retry;
    retry.per_try_idle_timeout = std::chrono::milliseconds(20);
    action_.timeout = std::chrono::seconds(60);
    recorder_.lines.clear();
    Begin({}, retry);
    Send(kGet);
    ASSERT_TRUE(server.Got("\r\n\r\n"));
    if (!begin.empty()) server.Say(begin);
    EXPECT_TRUE(
        ReceiveUntil("upstream request timeout").starts_with(begin.empty() ? "HTTP/1.1 504 " : "HTTP/1.1 200 "));
    EXPECT_EQ(LastLine(), std::string(begin.empty() ? "504" : "200") + " UT upstream_per_try_idle_timeout backend");
    if (session_ != nullptr) {
      client_->Close(false);
      EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
    }
  }
}

TEST_F(HttpSessions, EndAWebSocketToWhichTheUpstreamDoesNotAgreeInTimeAndNoOther) {
  const std::string ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  for (const bool per_try : {false, true}) {
    for (const bool agrees : {false, true}) {
      Server server(loop_);
      AddCluster("backend", io::LocalAddress(server.socket.get()));
      xds::HttpConnectionManager http;
      http.upgrades = {{"websocket"}};
      xds::RetryPolicy retry;
      const auto soon = std::chrono::milliseconds(40);
      if (per_try) retry.per_try_timeout = retry.per_try_idle_timeout = soon;
      action_.timeout = per_try ? Duration(std::chrono::seconds(60)) : soon;
      recorder_.lines.clear();
      Begin(std::move(http), retry);
      Send(ask);
      ASSERT_TRUE(server.Got("\r\n\r\n"));
      if (agrees) {
        server.Say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
        client_->ShutdownWrite();
        loop_.RunUntil([] { return false; }, 2 * soon);
        server.Say("late");
        EXPECT_EQ(ReceiveUntil("late"), "late");
        server.stream->Close(false);
      } else {
        EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 504 "));
        EXPECT_TRUE(LastLine().starts_with("504 UT ")) << LastLine();
      }
      client_->Close(false);
      EXPECT_TRUE(loop_.RunUntil([&] { return session_ == nullptr; }, kLimit));
    }
  }
}

TEST_F(HttpSessions, EndARequestThatDoesNotComeBeforeItsStreamIsTooOld) {
  Backend backend(loop_, 200);
  AddCluster("backend", backend.Listen());
  xds::HttpConnectionManager http;
  http.request_timeout = std::chrono::milliseconds(20);
  http.common.max_stream_duration = std::chrono::seconds(60);
  Begin(std::move(http));
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(LastLine(), "408 - request_overall_timeout backend");
}

TEST_F(HttpSessions, EndAStreamThatIsTooOldOnceItsRequestHasCome) {
  std::optional<conn::Responder> kept;
  conn::HttpServer server(loop_, {},
                          [&](const conn::Request&, conn::Responder responder) { kept = std::move(responder); });
  AddCluster("backend", *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")));
  xds::HttpConnectionManager http;
  http.request_timeout = std::chrono::milliseconds(20);
  http.common.max_stream_duration = std::chrono::milliseconds(40);
  Begin(std::move(http));
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  Send("dy");
  EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 504 "));
  EXPECT_EQ(LastLine(), "504 - max_duration_timeout backend");
}

TEST_F(HttpSessions, WaitForARequestAsLongAsItTakesOnceItIsBeingAnswered) {
  const io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  std::unique_ptr<io::Stream> upstream;
  const io::Listener listener(loop_, socket.get(), false,
                              [&](io::UniqueFd fd) { upstream = io::AdoptSocket(loop_, std::move(fd)); });
  AddCluster("backend", io::LocalAddress(socket.get()));
  xds::HttpConnectionManager http;
  http.request_timeout = std::chrono::milliseconds(150);
  Begin(std::move(http));
  Send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  Buffer request;
  const auto half_is_here = [&] {
    return upstream != nullptr && upstream->Read(request, 65536).has_value() && request.Find("\r\n\r\nbo") != SIZE_MAX;
  };
  ASSERT_TRUE(loop_.RunUntil(half_is_here, kLimit));
  Buffer begin("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na");
  ASSERT_TRUE(upstream->Write(begin).has_value());
  EXPECT_TRUE(ReceiveUntil("\r\n\r\na").starts_with("HTTP/1.1 200 "));
  loop_.RunUntil([] { return false; }, std::chrono::milliseconds(250));
  Buffer end("b");
  ASSERT_TRUE(upstream->Write(end).has_value());
  EXPECT_TRUE(ReceiveUntil("b").ends_with("b"));
}

}  // namespace
}  // namespace plait::proxy::session
