// Heap bytes that an idle server connection holds after it has served a request, and the CPU time of one exchange over
// a socket pair, client and server on one loop.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>

#include "core/conn/http_client.h"
#include "core/conn/http_server.h"

namespace {
using namespace plait;

struct Owner final : conn::ServerConnectionEvents, http::ServerStreamEvents {
  http::ServerStream* stream = nullptr;
  http::ServerStreamEvents& OnNewStream(http::ServerStream& s) override {
    stream = &s;
    return *this;
  }
  void OnConnectionClosed(const Error&) override {}
  void OnRequestHead(http::RequestHead, bool) override {
    http::ResponseHead head;
    head.status = 200;
    stream->SendHead(head, true);
  }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override {}
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override {}
};

struct Peer final : io::StreamEvents {
  void OnOpen() override {}
  void OnReadable() override {
    Buffer in;
    while (true) {
      const auto n = stream->Read(in, 4096);
      if (!n || *n == 0) break;
      received += *n;
      in.Clear();
    }
  }
  void OnWritable() override {}
  void OnFailed(Error) override { std::abort(); }
  void Ask() {
    Buffer out("GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: bench\r\n\r\n");
    if (!stream->Write(out) || !out.empty()) std::abort();
  }
  std::unique_ptr<io::Stream> stream;
  std::size_t received = 0;
};

struct Pair {
  Pair(io::Loop& loop, const conn::ConnectionOptions& options, Owner& owner) {
    auto [a, b] = io::StreamPair(loop);
    peer.stream = std::move(a);
    peer.stream->SetEvents(&peer);
    server = std::make_unique<conn::ServerConnection>(loop, std::move(b), options, owner);
  }
  Peer peer;
  std::unique_ptr<conn::ServerConnection> server;
};

bool Exchange(io::Loop& loop, Pair& pair) {
  const std::size_t before = pair.peer.received;
  pair.peer.Ask();
  return loop.RunUntil([&] { return pair.peer.received > before; }, std::chrono::seconds(5));
}

void KeptConnection(benchmark::State& state) {
  io::Loop loop;
  const conn::ConnectionOptions options{.protocol = conn::Protocol::kHttp1};
  Owner owner;
  Pair pair(loop, options, owner);
  loop.RunOnce(std::chrono::milliseconds(10));
  for (auto _ : state)
    if (!Exchange(loop, pair)) std::abort();
}
BENCHMARK(KeptConnection);

void IdleBytes(benchmark::State& state) {
  constexpr std::size_t kConnections = 400;
  for (auto _ : state) {
    io::Loop loop;
    const conn::ConnectionOptions options{.protocol = conn::Protocol::kHttp1};
    Owner owner;
    std::vector<std::pair<std::unique_ptr<io::Stream>, std::unique_ptr<io::Stream>>> bare(kConnections);
    std::vector<std::unique_ptr<Pair>> pairs(kConnections);
    for (int warm = 0; warm < 2; ++warm) {
      pairs[0] = std::make_unique<Pair>(loop, options, owner);
      loop.RunOnce(std::chrono::milliseconds(10));
      if (!Exchange(loop, *pairs[0])) std::abort();
    }
    const std::size_t before = mallinfo2().uordblks;
    for (auto& streams : bare) streams = io::StreamPair(loop);
    const auto stream_bytes = static_cast<double>(mallinfo2().uordblks - before) / kConnections / 2;
    bare.clear();
    const std::size_t empty = mallinfo2().uordblks;
    for (auto& pair : pairs) {
      pair = std::make_unique<Pair>(loop, options, owner);
      loop.RunOnce(std::chrono::milliseconds(10));
      if (!Exchange(loop, *pair)) std::abort();
    }
    const auto total = static_cast<double>(mallinfo2().uordblks - empty) / kConnections;
    state.counters["stream_bytes"] = stream_bytes;
    // Without the client's stream and its events.
    state.counters["connection_bytes"] = total - stream_bytes - static_cast<double>(sizeof(Pair));
  }
}
BENCHMARK(IdleBytes)->Iterations(1);
}  // namespace
