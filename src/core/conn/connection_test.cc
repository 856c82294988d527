#include "core/conn/connection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "testing/manual_clock.h"

namespace plait::conn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The peer's end of a stream: what it says comes at once, and it takes only what it was told to take.
class PeerStream final : public io::Stream {
 public:
  void SetEvents(io::StreamEvents* events) noexcept override { events_ = events; }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override {
    ++reads;
    const std::size_t n = std::min(max, said_.size());
    into.MoveFrom(said_, n);
    waits_to_read_ = n == 0;
    return n;
  }
  Result<std::size_t> Write(Buffer& from) override {
    const std::size_t n = std::min(room_, from.size());
    taken.MoveFrom(from, n);
    room_ -= n;
    waits_to_write_ = !from.empty();
    return n;
  }
  void ShutdownWrite() override { fin = true; }
  bool unsent() const noexcept override { return holds_; }
  void Close(bool) noexcept override { closed = true; }
  const io::SocketAddress& local() const noexcept override { return address_; }
  const io::SocketAddress& remote() const noexcept override { return address_; }

  void Say(std::string_view text) {
    said_.Append(text);
    if (std::exchange(waits_to_read_, false)) events_->OnReadable();
  }
  // The edge that tells of it has not come yet.
  void SayUnheard(std::string_view text) { said_.Append(text); }
  void Take(std::size_t bytes) {
    room_ += bytes;
    if (std::exchange(waits_to_write_, false)) events_->OnWritable();
  }

  // What was taken is not with the peer yet.
  void Hold() { holds_ = true; }
  void LetGo() {
    holds_ = false;
    events_->OnWritable();
  }

  Buffer taken;
  int reads = 0;
  bool fin = false;
  bool closed = false;

 private:
  io::SocketAddress address_;
  io::StreamEvents* events_ = nullptr;
  Buffer said_;
  std::size_t room_ = 0;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  bool holds_ = false;
};

constexpr std::size_t kAll = 1'000'000;
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class Flow : public testing::Test, public ServerConnectionEvents, public ClientConnectionEvents {
 protected:
  struct ServerStream final : http::ServerStreamEvents {
    explicit ServerStream(Flow& the_test) : test(the_test) {}
    void OnRequestHead(http::RequestHead, bool) override {
      if (!test.answers) return;
      http::ResponseHead head;
      head.status = 200;
      head.headers.Add("content-length", std::to_string(test.answer.size()));
      stream->SendHead(head, false);
      Buffer body(test.answer);
      stream->SendData(body, true);
    }
    void OnData(Buffer& data, bool) override { received += data.ToString(); }
    void OnTrailers(http::Headers) override {}
    void OnReset(http::ResetReason) override {}
    void OnBelowLowWatermark() override {}
    void OnStreamClosed() override {}
    Flow& test;
    http::ServerStream* stream = nullptr;
    std::string received;
  };
  struct ClientStream final : http::ClientStreamEvents {
    void OnInformational(http::ResponseHead) override {}
    void OnResponseHead(http::ResponseHead head, bool) override { status = head.status; }
    void OnData(Buffer&, bool) override {}
    void OnTrailers(http::Headers) override {}
    void OnReset(http::ResetReason) override {}
    void OnBelowLowWatermark() override {}
    void OnStreamClosed() override {}
    std::uint16_t status = 0;
  };

  Flow() {
    options.protocol = Protocol::kHttp1;
    options.write_limit = 1000;
    options.drain_timeout = seconds(1);
    options.close_timeout = seconds(1);
  }
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override {
    requests.push_back(std::make_unique<ServerStream>(*this));
    requests.back()->stream = &stream;
    return *requests.back();
  }
  void OnConnectionOpen() override {}
  void OnBusyChanged(bool) override {}
  void OnConnectionClosed(const Error&) override {}

  std::unique_ptr<io::Stream> NewPeer() {
    auto stream = std::make_unique<PeerStream>();
    peer = stream.get();
    return stream;
  }
  void Serve() {
    server = std::make_unique<ServerConnection>(loop, NewPeer(), options, *this, /*stream_is_open=*/true);
    Round();
  }
  void Round() { loop.RunOnce(Duration(0)); }
  void Pass(Duration time) {
    clock.Advance(time);
    Round();
  }

  ManualClock clock;
  io::Loop loop{clock};
  ConnectionOptions options;
  bool answers = true;
  std::string answer;
  PeerStream* peer = nullptr;
  std::vector<std::unique_ptr<ServerStream>> requests;
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
};

TEST_F(Flow, AClientReadsTheAnswerOfAServerThatDoesNotTakeTheRequest) {
  client = std::make_unique<ClientConnection>(loop, NewPeer(), options, *this, /*stream_is_open=*/true);
  Round();
  ClientStream events;
  http::ClientStream* stream = client->NewStream(events);
  ASSERT_NE(stream, nullptr);
  http::RequestHead head;
  head.method = "POST";
  head.authority = "a";
  head.path = "/";
  head.headers.Add("content-length", "100000");
  stream->SendHead(head, false);
  Buffer body(std::string(50'000, 'x'));
  stream->SendData(body, false);
  Round();
  peer->Say("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
  Round();
  EXPECT_EQ(events.status, 413);
  client.reset();
}

TEST_F(Flow, AServerReadsWhatCameWhileItsAnswerWasNotTaken) {
  answer = std::string(5000, 'a');
  Serve();
  peer->Say("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
  Round();
  ASSERT_EQ(requests.size(), 1u);
  requests[0]->received.clear();
  peer->Say("more");
  Round();
  EXPECT_EQ(requests[0]->received, "") << "it is not listened to";
  peer->Take(kAll);
  Round();
  EXPECT_EQ(requests[0]->received, "more");
}

// Streams beyond the limit, to a client that has not acknowledged it: nghttp2 itself refuses each. With DATA between
// them, so that they are no flood.
TEST_F(Flow, AServerOfHttp2ReadsNoMoreFromAClientThatDoesNotTakeWhatItIsAnswered) {
  options.protocol = Protocol::kHttp2;
  options.write_limit = ConnectionOptions().write_limit;
  answers = false;
  Serve();
  peer->Say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9));
  constexpr std::uint32_t kRequests = 60'000;
  std::size_t said = 0;
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    std::string frames("\0\0\6\1\4", 5);
    for (const int shift : {24, 16, 8, 0}) frames += static_cast<char>((2 * i + 1) >> shift);
    frames += "\x82\x86\x84\x41\x01\x61";
    if (i % 5 == 0) frames += std::string("\0\0\1\0\0\0\0\0\1x", 10);
    said += frames.size();
    peer->Say(frames);
    if (i % 100 == 0) Round();
  }
  EXPECT_LT(server->bytes_read(), said / 2);
  EXPECT_TRUE(server->open());
  for (int i = 0; i < 100 && server->bytes_read() < said; ++i) {
    peer->Take(kAll);
    Round();
  }
  EXPECT_GT(server->bytes_read(), said);
  EXPECT_TRUE(server->open());
}

TEST_F(Flow, AServerGoesOnWithPipelinedRequestsWhenOneWriteEmptiesItsOutput) {
  options.write_limit = kAll;
  options.codec.high_watermark = 1000;
  answer = std::string(2000, 'a');
  Serve();
  for (int i = 0; i < 3; ++i) peer->Say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Round();
  EXPECT_EQ(requests.size(), 1u);
  peer->Take(kAll);
  Round();
  EXPECT_EQ(requests.size(), 3u);
}

TEST_F(Flow, ALastAnswerTakesAsLongAsItsClientGoesOnReading) {
  answer = std::string(10'000, 'a');
  Serve();
  peer->Say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  Round();
  for (int i = 0; i < 10; ++i) {
    Pass(milliseconds(900));
    ASSERT_FALSE(peer->closed) << i;
    peer->Take(1000);
    Round();
  }
  Pass(milliseconds(900));
  peer->Take(kAll);
  Round();
  EXPECT_GT(peer->taken.size(), answer.size());
  EXPECT_TRUE(peer->fin);
  Pass(milliseconds(900));
  EXPECT_FALSE(peer->closed) << "the client's FIN has its own time";
  Pass(milliseconds(200));
  EXPECT_TRUE(peer->closed);
}

TEST_F(Flow, ALastAnswerIsGivenUpWhenItsClientReadsNothing) {
  answer = std::string(10'000, 'a');
  Serve();
  peer->Say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  Round();
  Pass(milliseconds(900));
  peer->Take(1000);
  Round();
  Pass(milliseconds(1100));
  EXPECT_TRUE(peer->closed);
}

TEST_F(Flow, WithoutALimitALastAnswerIsNeverGivenUpAndNobodyWaitsAfterIt) {
  options.close_timeout = Duration(0);
  answer = std::string(10'000, 'a');
  Serve();
  peer->Say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  Round();
  Pass(std::chrono::hours(1));
  EXPECT_FALSE(peer->closed);
  peer->Take(kAll);
  Round();
  EXPECT_GT(peer->taken.size(), answer.size());
  EXPECT_TRUE(peer->closed);
}

// The idle time is over, or its owner wants it gone: a request that the client has just sent must not be lost.
TEST_F(Flow, ALastAnswerThatWaitsInItsStreamIsNotCutOff) {
  options.close_timeout = Duration(0);
  Serve();
  peer->Hold();
  peer->Take(kAll);
  peer->Say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  Round();
  EXPECT_TRUE(peer->fin);
  EXPECT_FALSE(peer->closed);
  peer->LetGo();
  Round();
  EXPECT_TRUE(peer->closed);
}

TEST_F(Flow, AConnectionThatIdlesAnswersOneMoreRequestBeforeItEnds) {
  options.idle_timeout = seconds(10);
  answer = "a";
  Serve();
  peer->Take(kAll);
  peer->Say(kGet);
  Pass(seconds(11));
  EXPECT_FALSE(peer->fin);
  peer->taken.Clear();
  peer->Say(kGet);
  Round();
  EXPECT_EQ(peer->taken.ToString(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na");
  EXPECT_TRUE(peer->fin);
}

TEST_F(Flow, AConnectionThatIdlesEndsWhenItsLastRequestDoesNotCome) {
  options.idle_timeout = seconds(10);
  answer = "a";
  Serve();
  peer->Take(kAll);
  peer->Say(kGet);
  Pass(seconds(11));
  Pass(milliseconds(900));
  EXPECT_FALSE(peer->fin);
  Pass(milliseconds(200));
  EXPECT_TRUE(peer->fin);
}

TEST_F(Flow, AHeadThatNeverEndsHoldsADrainNoLongerThanItsTime) {
  Serve();
  peer->Take(kAll);
  peer->Say("GET / HT");
  Round();
  server->Drain();
  Round();
  Pass(milliseconds(900));
  EXPECT_FALSE(peer->fin);
  Pass(milliseconds(200));
  EXPECT_TRUE(peer->fin);
}

TEST_F(Flow, WhatTheClientHasSentIsAnsweredBeforeItIsClosed) {
  answer = "a";
  Serve();
  peer->Take(kAll);
  peer->SayUnheard(kGet);
  server->Drain();
  Round();
  EXPECT_TRUE(peer->taken.ToString().ends_with("connection: close\r\n\r\na"));
  EXPECT_TRUE(peer->fin);
}

TEST_F(Flow, ADrainClosesWhatIdlesAtOnce) {
  answer = "a";
  Serve();
  peer->Take(kAll);
  peer->Say(kGet);
  Round();
  server->Drain();
  Round();
  EXPECT_TRUE(peer->fin);
}

TEST_F(Flow, AClientThatWasRefusedAndGoesOnSendingLeavesTimeToOthers) {
  Serve();
  peer->Take(kAll);
  peer->Say("no request\r\n\r\n");
  Round();
  ASSERT_TRUE(peer->fin);
  peer->reads = 0;
  peer->Say(std::string(1'000'000, 'x'));
  EXPECT_LT(peer->reads, 10);
  for (int i = 0; i < 20; ++i) Round();
  EXPECT_GT(peer->reads, 60) << "all of it is read in the end";
}

}  // namespace
}  // namespace plait::conn
