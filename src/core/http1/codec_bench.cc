// CPU time and allocations of one exchange through each codec: parse a request of 12 fields and 409 bytes, answer 1
// KiB.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>

#include "core/http1/codec.h"

namespace {
std::size_t allocations = 0;
}
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {
using namespace plait;

constexpr std::string_view kRequest =
    "GET /productpage?u=normal HTTP/1.1\r\nHost: productpage.default.svc.cluster.local:9080\r\nUser-Agent: "
    "curl/7.88.1\r\n"
    "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nX-Request-Id: 6f1c3f7e-8f8e-4f7e-9d62-2b0ed2f7a111\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx-forwarded-proto: http\r\n"
    "Cookie: session=eyJ1c2VyIjoiamFzb24ifQ\r\nend-user: jason\r\nCache-Control: no-cache\r\nX-Extra: 1\r\n\r\n";

struct Server : http::ServerCodecEvents, http::ServerStreamEvents {
  http::ServerStream* stream = nullptr;
  http::ResponseHead reply;
  std::string body = std::string(1024, 'x');
  http::ServerStreamEvents& OnNewStream(http::ServerStream& s) override {
    stream = &s;
    return *this;
  }
  void OnOutputReady() override {}
  void OnRequestHead(http::RequestHead head, bool) override {
    benchmark::DoNotOptimize(head);
    stream->SendHead(reply, false);
    Buffer data(body);
    stream->SendData(data, true);
  }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override {}
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {}
};

void Serve(benchmark::State& state) {
  Server server;
  server.reply.status = 200;
  server.reply.headers = {{"content-length", "1024"},
                          {"content-type", "text/html"},
                          {"server", "istio-envoy"},
                          {"date", "Tue, 24 Nov 2026 14:13:00 GMT"},
                          {"x-envoy-upstream-service-time", "3"}};
  const http::CodecOptions options;
  auto codec = http1::NewServerCodec(server, options);
  const std::size_t before = allocations;
  Buffer in;
  for (auto _ : state) {
    in.Append(kRequest);
    if (!codec->Feed(in)) std::abort();
    codec->output().Clear();
    codec->OnOutputDrained();
  }
  state.counters["allocs_per_req"] =
      benchmark::Counter(static_cast<double>(allocations - before), benchmark::Counter::kAvgIterations);
}
BENCHMARK(Serve);

struct Client : http::ClientCodecEvents, http::ClientStreamEvents {
  void OnOutputReady() override {}
  void OnGoAway() override {}
  void OnMaxStreamsChanged() override {}
  void OnInformational(http::ResponseHead) override {}
  void OnResponseHead(http::ResponseHead head, bool) override { benchmark::DoNotOptimize(head); }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override {}
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {}
};

void Call(benchmark::State& state) {
  Client client;
  const http::CodecOptions options;
  auto codec = http1::NewClientCodec(client, options);
  http::RequestHead head;
  head.method = "GET";
  head.authority = "productpage:9080";
  head.path = "/productpage?u=normal";
  head.headers = {
      {"user-agent", "curl/7.88.1"}, {"accept", "*/*"}, {"x-request-id", "6f1c3f7e-8f8e-4f7e-9d62-2b0ed2f7a111"}};
  const std::string answer =
      "HTTP/1.1 200 OK\r\ncontent-length: 1024\r\ncontent-type: text/html\r\nserver: gunicorn\r\n\r\n" +
      std::string(1024, 'x');
  const std::size_t before = allocations;
  Buffer in;
  for (auto _ : state) {
    codec->NewStream(client)->SendHead(head, true);
    codec->output().Clear();
    in.Append(answer);
    if (!codec->Feed(in)) std::abort();
  }
  state.counters["allocs_per_req"] =
      benchmark::Counter(static_cast<double>(allocations - before), benchmark::Counter::kAvgIterations);
}
BENCHMARK(Call);
}  // namespace
