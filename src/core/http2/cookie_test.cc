// What an HTTP/2 client's cookies, which come as many fields, cost us.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/http2/codec.h"

namespace {
std::size_t largest_allocation = 0;

void* Allocate(std::size_t size) {
  largest_allocation = std::max(largest_allocation, size);
  if (void* out = std::malloc(size)) return out;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return Allocate(size); }
void* operator new[](std::size_t size) { return Allocate(size); }
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }

namespace plait::http2 {
namespace {

struct Server final : http::ServerCodecEvents, http::ServerStreamEvents {
  http::ServerStreamEvents& OnNewStream(http::ServerStream&) override { return *this; }
  void OnOutputReady() override {}
  void OnRequestHead(http::RequestHead head, bool) override { request = std::move(head); }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override {}
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {}
  http::RequestHead request;
};

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
  void OnStreamClosed() override {}
};

TEST(Cookies, OfManyCrumbsNeedRoomForTheirSumOnly) {
  http::CodecOptions options;
  options.max_header_count = 2000;
  Server server;
  Client client;
  const auto server_codec = NewServerCodec(server, options);
  const auto client_codec = NewClientCodec(client, options);
  http::RequestHead head{.method = "GET", .scheme = "http", .authority = "a", .path = "/"};
  std::string joined;
  for (int i = 0; i < 1000; ++i) {
    const std::string crumb = "name" + std::to_string(i) + "=" + std::string(20, 'v');
    head.headers.Add("cookie", crumb);
    joined += (i > 0 ? "; " : "") + crumb;
  }
  head.headers.Add("x-last", "1");
  client_codec->NewStream(client)->SendHead(head, true);
  client_codec->OnOutputDrained();
  largest_allocation = 0;
  ASSERT_TRUE(server_codec->Feed(client_codec->output()));
  EXPECT_EQ(server.request.headers.Get("cookie"), joined);
  EXPECT_EQ(server.request.headers.Get("x-last"), "1");
  EXPECT_EQ(server.request.headers.size(), 2u);
  EXPECT_LT(largest_allocation, 200'000u);
}

}  // namespace
}  // namespace plait::http2
