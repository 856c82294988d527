// What a peer costs us that makes us answer and does not read.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <string>

#include "core/http2/codec.h"

namespace plait::http2 {
namespace {

constexpr std::uint32_t kStreams = 1024;  // that we allow by default
const std::string kGet("\x82\x86\x84\x41\x01\x61");

std::string Number(std::uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift);
  return out;
}
std::string Frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
  return std::string{'\0', '\0', static_cast<char>(payload.size()), type, flags} + Number(stream).append(payload);
}
// 15 bytes. A client that has not acknowledged our SETTINGS may not know the limit of streams: those beyond it are
// refused one by one.
std::string Get(std::uint32_t stream) { return Frame(1, 4, stream, kGet); }
std::string Preface() { return std::string(kClientPreface) + Frame(4, 0, 0, ""); }

struct Server final : http::ServerCodecEvents {
  struct Request final : http::ServerStreamEvents {
    http::ServerStream* stream = nullptr;
    std::string body;
    bool closed = false;
    void OnRequestHead(http::RequestHead, bool) override {}
    void OnData(Buffer& data, bool) override { body += data.ToString(); }
    void OnTrailers(http::Headers) override {}
    void OnReset(http::ResetReason) override {}
    void OnBelowLowWatermark() override {}
    void OnStreamClosed() override { closed = true; }
  };
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override {
    requests.emplace_back().stream = &stream;
    return requests.back();
  }
  void OnOutputReady() override {}
  Result<> Say(std::string_view bytes) {
    in.Append(bytes);
    return codec->Feed(in);
  }
  std::string Read() {
    std::string out = codec->output().ToString();
    codec->output().Clear();
    codec->OnOutputDrained();
    return out;
  }

  http::CodecOptions options;
  std::list<Request> requests;
  std::unique_ptr<http::ServerCodec> codec = NewServerCodec(*this, options);
  Buffer in;
};

TEST(Unread, EndsAConnectionThatGoesOnOpeningStreamsBeyondTheLimit) {
  Server server;
  Result<> fed = server.Say(Preface());
  for (std::uint32_t i = 0; i < 10'000 && fed; ++i) {
    fed = server.Say(Get(2 * i + 1));
    server.Read();
  }
  ASSERT_FALSE(fed);
  EXPECT_STREQ(fed.error().detail, "http2.inbound_control_frames_flood");
  EXPECT_EQ(server.requests.size(), kStreams);
}

// With frames between them that count as messages.
TEST(Unread, HoldsALimitedNumberOfFramesForAClient) {
  Server server;
  Result<> fed = server.Say(Preface());
  std::size_t most = 0;
  std::uint32_t i = 0;
  for (; i < 200'000 && fed; ++i) {
    fed = server.Say(Get(2 * i + 1) + (i % 5 == 0 ? Frame(0, 0, 1, "x") : ""));
    most = std::max(most, server.codec->output().size());
  }
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Errc::kLimit);
  EXPECT_STREQ(fed.error().detail, "http2.outbound_frames_flood");
  EXPECT_GT(most, 256U * 1024) << "write_limit of core/conn: a server's connection reads no more before that";
  EXPECT_LT(i, 60'000U);
  EXPECT_EQ(server.codec->active_streams(), 0U);
  EXPECT_TRUE(server.codec->wants_close());
}

// Pushes of a server that has not acknowledged that it may not make any. No event of ours tells of them.
TEST(Unread, HoldsALimitedNumberOfFramesForAServer) {
  struct Client final : http::ClientCodecEvents, http::ClientStreamEvents {
    void OnOutputReady() override {}
    void OnGoAway() override {}
    void OnMaxStreamsChanged() override {}
    void OnInformational(http::ResponseHead) override {}
    void OnResponseHead(http::ResponseHead, bool) override {}
    void OnData(Buffer&, bool) override {}
    void OnTrailers(http::Headers) override {}
    void OnReset(http::ResetReason) override {}
    void OnBelowLowWatermark() override {}
    void OnStreamClosed() override { closed = true; }
    bool closed = false;
  } client;
  const http::CodecOptions options;
  const std::unique_ptr<http::ClientCodec> codec = NewClientCodec(client, options);
  http::RequestHead head;
  head.method = "GET";
  head.authority = "a";
  head.path = "/";
  codec->NewStream(client)->SendHead(head, true);
  codec->OnOutputDrained();
  Buffer in(Frame(4, 0, 0, ""));
  Result<> fed = codec->Feed(in);
  for (std::uint32_t i = 1; i < 40'000 && fed; ++i) {
    in.Append(Frame(5, 4, 1, Number(2 * i) + kGet));
    fed = codec->Feed(in);
  }
  ASSERT_FALSE(fed);
  EXPECT_STREQ(fed.error().detail, "http2.outbound_frames_flood");
  EXPECT_TRUE(client.closed);
}

TEST(Unread, ServesABurstOfStreamsFromAClientThatDoesNotKnowTheLimitYet) {
  constexpr std::uint32_t kBurst = 2000;
  Server server;
  std::string burst = Preface();
  for (std::uint32_t i = 0; i < kBurst; ++i) burst += Get(2 * i + 1) + Frame(0, 1, 2 * i + 1, "body");
  ASSERT_TRUE(server.Say(burst));
  std::size_t refused = 0;
  const std::string resets = server.Read();
  const std::string_view reset("\0\0\4\3\0", 5);
  for (std::size_t at = resets.find(reset); at != std::string::npos; at = resets.find(reset, at + 13)) ++refused;
  EXPECT_EQ(refused, kBurst - kStreams);
  ASSERT_EQ(server.requests.size(), kStreams);
  for (Server::Request& request : server.requests) {
    EXPECT_EQ(request.body, "body");
    http::ResponseHead head;
    head.status = 200;
    request.stream->SendHead(head, true);
  }
  server.Read();
  server.Read();
  ASSERT_TRUE(server.Say(Frame(4, 1, 0, "") + Get(2 * kBurst + 1)));
  EXPECT_EQ(server.requests.size(), kStreams + 1);
  for (const Server::Request& request : server.requests) {
    EXPECT_EQ(request.closed, &request != &server.requests.back());
  }
}

}  // namespace
}  // namespace plait::http2
