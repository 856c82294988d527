#pragma once
// Two ends of a TLS connection over a pair of sockets, for tests here and in other folders.
#include <gtest/gtest.h>

#include "core/io/socket.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"

namespace plait::tls {

inline constexpr Duration kTestLimit = std::chrono::seconds(5);
inline constexpr const char* kClient = "spiffe://cluster.local/ns/default/sa/client";
inline constexpr const char* kServer = "spiffe://cluster.local/ns/default/sa/server";

class End final : public io::StreamEvents {
 public:
  explicit End(std::unique_ptr<io::Stream> s) : stream(std::move(s)) { stream->SetEvents(this); }
  void OnOpen() override { open = true; }
  void OnReadable() override {
    for (;;) {
      const auto n = stream->Read(received, 1'000'000);
      if (!n) ended = n.error();
      if (!n || *n == 0) return;
    }
  }
  void OnWritable() override { ++writable; }
  void OnFailed(Error e) override { failed = e; }
  std::unique_ptr<io::Stream> stream;
  bool open = false;
  int writable = 0;
  Buffer received;
  std::optional<Error> ended, failed;
};

struct Handshake {
  io::Loop& loop;
  std::unique_ptr<End> client, server;
  Handshake(io::Loop& the_loop, std::shared_ptr<const Context> client_context,
            std::shared_ptr<const Context> server_context, WrapOptions options = {})
      : loop(the_loop) {
    auto [a, b] = io::StreamPair(loop);
    client = std::make_unique<End>(Wrap(loop, std::move(a), std::move(client_context), std::move(options)));
    server = std::make_unique<End>(Wrap(loop, std::move(b), std::move(server_context)));
    loop.RunUntil([&] { return Settled(); }, kTestLimit);
  }
  bool Settled() const { return server->failed || client->failed || (server->open && client->open); }
  // A client learns of its refusal only when it reads (TLS 1.3).
  bool Works() {
    Buffer ping("ping");
    if (!server->open || !client->open || !client->stream->Write(ping)) return false;
    loop.RunUntil([&] { return server->received.size() == 4 || server->ended || client->ended; }, kTestLimit);
    return server->received.ToString() == "ping";
  }
};

inline ContextOptions Options(bool server, const Identity& identity, const std::string& bundle) {
  ContextOptions out;
  out.server = server;
  out.identities = {identity};
  out.bundle_pem = bundle;
  out.alpn = {"istio-http/1.1", "istio"};
  out.peer.trust_domains = {"cluster.local"};
  return out;
}

inline std::shared_ptr<const Context> Make(const ContextOptions& options) {
  auto made = Context::Make(options);
  EXPECT_TRUE(made) << made.error().ToString();
  return *made;
}

}  // namespace plait::tls
